"""A lying agent: one node claims that it runs what it does not, or has what it has not, or speaks for others. Probers
find out and the chain names it; what it only claimed to run runs elsewhere; what it said of others changes nothing."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from tests.simulation.fleets import FleetPlan

from metanode.docklock.cluster.refusals import ClusterRefusal
from metanode.records.workload import WorkloadSpec
from metanode.sim.docklock.acts import Weather
from metanode.sim.docklock.fleet import TIMEOUT_MS, Fleet
from metanode.sim.docklock.liars import Boaster, Braggart, Meddler
from metanode.sim.docklock.node import Node
from metanode.sim.docklock.samples import service


class Signer(Boaster):
    """A boaster that signs that all is well."""

    signs = True


LIARS: tuple[type[Node], ...] = (Boaster, Signer, Braggart, Meddler)
NAMED_MS = 9 * TIMEOUT_MS
"""Every node is looked at once in a timeout or a little more; at most five replicas of whoever boasts run truly."""


@dataclass(slots=True)
class LyingAgent(Weather):
    """The first node lies; which way, the seed says. Others' agents are killed now and then."""

    seed: int = 0

    @property
    def liar(self) -> type[Node]:
        return LIARS[self.seed % len(LIARS)]

    def make(self, number: int) -> type[Node]:
        return self.liar if number == 0 else Node

    def workloads(self, count: int) -> list[tuple[WorkloadSpec, int]]:
        """Enough that the one who claims to have eight times as much is given more than it has."""
        big = 3 * count if self.liar is Braggart else count
        return [(service("web"), count), (service("api", 900), big)]

    def begin(self, fleet: Fleet) -> None:
        honest = [node for node in fleet.nodes.values() if type(node) is Node]

        def kill() -> None:
            node = fleet.clock.random.choice(honest)
            node.kill_agent()
            fleet.clock.at(fleet.clock.random.randint(10, 300), node.boot)

        self.every(fleet, 4_000, kill)

    def also(self, fleet: Fleet) -> Iterator[str]:
        """It is named, nobody else is."""
        named = [] if self.liar is Meddler else ["node-00"]
        if sorted(fleet.oracle.doubts) != named:
            yield f"{self.liar.__name__}: doubted are {fleet.oracle.doubts}"
        if any(age_ms > NAMED_MS for age_ms in fleet.oracle.doubts.values()):
            yield f"{self.liar.__name__} was named only after {fleet.oracle.doubts} ms"
        liar = fleet.nodes["node-00"]
        if isinstance(liar, Meddler) and (not liar.codes or {*liar.codes} != {ClusterRefusal.OTHER_NODE}):
            yield f"reports in another's name got {liar.codes[:4]}"


PLAN = FleetPlan(name="lying_agent", weather=lambda seed: LyingAgent("lying_agent", seed=seed), seeds={4: 4, 7: 1})


@pytest.mark.parametrize(("count", "seed"), PLAN.cases())
def test_whoever_lies_is_named_and_moves_nobody_else(count, seed):
    PLAN.play(count, seed)
