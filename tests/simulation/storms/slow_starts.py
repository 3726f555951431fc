"""Slow starts: containers take seconds to start and to get well, crash, use up their memory, do not listen to their
stop signal, while they are scaled up and down and workloads push each other out."""

import pytest
from tests.simulation.fleets import FleetPlan

from metanode.records.cluster_calls import ClusterScale
from metanode.records.workload import WorkloadSpec
from metanode.sim.docklock.acts import Weather
from metanode.sim.docklock.fleet import Fleet
from metanode.sim.docklock.runtime import Habits
from metanode.sim.docklock.samples import service

SLOW = Habits(start_ms=(50, 3_000), warm_ms=(0, 2_500), crash_ppm=150_000, oom_ppm=80_000, stubborn_ppm=200_000)


class SlowStarts(Weather):
    """Nobody dies but containers."""

    def workloads(self, count: int) -> list[tuple[WorkloadSpec, int]]:
        """Together more than there is room for, so that the higher push out the lower."""
        return [
            (service("low", 900, priority=10), 3 * count),
            (service("web", 700, priority=200, preempts=True), count),
            (service("top", 1_500, priority=300, preempts=True, ports=(80,)), 2),
        ]

    def begin(self, fleet: Fleet) -> None:
        """Slow from the start; scaled again and again."""
        for node in fleet.nodes.values():
            node.runtime.habits = SLOW
        random, count = fleet.clock.random, len(fleet.nodes)
        most = {"low": 3 * count, "web": count, "top": 2}

        def scale() -> None:
            name = random.choice(sorted(most))
            fleet.does(ClusterScale(cluster="shop", workload=name, replicas=random.randint(0, most[name])))

        self.every(fleet, 1_500, scale)

    def heal(self, fleet: Fleet) -> None:
        """Containers behave, and there is room for all."""
        for node in fleet.nodes.values():
            node.runtime.habits = Habits()
        for name, replicas in (("low", len(fleet.nodes)), ("web", len(fleet.nodes)), ("top", 2)):
            fleet.does(ClusterScale(cluster="shop", workload=name, replicas=replicas))


PLAN = FleetPlan(name="slow_starts", weather=lambda _: SlowStarts("slow_starts", bound_ms=60_000), seeds={4: 4})


@pytest.mark.parametrize(("count", "seed"), PLAN.cases())
def test_whatever_containers_do_nothing_is_given_twice_and_all_run_in_the_end(count, seed):
    PLAN.play(count, seed)
