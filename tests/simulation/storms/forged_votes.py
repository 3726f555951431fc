"""Forged votes: one seat sends the votes of all others, for the block at hand and for others, badly signed."""

import pytest
from tests.simulation.plan import Plan

from metanode.sim.byzantine.forger import Forger
from metanode.sim.storm import Storm

PLAN = Plan(
    name="forged_votes",
    storm=lambda _, __: Storm("forged_votes", delay_max_ms=30, heals_ms=4_000, bound_ms=8_000),
    seeds={4: 6, 5: 1, 6: 1, 7: 2, 10: 1},
    liars=(3,),
    liar=Forger,
)


@pytest.mark.parametrize(("count", "seed"), PLAN.cases())
def test_nobody_is_believed_to_have_said_what_it_did_not_sign(count, seed):
    PLAN.play(count, seed)
