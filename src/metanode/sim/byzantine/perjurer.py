"""A liar that convicts itself: words for two values, denied commits, headers from elsewhere. One computer a crime; each
does its duty otherwise."""

from collections.abc import Sequence
from dataclasses import replace
from hashlib import sha256
from typing import Any, Final

import msgspec

from metanode.chain import ibft
from metanode.primitives.names import NO_HASH, Hash, Height, Seat
from metanode.records.header import read_header
from metanode.records.vote import NO_ROUND, VoteKind
from metanode.sim.byzantine.speaker import Liar, LyingNode

HONEST_HEIGHTS: Final = 3
"""So long it behaves: who is convicted says nothing more."""


class PerjuringNode(LyingNode):
    """Commits its crime in every height, until it is convicted."""

    def face(self, seat: Seat, message: Any) -> Sequence[Any]:
        """The same to everybody."""
        del seat
        return self.crime(message) if self._desk.tip.height >= HONEST_HEIGHTS else (message,)

    def crime(self, message: Any) -> Sequence[Any]:
        """What is said in place of a message."""
        raise NotImplementedError


class TwoValuesNode(PerjuringNode):
    """EVID-3. PREPARE of one block, and COMMIT of another that nobody has."""

    def crime(self, message: Any) -> Sequence[Any]:
        """The COMMIT is for something else."""
        if not isinstance(message, ibft.Ballot) or message.vote.kind != VoteKind.COMMIT:
            return (message,)
        other = Hash(sha256(message.vote.header_hash).digest())
        return (ibft.Ballot(vote=self.sign(message.vote, header_hash=other)),)


class LateDenierNode(PerjuringNode):
    """EVID-4, EVID-9. It commits like all others, and gives up on the round at once, as if it had prepared nothing."""

    def crime(self, message: Any) -> Sequence[Any]:
        """The denial goes out behind the COMMIT."""
        if not isinstance(message, ibft.Ballot) or message.vote.kind != VoteKind.COMMIT:
            return (message,)
        denial = self.sign(
            message.vote,
            kind=VoteKind.ROUND_CHANGE,
            round=message.vote.round + 1,
            header_hash=NO_HASH,
            prepared_round=NO_ROUND,
            attachment=NO_HASH,
            seal=b"",
        )
        return (message, ibft.RoundChange(vote=denial, certificates=()))


class LunaticNode(PerjuringNode):
    """EVID-11. Its blocks say that they are of the next height."""

    def crime(self, message: Any) -> Sequence[Any]:
        """The same block, a height higher."""
        if not isinstance(message, ibft.Proposal) or message.justification.certificates:
            return (message,)
        header = read_header(message.content.header)
        strange = replace(header, height=Height(header.height + 1))
        content = msgspec.structs.replace(message.content, header=strange.encoded)
        vote = self.sign(message.vote, header_hash=strange.hash)
        return (ibft.Proposal(vote=vote, content=content, justification=message.justification),)


class TwoValues(Liar):
    """The computer of such a node."""

    lying = TwoValuesNode


class LateDenier(Liar):
    """The computer of such a node."""

    lying = LateDenierNode


class Lunatic(Liar):
    """The computer of such a node."""

    lying = LunaticNode
