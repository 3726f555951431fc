"""All crash together: every node dies at its own k-th persisting effect, so that nobody is left who remembers more."""

import pytest
from tests.simulation.plan import Plan
from tests.simulation.storms.crash_at_every_boundary import CrashAtBoundary

PLAN = Plan(
    name="all_crash_together",
    storm=lambda _, seed: CrashAtBoundary(
        "all_crash_together",
        heals_ms=2_500,
        bound_ms=8_000,
        boundary=seed // 2,
        after=bool(seed % 2),
        everybody=True,
    ),
    seeds={4: 60, 5: 1, 6: 1, 7: 6, 10: 1},
    every_ms=40,
)


@pytest.mark.parametrize(("count", "seed"), PLAN.cases())
def test_everybody_restarts_in_the_middle_of_a_round(count, seed):
    PLAN.play(count, seed)
