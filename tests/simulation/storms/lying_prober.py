"""Lying probers: as many as may lie say of every replica that nothing is there, and in every other world they stand by
a node that runs nothing. They move nobody who is good, and save nobody who is not."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from tests.simulation.fleets import FleetPlan

from metanode.sim.docklock.acts import Weather
from metanode.sim.docklock.fleet import Fleet
from metanode.sim.docklock.liars import Accomplice, Boaster, Slanderer
from metanode.sim.docklock.node import Node

LIARS = {4: 1, 5: 1, 6: 2, 8: 2}
"""Of so many nodes: fewer than must agree, and so few that enough honest ones are left."""


@dataclass(slots=True)
class LyingProber(Weather):
    """Odd seeds: the last node boasts, and the liars stand by it."""

    seed: int = 0
    count: int = 0

    def make(self, number: int) -> type[Node]:
        boasts = bool(self.seed % 2)
        if boasts and number == 0:
            return Boaster
        liars = LIARS[self.count]
        if not 1 <= number <= liars:
            return Node
        return Accomplice if boasts else Slanderer

    def also(self, fleet: Fleet) -> Iterator[str]:
        """Whoever boasts is named, nobody else."""
        named = ["node-00"] if self.seed % 2 else []
        if sorted(fleet.oracle.doubts) != named:
            yield f"doubted: {fleet.oracle.doubts}"


class Plan(FleetPlan):
    """Who lies depends on how many there are."""

    def play(self, count: int, seed: int, *, core: bool = False):
        plan = FleetPlan(self.name, lambda seed: LyingProber("lying_prober", seed=seed, count=count), self.seeds)
        return plan.play(count, seed, core=core)


PLAN = Plan(name="lying_prober", weather=lambda seed: LyingProber("lying_prober", seed=seed), seeds={4: 2, 6: 2, 8: 1})


@pytest.mark.parametrize(("count", "seed"), PLAN.cases())
def test_fewer_liars_than_must_agree_change_nothing(count, seed):
    PLAN.play(count, seed)
