"""Forks for the taking: seats that lie run twice from some point on, once with each part of the honest ones, and each
of the two lives knows nothing of the other."""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from random import Random

import msgspec
from tests.unit.chain.ibft import counterfeit
from tests.unit.chain.ibft.cluster import Cluster

from metanode.chain import ibft
from metanode.chain.forensics import Checks, Material
from metanode.chain.forensics.evidence_file import ForensicsRefusal
from metanode.primitives.names import Hash
from metanode.primitives.refusal import Rejected
from metanode.records.commit import BlsCommit
from metanode.records.header import Header, read_header
from metanode.records.vote import Justification, Vote

CHECKS = Checks(
    pairing=lambda keys, message, aggregate: counterfeit.check_aggregates(((tuple(keys), message, aggregate),))[0],
    signature=lambda key, message, signature: counterfeit.check_signatures(((key, message, signature),))[0],
)
NOTHING_TO_ASK = ForensicsRefusal.NO_FORK


@dataclass(frozen=True)
class Fork:
    """How it ended on each side: what the honest decided and kept."""

    seats: int
    liars: tuple[int, ...]
    decided: tuple[tuple[Header, BlsCommit], ...]
    votes: tuple[Vote, ...]
    justifications: tuple[Justification, ...]

    @property
    def is_one(self) -> bool:
        return len({commit.header_hash for _, commit in self.decided}) > 1

    @property
    def rounds(self) -> list[int]:
        return sorted({commit.round for _, commit in self.decided})

    def material(self) -> Material:
        return Material(
            counterfeit.CHAIN, counterfeit.validators(self.seats), self.decided, self.votes, self.justifications
        )


class Side(Cluster):
    """One life of everybody. Keys of liars may say what they like."""

    liars: tuple[int, ...] = ()

    def _remember(self, player: object, vote: Vote) -> None:
        if vote.seat not in self.liars:
            super()._remember(player, vote)  # type: ignore[arg-type]


def split(seats: int, liars: tuple[int, ...], seed: int, *, forget: bool = True) -> Fork:
    """Everybody works on the height for a while over bad links; then the honest are parted, the liars go on with both
    parts and, where `forget`, begin the second life with an empty head and disk."""
    chance = Random(seed)
    side = Side(seats)
    side.liars = liars
    loss = chance.choice([0.1, 0.3, 0.6])
    side.links = lambda s, r, m: chance.random() > loss
    side.start()
    for _ in range(chance.randint(0, 5)):
        for _ in range(chance.randint(0, 60)):
            if side.wire:
                side.deliver(chance.randrange(len(side.wire)))
        side.expire(*[seat for seat in range(seats) if chance.random() < 0.7])
    honest = [seat for seat in range(seats) if seat not in liars]
    chance.shuffle(honest)
    cut = len(honest) // 2
    parts = (tuple(honest[:cut]), tuple(honest[cut:]))
    sides = [_live(deepcopy(side), part, chance.random, wiped=False) for part in parts[:1]]
    sides.append(_live(deepcopy(side), parts[1], chance.random, wiped=forget))
    return _ending(sides, seats, liars, parts)


def _live(side: Side, part: tuple[int, ...], chance: Callable[[], float], *, wiped: bool) -> Side:
    present = [*part, *side.liars]
    for seat in range(len(side.members)):
        if seat not in present:
            side.kill(seat)
    side.wire.clear()
    for seat in side.liars if wiped else ():
        side.tell(side.restart(seat, wiped=True), ibft.BlockDue(side.now_ms))
    loss = 0.3
    side.links = lambda s, r, m: chance() > loss
    side.run(side.now_ms + int(20_000 * chance()))
    side.links = lambda s, r, m: True
    side.run(side.now_ms + 200_000)
    return side


def _ending(sides: list[Side], seats: int, liars: tuple[int, ...], parts: tuple[tuple[int, ...], ...]) -> Fork:
    decided: dict[tuple[bytes, int], tuple[Header, BlsCommit]] = {}
    votes: list[Vote] = []
    whys: list[Justification] = []
    for side, part in zip(sides, parts, strict=True):
        for seat in part:
            end = side[seat].decided.get(1)
            if end is not None:
                decided.setdefault((end.header_hash, end.commit.round), (read_header(end.content.header), end.commit))
            side.tell(side[seat], side.begins(2, seat))
            for keep in side[seat].asked(ibft.Keep):
                votes.extend(keep.votes)
                whys.extend(keep.justifications)
    return Fork(seats, liars, tuple(decided.values()), tuple(votes), tuple(whys))


def bent(vote: Vote) -> Vote:
    """A word that nobody signed."""
    return msgspec.structs.replace(vote, header_hash=Hash(bytes(32)))


def refused(rejected: Rejected) -> ForensicsRefusal:
    assert isinstance(rejected.reason, ForensicsRefusal)
    return rejected.reason
