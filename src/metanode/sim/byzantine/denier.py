"""A liar that denies what was prepared: the rounds it leads begin afresh, and later its ROUND-CHANGEs show nothing."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

import msgspec

from metanode.chain import ibft
from metanode.primitives.names import NO_HASH, Hash, Millis, Seat
from metanode.records.header import Header, read_header
from metanode.records.vote import NO_ROUND, Justification, justification_digest
from metanode.sim.byzantine.speaker import LyingNode
from metanode.sim.machine_room import MachineRoom

HONEST_HEIGHTS: Final = 6
"""So long its ROUND-CHANGEs tell the truth: they convict it at once, and who is convicted leads no more rounds."""


class DenyingNode(LyingNode):
    """Forgets on purpose."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._fresh: dict[tuple[int, int], Hash] = {}

    def face(self, seat: Seat, message: Any) -> Sequence[Any]:
        """The same to everybody."""
        del seat
        match message:
            case ibft.RoundChange(vote=vote) if vote.height > HONEST_HEIGHTS:
                denied = self.sign(vote, header_hash=NO_HASH, prepared_round=NO_ROUND, attachment=NO_HASH)
                return (ibft.RoundChange(vote=denied, certificates=()),)
            case ibft.Proposal(vote=vote, justification=why) if why.certificates:
                return (self._afresh(message),)
            case ibft.Ballot(vote=vote) if (vote.height, vote.round) in self._fresh:
                fresh = self._fresh[vote.height, vote.round]
                return (ibft.Ballot(vote=self.sign(vote, header_hash=fresh)),)
            case _:
                return (message,)

    def _afresh(self, message: ibft.Proposal) -> ibft.Proposal:
        """Another block than the one that was prepared, with the round changes that forbid it."""
        old = read_header(message.content.header)
        fresh: Header = replace(old, timestamp_ms=Millis(old.timestamp_ms + 1), proposer=Seat(message.vote.seat))
        self._fresh[message.vote.height, message.vote.round] = fresh.hash
        why = Justification(round_changes=message.justification.round_changes, certificates=())
        vote = self.sign(message.vote, header_hash=fresh.hash, attachment=justification_digest(why))
        content = msgspec.structs.replace(message.content, header=fresh.encoded)
        return ibft.Proposal(vote=vote, content=content, justification=why)


class Denier(MachineRoom):
    """The computer of such a node."""

    node_class = DenyingNode
