"""Silent seats: f of them say nothing in IBFT, or speak to one neighbour only."""

import pytest
from tests.simulation.plan import Plan

from metanode.sim.byzantine.silent import Silent
from metanode.sim.storm import Storm

PLAN = Plan(
    name="silent_seats",
    storm=lambda _, __: Storm("silent_seats", delay_max_ms=30, heals_ms=4_000, bound_ms=8_000, gap_ms=3_500),
    seeds={4: 2, 5: 1, 6: 1, 7: 1, 10: 1},
    most=True,
    liar=Silent,
)


@pytest.mark.parametrize(("count", "seed"), PLAN.cases())
def test_f_silent_seats_stop_nobody(count, seed):
    PLAN.play(count, seed)
