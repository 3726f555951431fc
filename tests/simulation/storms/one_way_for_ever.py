"""One way for ever: f seats die and stay dead, and among those who are left, of whom a quorum needs all or nearly
all, one cable carries words one way only and is never mended. Healing changes nothing here: progress is due all the
same."""

from dataclasses import dataclass

import pytest
from tests.simulation.plan import Plan

from metanode.primitives.bitmap import faults
from metanode.sim.machine_room import MachineRoom
from metanode.sim.storm import Cut, Sky, Storm

FOR_EVER_MS = 1_000_000_000


@dataclass(slots=True)
class DeadForEver(Storm):
    """Whoever is dead stays dead."""

    dead: tuple[int, ...] = ()

    def begin(self, sky: Sky) -> None:
        """A little after the start, in the middle of something."""
        for index in self.dead:
            sky.at(400 + sky.random.randrange(200), lambda index=index: sky.crash(index))  # type: ignore[misc]


def _one_way(count: int, seed: int) -> Storm:
    dead = tuple(range(1, 1 + faults(count)))
    left = [seat for seat in range(count) if seat not in dead]
    mute, deaf = left[seed % len(left)], left[(seed + 1 + seed // len(left) % (len(left) - 1)) % len(left)]
    cuts = (Cut(700, FOR_EVER_MS, (mute,), (deaf,)),)
    return DeadForEver("one_way_for_ever", cuts=cuts, heals_ms=3_000, bound_ms=12_000, dead=dead)


PLAN = Plan(
    name="one_way_for_ever",
    storm=_one_way,
    seeds={4: 6, 5: 2, 6: 1, 7: 1, 10: 1},
    most=True,
    liar=MachineRoom,
    every_ms=150,
)


@pytest.mark.parametrize(("count", "seed"), PLAN.cases())
def test_a_dead_way_among_the_last_quorum_is_bridged(count, seed):
    PLAN.play(count, seed)
