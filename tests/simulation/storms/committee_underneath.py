"""A committee underneath: the chain is whole validators, and stands still for seconds while two of four are gone, while
nodes of the cluster die. No node is lost because the chain stood still, and everything runs in the end."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import pytest
from tests.simulation.fleets import FleetPlan

from metanode.sim.docklock.acts import Ending, Weather, perform
from metanode.sim.docklock.committee import committee
from metanode.sim.docklock.fleet import Fleet
from metanode.sim.storm import Sky, Storm

HEALS_MS = 20_000


@dataclass(slots=True)
class CommitteeUnderneath(Weather):
    """Even seeds: nodes die, too. Odd seeds: only the chain stands still now and then, and no node is lost for it."""

    seed: int = 0

    def begin(self, fleet: Fleet) -> None:
        """Never two at a time."""
        random = fleet.clock.random
        nodes = [fleet.nodes[name] for name in sorted(fleet.nodes)]

        def kill() -> None:
            node = random.choice(nodes)
            if self.seed % 2 == 0 and all(one.alive for one in nodes):
                node.die()
                fleet.clock.at(random.randint(500, 4_000), node.boot)

        self.every(fleet, 3_000, kill)

    def also(self, fleet: Fleet) -> Iterator[str]:
        """Every node that lives is heard."""
        if self.seed % 2 and fleet.oracle.lost:
            yield f"lost: {fleet.oracle.lost}"


@dataclass(frozen=True)
class CommitteePlan(FleetPlan):
    """By four validators, whatever the number of nodes."""

    def play(self, count: int, seed: int, *, core: bool = False) -> Ending:
        del core
        return perform(self.weather(seed), count, seed, committee(storm))


@dataclass(slots=True)
class ChainStands(Storm):
    """Every few seconds two of four validators are gone for longer than a node may be silent."""

    def begin(self, sky: Sky) -> None:
        """Kill, and start again."""

        def strike() -> None:
            if self.raging(sky):
                for index in sky.random.sample(range(len(sky.rooms)), 2):
                    sky.crash(index)
                    sky.at(sky.random.randint(1_000, 4_500), partial(sky.boot, index))
                sky.at(sky.random.randint(6_000, 8_000), strike)

        sky.at(5_000, strike)


def storm() -> Storm:
    """What rages among the validators."""
    return ChainStands("chain_stands", break_ppm=2_000, heals_ms=HEALS_MS, bound_ms=12_000)


PLAN = CommitteePlan(
    name="committee_underneath",
    weather=lambda seed: CommitteeUnderneath("committee_underneath", heals_ms=HEALS_MS, bound_ms=20_000, seed=seed),
    seeds={4: 2},
)


@pytest.mark.parametrize(("count", "seed"), PLAN.cases())
def test_a_chain_that_stumbles_loses_no_node_and_no_replica(count, seed):
    PLAN.play(count, seed)
