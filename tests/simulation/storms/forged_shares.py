"""Forged shares: f seats send COMMITs under good envelopes with shares that are none."""

import pytest
from tests.simulation.plan import Plan, named

from metanode.chain.ibft import IbftRefusal
from metanode.sim.byzantine.share_forger import ShareForger
from metanode.sim.storm import Storm

PLAN = Plan(
    name="forged_shares",
    storm=lambda _, __: Storm("forged_shares", delay_max_ms=20, heals_ms=4_000, bound_ms=8_000, gap_ms=3_000),
    seeds={4: 2, 5: 1, 6: 1, 7: 1, 10: 1},
    most=True,
    liar=ShareForger,
    also=named(IbftRefusal.BAD_SHARE),
)


@pytest.mark.parametrize(("count", "seed"), PLAN.cases())
def test_whose_share_is_bad_is_known_and_worked_around(count, seed):
    PLAN.play(count, seed)
