"""An equivocating proposer: one seat shows two blocks, and votes for both, each to one half of the others."""

import pytest
from tests.simulation.plan import Plan, convicted

from metanode.sim.byzantine.equivocator import Equivocator
from metanode.sim.storm import Storm

PLAN = Plan(
    name="equivocating_proposer",
    storm=lambda _, __: Storm("equivocating_proposer", delay_max_ms=40, heals_ms=4_000, bound_ms=8_000),
    seeds={4: 10, 5: 2, 6: 2, 7: 3, 10: 1},
    liars=(1,),
    liar=Equivocator,
    also=convicted,
)


@pytest.mark.parametrize(("count", "seed"), PLAN.cases())
def test_two_faces_fork_nothing_and_are_convicted(count, seed):
    PLAN.play(count, seed)
