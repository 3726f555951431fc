"""Wrong roots: f seats propose blocks that claim other results than executing them gives."""

import pytest
from tests.simulation.plan import Plan, named

from metanode.chain.ibft import IbftRefusal
from metanode.sim.byzantine.wrong_roots import WrongRoots
from metanode.sim.storm import Storm

PLAN = Plan(
    name="wrong_roots",
    storm=lambda _, __: Storm("wrong_roots", delay_max_ms=20, heals_ms=4_000, bound_ms=8_000, gap_ms=3_500),
    seeds={4: 2, 5: 1, 6: 1, 7: 1, 10: 1},
    most=True,
    liar=WrongRoots,
    also=named(IbftRefusal.UNFIT_BLOCK),
)


@pytest.mark.parametrize(("count", "seed"), PLAN.cases())
def test_nobody_votes_for_results_that_are_not_its_own(count, seed):
    PLAN.play(count, seed)
