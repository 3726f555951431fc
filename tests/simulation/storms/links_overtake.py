"""Reordering: some links are slow for a while, so that what was said later elsewhere arrives earlier."""

import pytest
from tests.simulation.plan import Plan

from metanode.sim.storm import Storm

PLAN = Plan(
    name="links_overtake",
    storm=lambda _, __: Storm("links_overtake", slow_ppm=120_000, slow_ms=900, heals_ms=8_000, bound_ms=6_000),
    seeds={4: 12, 5: 2, 6: 2, 7: 3, 10: 1},
)


@pytest.mark.parametrize(("count", "seed"), PLAN.cases())
def test_links_overtake_one_another(count, seed):
    PLAN.play(count, seed)
