"""Failing disks: again and again f machines stop, and of journal or guard something is gone at the next start: the
last records, one in the middle, the guard's newer slot, the whole guard. The other record is as it was. In the end
the operator vouches for whose guard is gone (DISK-5, DISK-17 to DISK-20, GUARD-10)."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from tests.simulation.plan import Plan
from tests.simulation.storms.forgotten_words import (
    LONG_ROUNDS,
    LOOK_MS,
    HonestLinksAreSlow,
    first_seats,
    has_spoken,
)

from metanode.sim.checkers import Scene
from metanode.sim.disk import flip_bits, lose_guard, lose_tail, tear_slot, vouch
from metanode.sim.machine_room import MachineRoom
from metanode.sim.storm import Sky

FAULTS = (lose_tail, flip_bits, tear_slot, lose_guard)


@dataclass(slots=True)
class FailingDisks(HonestLinksAreSlow):
    """One machine after another, always the same f, in the middle of a height in which it spoke. `silent`: who must
    say nothing in this life, and how much it had said before."""

    silent: dict[int, int] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)

    def begin(self, sky: Sky) -> None:
        """The first, and what the operator does at the end."""
        for victim in self.liars:
            sky.at(sky.random.randint(300, 900), lambda victim=victim: self._strike(sky, victim))  # type: ignore[misc]
        sky.at(self.heals_ms - 200, lambda: self._mend(sky))

    def _strike(self, sky: Sky, victim: int) -> None:
        if sky.now_ms - sky.start_ms > self.heals_ms - 500:
            return
        room = sky.rooms[victim]
        if victim not in self.silent and not has_spoken(sky, victim):
            sky.at(LOOK_MS, lambda: self._strike(sky, victim))
            return
        self._look_back(room)
        sky.crash(victim)
        sky.random.choice(FAULTS)(room.disk, sky.random)
        if not room.disk.may_vote:
            self.silent[victim] = len(room.watch.signed)
        sky.at(sky.random.randint(10, 30), lambda: sky.boot(victim))
        sky.at(sky.random.randint(700, 1_200), lambda: self._strike(sky, victim))

    def _look_back(self, room: MachineRoom) -> None:
        """DISK-6, DISK-19. With a damaged journal, or without a guard, it said nothing in its whole life."""
        before = self.silent.pop(room.index, len(room.watch.signed))
        if before != len(room.watch.signed):
            self.wrong.append(f"node {room.index} signed {len(room.watch.signed) - before} votes it cannot answer for")

    def _mend(self, sky: Sky) -> None:
        """Who observes is started once more, and vouched for where its guard is gone."""
        for victim in self.liars:
            room = sky.rooms[victim]
            self._look_back(room)
            sky.crash(victim)
            if not room.disk.guarded:
                vouch(room.disk, room.chain_id, max(room.watch.height for room in sky.rooms) + 1)
            sky.boot(victim)


def _silent(scene: Scene) -> Iterator[str]:
    storm = scene.world.storm
    assert isinstance(storm, FailingDisks)
    yield from storm.wrong


PLAN = Plan(
    name="failing_disks",
    storm=lambda count, _: FailingDisks(
        "failing_disks",
        slow_min_ms=250,
        slow_max_ms=350,
        heals_ms=8_000,
        bound_ms=25_000,
        liars=first_seats(count),
    ),
    weak=first_seats,
    parameters=LONG_ROUNDS,
    seeds={4: 6, 5: 1, 6: 1, 7: 1, 10: 1},
    also=_silent,
)


@pytest.mark.parametrize(("count", "seed"), PLAN.cases())
def test_what_the_disk_forgot_is_not_said_otherwise(count, seed):
    PLAN.play(count, seed)
