"""Power cuts: machines lose, beside their memory, part of what was written since the last checkpoint, sometimes all of
them at once. The journal and the guard are synced and stay."""

from dataclasses import dataclass

import pytest
from tests.simulation.plan import Plan

from metanode.sim.storm import Sky, Storm


@dataclass(slots=True)
class PowerCuts(Storm):
    """Every 300 to 1500 ms the lights go out: for one, for some, for all."""

    def begin(self, sky: Sky) -> None:
        """The first."""
        sky.at(sky.random.randint(200, 1_500), lambda: self._strike(sky))

    def _strike(self, sky: Sky) -> None:
        if not self.raging(sky):
            return
        everybody = list(range(len(sky.rooms)))
        for index in sky.random.sample(everybody, min(sky.random.choice([1, 1, 2, len(everybody)]), len(everybody))):
            if sky.rooms[index].alive:
                sky.cut_power(index)
                sky.at(sky.random.randint(100, 900), lambda index=index: sky.boot(index))  # type: ignore[misc]
        sky.at(sky.random.randint(300, 1_500), lambda: self._strike(sky))


PLAN = Plan(
    name="power_cuts",
    storm=lambda _, __: PowerCuts("power_cuts", heals_ms=8_000, bound_ms=12_000),
    seeds={4: 14, 5: 2, 6: 1, 7: 3, 10: 1},
    every_ms=30,
)


@pytest.mark.parametrize(("count", "seed"), PLAN.cases())
def test_the_lights_go_out(count, seed):
    PLAN.play(count, seed)
