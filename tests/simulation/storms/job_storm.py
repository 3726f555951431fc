"""A storm of jobs: more of them than there is room for, of all priorities, while nodes die. Each ends once by its own
account, the low ones too, and none is counted done that did not end well."""

from collections.abc import Iterator

import pytest
from tests.simulation.fleets import FleetPlan

from metanode.docklock.cluster.state import read_workload
from metanode.records.workload import WorkloadSpec
from metanode.sim.docklock.acts import Weather
from metanode.sim.docklock.fleet import Fleet
from metanode.sim.docklock.samples import job, service


class JobStorm(Weather):
    """Jobs of high priority come all the time; those of low priority came first."""

    def workloads(self, count: int) -> list[tuple[WorkloadSpec, int]]:
        """The patient one asks for half of a node, three times for each."""
        return [(job("patient", 2_000, retries=50, priority=0), 3 * count), (service("web"), count)]

    def begin(self, fleet: Fleet) -> None:
        """One more job every second."""
        random, count, made = fleet.clock.random, len(fleet.nodes), [0]
        nodes = [fleet.nodes[name] for name in sorted(fleet.nodes)]

        def come() -> None:
            made[0] += 1
            spec = job(f"job-{made[0]}", random.choice((500, 1_000, 2_000)), retries=50, priority=random.choice((1, 5)))
            fleet.apply(spec, random.randint(1, 2 * count))

        def strike() -> None:
            node = random.choice(nodes)
            if all(one.alive for one in nodes):
                node.die()
                fleet.clock.at(random.randint(500, 3_500), node.boot)

        self.every(fleet, 1_500, come)
        self.every(fleet, 6_000, strike)

    def also(self, fleet: Fleet) -> Iterator[str]:
        """All are completed; as many ended with 0 as were asked for, or more: a node may die before it says so."""
        assert fleet.state is not None
        for name in fleet.workloads:
            workload = read_workload(fleet.state, "shop", name)
            if workload is None or workload.current.terms.kind != "job":
                continue
            ended = sum(
                1 for node in fleet.nodes.values() for one in node.steps
                if one.assignment and (one.step, one.code, one.assignment.workload) == ("exited", "0", name)
            )  # fmt: skip
            if workload.phase != "completed" or ended < workload.replicas:
                yield f"{name} is {workload.phase}, {ended} of {workload.replicas} ended well"


PLAN = FleetPlan(name="job_storm", weather=lambda _: JobStorm("job_storm", bound_ms=60_000), seeds={4: 2, 7: 1})


@pytest.mark.parametrize(("count", "seed"), PLAN.cases())
def test_every_job_is_done_in_the_end(count, seed):
    PLAN.play(count, seed)
