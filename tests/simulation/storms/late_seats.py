"""Late seats: f of them say everything true, after the round it belongs to is over."""

import pytest
from tests.simulation.plan import Plan

from metanode.sim.byzantine.late import Late
from metanode.sim.storm import Storm

PLAN = Plan(
    name="late_seats",
    storm=lambda _, __: Storm("late_seats", delay_max_ms=30, heals_ms=4_000, bound_ms=8_000, gap_ms=3_500),
    seeds={4: 2, 5: 1, 6: 1, 7: 1, 10: 1},
    most=True,
    liar=Late,
)


@pytest.mark.parametrize(("count", "seed"), PLAN.cases())
def test_what_comes_too_late_stops_nobody(count, seed):
    PLAN.play(count, seed)
