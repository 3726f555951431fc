"""A crash at every persist boundary: the seed says at which effect that persists, and whether before or after it.

Seed 2k kills a node before its k-th persisting effect, seed 2k + 1 after it; a while later, while it still recovers,
once more. One node in four runs, another in the next.
"""

from dataclasses import dataclass

import pytest
from tests.simulation.plan import Plan

from metanode.sim.storm import Sky, Storm


@dataclass(slots=True)
class CrashAtBoundary(Storm):
    """Node `victim` dies at the boundary, and again `again` boundaries later."""

    boundary: int = 1
    after: bool = False
    everybody: bool = False

    def begin(self, sky: Sky) -> None:
        """Set the traps; those that nobody has run into by the healing are taken away."""
        for room in sky.rooms:
            if self.everybody or room.index == self.boundary % len(sky.rooms):
                room.restart_ms = 50 + sky.random.randrange(400)
                again = self.boundary + 1 + room.index + self.boundary % 7
                room.crash_at.update({self.boundary: self.after, again: True})
            sky.at(self.heals_ms, room.crash_at.clear)


PLAN = Plan(
    name="crash_at_every_boundary",
    storm=lambda _, seed: CrashAtBoundary(
        "crash_at_every_boundary", heals_ms=2_500, bound_ms=8_000, boundary=seed // 2, after=bool(seed % 2)
    ),
    seeds={4: 130, 5: 2, 6: 2, 7: 2, 10: 1},
    every_ms=40,
)


@pytest.mark.parametrize(("count", "seed"), PLAN.cases())
def test_killed_at_the_boundary_and_started_again(count, seed):
    PLAN.play(count, seed)
