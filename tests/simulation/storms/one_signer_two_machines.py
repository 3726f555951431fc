"""One signer, two machines: a machine is cut off, a standby with its keys takes over, then the first comes back and the
standby is cut off. Both have a mind, and a journal, of their own; the guard in the one signer lets the keys say one
thing only."""

import pytest
from tests.simulation.plan import Plan

from metanode.sim.storm import Cut, Storm


def _failover(count: int, seed: int) -> Storm:
    first, standby, others = (0,), (count,), tuple(range(1, count))
    gone, change, back = 800 + 37 * seed % 600, 17_000, 20_000 + 53 * seed % 600
    away = ((standby, 0, change), (first, gone, back), (standby, back + 300, 24_000))
    cuts = [Cut(start, end, who, others) for who, start, end in away]
    cuts += [Cut(start, end, others, who) for who, start, end in away]
    return Storm("one_signer_two_machines", delay_max_ms=30, cuts=tuple(cuts), heals_ms=24_000, bound_ms=20_000)


PLAN = Plan(
    name="one_signer_two_machines", storm=_failover, seeds={4: 8, 5: 1, 6: 1, 7: 2, 10: 1}, twins=(0,), every_ms=150
)


@pytest.mark.parametrize(("count", "seed"), PLAN.cases())
def test_the_keys_say_one_thing(count, seed):
    PLAN.play(count, seed)
