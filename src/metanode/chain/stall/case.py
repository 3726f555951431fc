"""What several transcripts of one height show together: who spoke how far, and by whom that was heard."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from metanode.chain.ibft import leader
from metanode.chain.stall.transcript import StallRefusal, Told
from metanode.primitives.bitmap import decode as decode_bitmap
from metanode.primitives.names import Seat
from metanode.primitives.refusal import Rejected
from metanode.records.validators import ValidatorSet
from metanode.records.vote import Vote, VoteKind

NEVER: Final = -1
"""The round of the last word of who said none."""


@dataclass(frozen=True)
class Case:
    """STALL-3. Transcripts of the highest height that was brought, and those of lower ones, which show only who is
    behind."""

    told: tuple[Told, ...]
    lower: tuple[Told, ...]

    @cached_property
    def height(self) -> int:
        """What is explained."""
        return self.told[0].height

    @cached_property
    def validators(self) -> ValidatorSet:
        """The set of the height."""
        return self.told[0].validators

    @cached_property
    def decided(self) -> int:
        """The round in which the height became final, -1 while it is open: a certificate says so."""
        return min((commit.round for told in self.told for _, commit in told.final), default=-1)

    @cached_property
    def credited(self) -> dict[int, bool]:
        """The seats in a certificate of the height."""
        commits = [commit for told in self.told for _, commit in told.final]
        return {seat: True for c in commits for seat in decode_bitmap(c.validator_bitmap, len(self.validators))}

    @cached_property
    def votes(self) -> tuple[Vote, ...]:
        """Everything that anybody signed, once."""
        return tuple(dict.fromkeys(vote for told in self.told for vote in told.votes))

    @cached_property
    def last(self) -> tuple[dict[int, int], ...]:
        """By transcript and seat, the highest round the seat spoke of."""
        found: list[dict[int, int]] = []
        for told in self.told:
            rounds: dict[int, int] = {}
            for vote in told.votes:
                rounds[vote.seat] = max(vote.round, rounds.get(vote.seat, NEVER))
            found.append(rounds)
        return tuple(found)

    @cached_property
    def reached(self) -> tuple[int, ...]:
        """By seat, the highest round it was heard to speak of by anybody; -1: no word of this height."""
        return tuple(max(rounds.get(seat, NEVER) for rounds in self.last) for seat in range(len(self.validators)))

    @cached_property
    def round(self) -> int:
        """The round that matters: the last one of a decided height; of an open one where f + 1 seats are, one of them
        honest (IBFT-V2), or one beyond where somebody who was asked went ahead and waits (IBFT-V8)."""
        if self.decided >= 0:
            return self.decided
        supported = max(sorted(self.reached, reverse=True)[self.validators.faults], 0)
        own = max(told.said.round for told in self.told)
        return max(supported, min(own, supported + 1))

    @cached_property
    def heard(self) -> tuple[Seat, ...]:
        """Seats that somebody heard in that round, or that are in the certificate."""
        seats = range(len(self.validators))
        return tuple(Seat(s) for s in seats if self.reached[s] >= self.round or s in self.credited)

    def leader(self, round_: int) -> Seat:
        """IBFT-P1. Of a round: proved by the block below."""
        return leader(self.told[0].leads, len(self.validators), round_)

    def of_round(self, kind: VoteKind, round_: int) -> list[Vote]:
        """All votes of a kind and round."""
        return [vote for vote in self.votes if (vote.kind, vote.round) == (kind, round_)]

    def names(self, told: Sequence[Told] | None = None) -> tuple[str, ...]:
        """Of the nodes that say something: these, or all who can say what they did not hear. A node that has no word of
        a height that is over was not there, or has not kept it."""
        witnesses = [one for one in self.told if one.votes or self.decided < 0] if told is None else told
        return tuple(dict.fromkeys(one.said.node for one in witnesses))


def open_case(told: Sequence[Told]) -> Case:
    """STALL-3. Sort transcripts of one chain. Raises `Rejected` where they do not belong together."""
    height = max((one.height for one in told), default=0)
    of_height = tuple(one for one in told if one.height == height)
    if not of_height or any(one.chain_id != of_height[0].chain_id for one in told):
        raise Rejected(StallRefusal.OTHER_CHAIN, "transcripts of one chain are needed")
    if any((one.validators.hash, one.leads) != (of_height[0].validators.hash, of_height[0].leads) for one in of_height):
        raise Rejected(StallRefusal.OTHER_CHAIN, f"height {height} with two blocks below it: ask bpi forensics")
    return Case(of_height, tuple(one for one in told if one.height < height))
