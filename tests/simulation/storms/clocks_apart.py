"""Clocks apart: no two nodes agree what time it is, and now and then somebody sets a clock, forwards or back by an
hour."""

from collections.abc import Iterator

import pytest
from tests.simulation.fleets import FleetPlan

from metanode.sim.docklock.acts import Weather
from metanode.sim.docklock.fleet import Fleet
from metanode.sim.docklock.runtime import Habits

HOUR_MS = 3_600_000


class ClocksApart(Weather):
    """A clock that was set wrong stays wrong, in the second act too."""

    def begin(self, fleet: Fleet) -> None:
        """Each its own time."""
        random = fleet.clock.random
        nodes = [fleet.nodes[name] for name in sorted(fleet.nodes)]
        for node in nodes:
            node.skew_ms = random.randint(-HOUR_MS, HOUR_MS)
            node.runtime.habits = Habits(crash_ppm=200_000)

        def turn() -> None:
            by_ms = random.choice((50, 1_000, 30_000, HOUR_MS))
            node = random.choice(nodes)
            node.skew_ms += random.choice((-1, 1)) * random.randint(1, by_ms)

        self.every(fleet, 1_500, turn)

    def heal(self, fleet: Fleet) -> None:
        """Containers behave; clocks stay as they are."""
        for node in fleet.nodes.values():
            node.runtime.habits = Habits()

    def also(self, fleet: Fleet) -> Iterator[str]:
        """Every node reported all the time."""
        yield from super().also(fleet)
        if fleet.oracle.lost:
            yield f"lost: {fleet.oracle.lost}"


PLAN = FleetPlan(name="clocks_apart", weather=lambda _: ClocksApart("clocks_apart"), seeds={4: 4})


@pytest.mark.parametrize(("count", "seed"), PLAN.cases())
def test_nobody_is_lost_for_what_its_clock_says(count, seed):
    PLAN.play(count, seed)
