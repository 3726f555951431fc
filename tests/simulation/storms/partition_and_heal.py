"""Partition: the validators fall into two halves that do not hear each other; then one is cut off; then all is well."""

import pytest
from tests.simulation.plan import Plan

from metanode.sim.storm import Cut, Storm


def _halves(count: int, seed: int) -> Storm:
    everybody = tuple(range(count))
    turned = everybody[seed % count :] + everybody[: seed % count]
    left, right = turned[: count // 2], turned[count // 2 :]
    alone, rest = turned[:1], turned[1:]
    return Storm(
        "partition_and_heal",
        cuts=(
            Cut(800, 4_000, left, right),
            Cut(800, 4_000, right, left),
            Cut(4_500, 7_000, alone, rest),
            Cut(4_500, 7_000, rest, alone),
        ),
        heals_ms=7_000,
        bound_ms=8_000,
    )


PLAN = Plan(name="partition_and_heal", storm=_halves, seeds={4: 10, 5: 2, 6: 2, 7: 2, 10: 1})


@pytest.mark.parametrize(("count", "seed"), PLAN.cases())
def test_neither_half_decides_and_both_go_on_together(count, seed):
    PLAN.play(count, seed)
