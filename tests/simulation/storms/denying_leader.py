"""A denying leader: while COMMITs get lost and whoever decides first vanishes, one seat shows nothing prepared in its
ROUND-CHANGEs and proposes another block in the rounds it leads."""

import pytest
from tests.simulation.plan import Plan
from tests.simulation.storms.first_decider_vanishes import FirstDeciderVanishes

from metanode.sim.byzantine.denier import Denier

PLAN = Plan(
    name="denying_leader",
    storm=lambda _, __: FirstDeciderVanishes("denying_leader", heals_ms=8_000, bound_ms=12_000),
    seeds={4: 10, 5: 2, 6: 2, 7: 8, 10: 1},
    liars=(2,),
    liar=Denier,
)


@pytest.mark.parametrize(("count", "seed"), PLAN.cases())
def test_what_was_prepared_is_not_denied_away(count, seed):
    PLAN.play(count, seed)
