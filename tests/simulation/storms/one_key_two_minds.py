"""Twins: f seats run on two computers each, with the same keys and a guard of its own; each computer reaches one half
of the others, until the storm heals."""

import pytest
from tests.simulation.plan import Plan, one_convicted

from metanode.primitives.bitmap import faults
from metanode.sim.byzantine.twin import Twin
from metanode.sim.storm import Cut, Storm


def _halves(count: int, seed: int) -> Storm:
    liars = tuple(range(1, 1 + faults(count)))
    doubles = tuple(range(count, count + len(liars)))
    honest = [seat for seat in range(count) if seat not in liars]
    turned = honest[seed % len(honest) :] + honest[: seed % len(honest)]
    left, right = tuple(turned[: len(turned) // 2]), tuple(turned[len(turned) // 2 :])
    apart = ((liars, right), (right, liars), (doubles, left), (left, doubles))
    cuts = tuple(Cut(0, 4_000, senders, receivers) for senders, receivers in apart)
    return Storm("one_key_two_minds", delay_max_ms=40, cuts=cuts, heals_ms=6_000, bound_ms=12_000)


PLAN = Plan(
    name="one_key_two_minds",
    storm=_halves,
    seeds={4: 2, 5: 1, 6: 1, 7: 1, 10: 1},
    most=True,
    doubled=True,
    liar=Twin,
    also=one_convicted,
)


@pytest.mark.parametrize(("count", "seed"), PLAN.cases())
def test_two_computers_with_one_key_fork_nothing_and_convict_it(count, seed):
    PLAN.play(count, seed)
