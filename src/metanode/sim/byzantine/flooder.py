"""A liar that drowns its peers: with each vote hundreds of messages, all of them well-formed and signed where its keys
can: votes of far rounds and heights, for blocks that are not there, questions, contents nobody asked for. It attacks
every bound (IBFT-M3, POOL, SYNC): what it sends must cost little and be kept nowhere."""

from collections.abc import Sequence
from hashlib import sha256
from typing import Any, Final

import msgspec

from metanode.chain import ibft
from metanode.chain.guard import LastWordAsked
from metanode.primitives.names import NO_HASH, Seat
from metanode.records.vote import NO_ROUND, Vote, VoteKind
from metanode.sim.byzantine.speaker import Liar, LyingNode

BURST: Final = 40
"""So often each kind, to each peer, with each vote."""
QUESTIONS_UNTIL: Final = 8
"""At first it only asks: votes for what is not there convict it soon."""


class FloodingNode(LyingNode):
    """Says the truth, and a hundred other things."""

    def face(self, seat: Seat, message: Any) -> Sequence[Any]:
        """The burst comes with its PREPARE."""
        del seat
        if not isinstance(message, ibft.Ballot) or message.vote.kind != VoteKind.PREPARE:
            return (message,)
        burst = self._questions if message.vote.height <= QUESTIONS_UNTIL else self._votes
        return (message, *(word for turn in range(BURST) for word in burst(message.vote, turn)))

    def _questions(self, vote: Vote, turn: int) -> Sequence[Any]:
        """What convicts nobody."""
        nothing = sha256(vote.header_hash + bytes([turn])).digest()
        return (
            ibft.Wanted(height=vote.height, header_hash=nothing),
            ibft.Wanted(height=vote.height, header_hash=vote.header_hash),
            ibft.Wanted(height=vote.height, header_hash=NO_HASH),
            LastWordAsked(vote_key=nothing),
            LastWordAsked(vote_key=self._desk.tip.validators[turn % len(self._desk.tip.validators)].vote_key),
        )

    def _votes(self, vote: Vote, turn: int) -> Sequence[Any]:
        nothing = sha256(vote.header_hash + bytes([turn])).digest()
        far = self.sign(
            vote,
            kind=VoteKind.ROUND_CHANGE,
            round=vote.round + 1 + turn * turn * turn,
            header_hash=NO_HASH,
            prepared_round=NO_ROUND,
            attachment=NO_HASH,
            seal=b"",
        )
        early = msgspec.structs.replace(vote, height=vote.height + 1 + turn % 3, header_hash=nothing)
        return (
            ibft.RoundChange(vote=far, certificates=()),
            ibft.Ballot(vote=self.sign(vote, round=vote.round + turn % 20, header_hash=nothing)),
            ibft.Ballot(vote=self.sign(early)),
        )


class Flooder(Liar):
    """The computer of such a node."""

    lying = FloodingNode
