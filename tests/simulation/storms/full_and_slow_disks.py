"""Full and slow disks: f machines have disks on which every sync takes a while, and of all machines one after another
runs out of space: it stops before the write, and each start ends at the first write until there is space (DISK-2)."""

from dataclasses import dataclass

import pytest
from tests.simulation.plan import Plan

from metanode.primitives.bitmap import faults
from metanode.sim.storm import Sky, Storm

SYNC_MS = 18
"""Five times what a disk should take, for each of some eight syncs a height."""


@dataclass(slots=True)
class FullAndSlowDisks(Storm):
    """Slow from the start to the healing; full for half a second at a time."""

    slow: tuple[int, ...] = ()

    def begin(self, sky: Sky) -> None:
        """Slow disks, and the first full one."""
        for index in self.slow:
            sky.rooms[index].slow_ms = SYNC_MS
        sky.at(self.heals_ms, lambda: self._heal(sky))
        sky.at(sky.random.randint(300, 900), lambda: self._fill(sky))

    def _fill(self, sky: Sky) -> None:
        if not self.raging(sky):
            return
        victim = sky.random.randrange(len(sky.rooms))
        room, until_ms = sky.rooms[victim], sky.now_ms + sky.random.randint(200, 700)
        room.restart_ms = 60

        def full() -> None:
            if sky.now_ms < until_ms and self.raging(sky):
                room.crash_at = {room.persisted + 1: False}
                sky.at(20, full)
            else:
                room.crash_at = {}

        full()
        sky.at(sky.random.randint(500, 1_200), lambda: self._fill(sky))

    def _heal(self, sky: Sky) -> None:
        for room in sky.rooms:
            room.slow_ms, room.crash_at = 0, {}


PLAN = Plan(
    name="full_and_slow_disks",
    storm=lambda count, seed: FullAndSlowDisks(
        "full_and_slow_disks",
        delay_max_ms=10,
        heals_ms=5_000,
        bound_ms=8_000,
        slow=tuple((seed + i) % count for i in range(faults(count))),
    ),
    seeds={4: 3, 5: 1, 6: 1, 7: 1, 10: 1},
)


@pytest.mark.parametrize(("count", "seed"), PLAN.cases())
def test_a_full_disk_stops_one_and_a_slow_one_nobody(count, seed):
    PLAN.play(count, seed)
