"""Forks made in the simulator: f + 1 seats live twice, with one part of the honest each. Whole nodes decide two blocks
of one height; from what an honest node of each part gives by the API, f + 1 liars are named, and nobody else."""

from dataclasses import dataclass

import msgspec
import pytest

from metanode.api import guilt
from metanode.chain.forensics import (
    Checks,
    Findings,
    Heard,
    Material,
    investigate,
    read_testimony,
    verify_evidence_bytes,
)
from metanode.chain.light import GenesisBasis
from metanode.node.events import Asked
from metanode.primitives.bitmap import faults
from metanode.primitives.codec import encode
from metanode.records.evidence_file import TESTIMONIES, evidence_file
from metanode.records.header import read_header
from metanode.sim import standins
from metanode.sim.acts import PARAMETERS
from metanode.sim.byzantine.twin import Twin
from metanode.sim.founding import START_MS, Founding, computer, found
from metanode.sim.machine_room import MachineRoom
from metanode.sim.storm import Cut, Storm
from metanode.sim.world import World

FOR_EVER_MS = 1 << 40
CHECKS = Checks(pairing=standins.verify_aggregate, signature=standins.verify)


@dataclass(frozen=True)
class Forked:
    """A world with two chains. `sides`: the honest nodes of each."""

    world: World
    founding: Founding
    liars: tuple[int, ...]
    sides: tuple[tuple[int, ...], tuple[int, ...]]

    def testimony(self, index: int, height: int) -> bytes:
        """What a node gives of a height."""
        room = self.world.rooms[index]
        asked = guilt.EvidenceTestimony(height=height)
        self.world.tell(index, Asked(self.world.now_ms, 1, "evidence.testimony", asked))
        view = room.watch.answers.pop(1)
        assert isinstance(view, guilt.TestimonyView)
        return bytes.fromhex(view.file)

    def read(self, data: bytes) -> Heard:
        return read_testimony(data, GenesisBasis(self.founding.genesis), CHECKS)


def fork(count: int, liars: tuple[int, ...], seed: int, *, same_round: bool) -> Forked:
    """Two worlds in one: on the first side the seats' own computers, on the second those the liars have beside, each
    known to its side only. Where the rounds shall be the same, the leader of the first block is a liar."""
    founding = found(count, parameters=PARAMETERS)
    honest = [seat for seat in range(count) if seat not in liars]
    sides = tuple(honest[::2]), tuple(honest[1::2])
    beside = {seat: count + place for place, seat in enumerate(liars)}
    second = [
        msgspec.structs.replace(one, addresses=(f"10.0.0.{beside[seat] + 1}:1",)) if seat in beside else one
        for seat, one in enumerate(founding.validators)
    ]
    rooms: list[MachineRoom] = []
    for seat, one in enumerate(founding.validators):
        known = second if seat in sides[1] else founding.validators
        rooms.append(computer(founding, seat, one, known, Twin if seat in liars else MachineRoom))
    rooms += [computer(founding, index, founding.validators[seat], second, Twin) for seat, index in beside.items()]
    one_side, other_side = (*sides[0], *liars), (*sides[1], *beside.values())
    cuts = (Cut(0, FOR_EVER_MS, one_side, other_side), Cut(0, FOR_EVER_MS, other_side, one_side))
    world = World(seed, rooms, Storm("fork", cuts=cuts), START_MS)
    world.start()
    if same_round:
        world.run(200)
        _, payment = founding.clients[0].transfer(founding.chain_id, founding.clients[1].address, 5, world.now_ms)
        world.submit(sides[0][0], 1, (payment,))
    world.run(20_000, lambda: all(room.watch.height >= 2 for room in rooms))
    return Forked(world, founding, liars, sides)


def explained(forked: Forked, testimonies: list[bytes]) -> Findings:
    heard = [forked.read(data) for data in testimonies]
    return investigate(
        Material(
            heard[0].chain_id,
            heard[0].validators,
            tuple((one.header, one.commit) for one in heard),
            tuple(vote for one in heard for vote in one.votes),
            tuple(why for one in heard for why in one.justifications),
        )
    )


def first_difference(forked: Forked) -> int:
    """The lowest height with two headers."""
    ours, theirs = (forked.world.rooms[side[0]].watch.final for side in forked.sides)
    return next(height for height in sorted(ours) if ours[height][0] != theirs[height][0])


CASES = [
    (4, (0, 1), True),
    (4, (2, 3), False),
    (7, (0, 1, 2), True),
    (7, (4, 5, 6), False),
]


@pytest.mark.parametrize(("count", "liars", "same_round"), CASES)
def test_f_plus_1_liars_are_named_with_a_proof_each(count: int, liars: tuple[int, ...], same_round: bool) -> None:
    assert len(liars) == faults(count) + 1
    forked = fork(count, liars, 7, same_round=same_round)
    height = first_difference(forked)
    testimonies = [forked.testimony(side[0], height) for side in forked.sides]
    headers = {read_header(TESTIMONIES.decode(data).header).hash for data in testimonies}
    assert len(headers) == 2, "two headers of one height are final"
    findings = explained(forked, testimonies)
    assert (findings.first.round == findings.second.round) is same_round
    assert findings.enough
    assert [seat for seat, _ in findings.proofs] == list(liars)
    for seat, evidence in findings.proofs:
        file = encode(evidence_file(forked.founding.chain_id, (), evidence))
        proven = verify_evidence_bytes(file, GenesisBasis(forked.founding.genesis), CHECKS)
        assert seat in proven.seats
        assert set(proven.seats) <= set(liars)


@pytest.mark.parametrize(("count", "liars"), [(4, (2, 3)), (7, (4, 5, 6))])
def test_one_node_of_the_second_side_must_have_kept_it(count: int, liars: tuple[int, ...]) -> None:
    """Whoever only learnt of the end has nothing to show; who voted has, and is named as one who must have it."""
    forked = fork(count, liars, 11, same_round=False)
    height = first_difference(forked)
    ours, theirs = (forked.testimony(side[0], height) for side in forked.sides)
    bare = msgspec.structs.replace(TESTIMONIES.decode(theirs), votes=(), justifications=())
    findings = explained(forked, [ours, encode(bare)])
    assert (findings.enough, findings.proofs) == (False, ())
    (missing,) = findings.missing
    assert missing.round == findings.second.round
    voters = [index for index in forked.sides[1] if index in missing.seats]
    assert voters
    assert all(explained(forked, [ours, forked.testimony(index, height)]).enough for index in voters)


@pytest.mark.parametrize("seed", range(6))
def test_nobody_honest_is_named_whatever_is_laid_together(seed: int) -> None:
    """All that all nodes kept of all heights on both sides, also where they did not differ."""
    forked = fork(4, (2, 3), seed, same_round=False)
    for height in (1, 2):
        testimonies = [forked.testimony(index, height) for side in forked.sides for index in side]
        testimonies += [forked.testimony(index, height) for index in forked.liars]
        assert {seat for seat, _ in explained(forked, testimonies).proofs} <= set(forked.liars)
