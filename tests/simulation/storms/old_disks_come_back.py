"""Old disks come back: of f machines the whole directory, guard and journal and store, is replaced by a copy of some
time ago, or by an empty one, and started at once. What they said since then only their peers know (GUARD-8,
GUARD-9)."""

from copy import deepcopy
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

from metanode.node.effects import PublishFinal
from metanode.sim.disk import SimDisk
from metanode.sim.storm import Sky


@dataclass(slots=True)
class OldDisksComeBack(HonestLinksAreSlow):
    """A copy is made of each height's beginning; in the middle of one a copy is put back, often the newest: nothing but
    what was said in this height is missing."""

    copies: dict[int, list[SimDisk]] = field(default_factory=dict)

    def begin(self, sky: Sky) -> None:
        """When copies are made, and the first return."""

        def copy(index: int, final: PublishFinal) -> None:
            del final
            if self.raging(sky):
                sky.at(1, lambda: self.copies[index].append(deepcopy(sky.rooms[index].disk)))

        for victim in self.liars:
            self.copies[victim] = [deepcopy(sky.rooms[victim].disk)]
            sky.rooms[victim].listeners.append(copy)
        sky.at(sky.random.randint(900, 1_500), lambda: self._put_back(sky, 0))

    def _put_back(self, sky: Sky, turn: int) -> None:
        if not self.raging(sky):
            return
        victim = self.liars[turn % len(self.liars)]
        if not has_spoken(sky, victim):
            sky.at(LOOK_MS, lambda: self._put_back(sky, turn))
            return
        sky.crash(victim)
        copies = self.copies[victim]
        match sky.random.randrange(5):
            case 0:
                sky.rooms[victim].wipe()
            case 1:
                sky.rooms[victim].disk = deepcopy(sky.random.choice(copies))
            case _:
                sky.rooms[victim].disk = deepcopy(copies[-1])
        sky.at(sky.random.randint(10, 30), lambda: sky.boot(victim))
        sky.at(sky.random.randint(900, 1_500), lambda: self._put_back(sky, turn + 1))


PLAN = Plan(
    name="old_disks_come_back",
    storm=lambda count, _: OldDisksComeBack(
        "old_disks_come_back",
        slow_min_ms=250,
        slow_max_ms=350,
        heals_ms=8_000,
        bound_ms=25_000,
        liars=first_seats(count),
    ),
    parameters=LONG_ROUNDS,
    seeds={4: 6, 5: 1, 6: 1, 7: 1, 10: 1},
    set_back=first_seats,
    weak=first_seats,
    every_ms=20,
)


@pytest.mark.parametrize(("count", "seed"), PLAN.cases())
def test_who_was_set_back_contradicts_nobody(count, seed):
    PLAN.play(count, seed)
