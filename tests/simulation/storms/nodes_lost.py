"""Nodes lost: one machine after the other is gone with all that ran on it, and comes back a while later. What ran there
runs elsewhere within the timeout and a second."""

from collections.abc import Iterator

import pytest
from tests.simulation.fleets import FleetPlan

from metanode.sim.docklock.acts import SETTLED_MS, Weather
from metanode.sim.docklock.fleet import TIMEOUT_MS, Fleet
from metanode.sim.docklock.oracle import LOST_MS


class NodesLost(Weather):
    """Never two at a time: there is room for what ran on one."""

    def begin(self, fleet: Fleet) -> None:
        """Kill one every few seconds."""
        fleet.oracle.prompt = True
        clock = fleet.clock

        def kill() -> None:
            if clock.age_ms + TIMEOUT_MS + LOST_MS + 2_000 >= self.heals_ms:
                return
            node = clock.random.choice(sorted(fleet.nodes.values(), key=lambda one: one.name))
            node.die()
            clock.at(TIMEOUT_MS + LOST_MS + clock.random.randrange(1_000), node.boot)
            clock.at(TIMEOUT_MS + LOST_MS + clock.random.randint(1_500, 3_000), kill)

        clock.at(SETTLED_MS + clock.random.randrange(500), kill)

    def also(self, fleet: Fleet) -> Iterator[str]:
        """Something moved, and in time."""
        yield from super().also(fleet)
        moved = fleet.oracle.moved_ms
        if not moved or max(moved) > TIMEOUT_MS + LOST_MS:
            yield f"moved after {moved} ms"


PLAN = FleetPlan(name="nodes_lost", weather=lambda _: NodesLost("nodes_lost"), seeds={4: 2, 7: 1})


@pytest.mark.parametrize(("count", "seed"), PLAN.cases())
def test_what_ran_on_a_lost_node_runs_elsewhere_in_time(count, seed):
    PLAN.play(count, seed)
