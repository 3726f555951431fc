"""Nodes that flap: machines and agents die and come back in tenths of seconds, several at a time; some lose nothing but
their agent, some their runtime, some all."""

from collections.abc import Iterator

import pytest
from tests.simulation.fleets import FleetPlan

from metanode.sim.docklock.acts import Weather
from metanode.sim.docklock.fleet import Fleet


class NodesFlap(Weather):
    """Whoever it meets is back within three seconds, often before anybody missed it."""

    def begin(self, fleet: Fleet) -> None:
        """Three kinds of misfortune."""
        clock = fleet.clock
        nodes = [fleet.nodes[name] for name in sorted(fleet.nodes)]

        def meet() -> None:
            node = clock.random.choice(nodes)
            match clock.random.randrange(3):
                case 0:
                    node.die()
                case 1:
                    node.kill_agent()
                case _:
                    node.lose_runtime()
            clock.at(clock.random.randint(50, 3_000), node.boot)

        self.every(fleet, 1_200, meet)

    def also(self, fleet: Fleet) -> Iterator[str]:
        """Who cannot be reached for so long may be doubted; it is mended by then."""
        return iter(())


PLAN = FleetPlan(name="nodes_flap", weather=lambda _: NodesFlap("nodes_flap"), seeds={4: 3, 7: 1})


@pytest.mark.parametrize(("count", "seed"), PLAN.cases())
def test_whoever_comes_back_runs_what_it_is_to_run_and_nothing_else(count, seed):
    PLAN.play(count, seed)
