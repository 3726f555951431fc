"""A liar that proposes without being allowed to: in rounds above 0 that nobody asked for, over too few ROUND-CHANGEs,
over one of them many times, and in round 0 over some. It attacks IBFT-P2 to P6, and convicts itself (EVID-5)."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import msgspec

from metanode.chain import ibft
from metanode.primitives.names import NO_HASH, Millis, Seat
from metanode.records.header import read_header
from metanode.records.vote import NO_ROUND, Justification, Vote, VoteKind, justification_digest
from metanode.sim.byzantine.speaker import Liar, LyingNode

HONEST_HEIGHTS = 8
"""So long it behaves: the lie convicts it, and who is convicted proposes no more."""


class UnjustifiedNode(LyingNode):
    """With its PREPARE of another's block it proposes its own, for the next round that it leads."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._shown: ibft.Proposal | None = None

    def _lie(self, honest: Callable[[Any], Sequence[Any]], event: Any) -> Sequence[Any]:
        if isinstance(event, ibft.Received) and isinstance(event.message, ibft.Proposal):
            self._shown = event.message
        return super()._lie(honest, event)

    def face(self, seat: Seat, message: Any) -> Sequence[Any]:
        """The truth, and the lie behind it."""
        del seat
        height = self._desk.tip.height + 1
        if height <= HONEST_HEIGHTS:
            return (message,)
        match message:
            case ibft.Proposal(vote=vote) if vote.round == 0:
                return (self._instead(message, 0, (self._change(vote, 1),)),)
            case ibft.Ballot(vote=vote) if vote.kind == VoteKind.PREPARE:
                return (message, *self._uncalled(vote))
            case _:
                return (message,)

    def _uncalled(self, vote: Vote) -> Sequence[ibft.Proposal]:
        """Its own block for the next round that it leads, over nothing, or over one word said often."""
        shown = self._shown
        if shown is None or shown.vote.height != vote.height or shown.vote.seat == vote.seat:
            return ()
        validators = self._desk.tip.validators
        round_ = shown.vote.round + (vote.seat - shown.vote.seat) % len(validators)
        own = self._change(vote, round_)
        why = ((), (own,), (own,) * validators.quorum)[vote.height % 3]
        return (self._instead(shown, round_, why),)

    def _change(self, vote: Vote, round_: int) -> Vote:
        return self.sign(
            vote,
            kind=VoteKind.ROUND_CHANGE,
            round=round_,
            header_hash=NO_HASH,
            prepared_round=NO_ROUND,
            attachment=NO_HASH,
            seal=b"",
        )

    def _instead(self, message: ibft.Proposal, round_: int, shown: tuple[Vote, ...]) -> ibft.Proposal:
        old, seat = read_header(message.content.header), self._desk.seat
        fresh = replace(old, timestamp_ms=Millis(old.timestamp_ms + 1), proposer=seat)
        why = Justification(round_changes=shown, certificates=())
        vote = self.sign(
            message.vote, seat=seat, round=round_, header_hash=fresh.hash, attachment=justification_digest(why)
        )
        content = msgspec.structs.replace(message.content, header=fresh.encoded)
        return ibft.Proposal(vote=vote, content=content, justification=why)


class Unjustified(Liar):
    """The computer of such a node."""

    lying = UnjustifiedNode
