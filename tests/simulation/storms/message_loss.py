"""Message loss: connections break and take with them whatever was under way, in both directions."""

import pytest
from tests.simulation.plan import Plan

from metanode.sim.storm import Storm

PLAN = Plan(
    name="message_loss",
    storm=lambda count, _: Storm("message_loss", break_ppm=20_000 // count, heals_ms=6_000, bound_ms=12_000),
    seeds={4: 12, 5: 2, 6: 2, 7: 3, 10: 1},
)


@pytest.mark.parametrize(("count", "seed"), PLAN.cases())
def test_what_was_under_way_is_lost_and_said_again(count, seed):
    PLAN.play(count, seed)
