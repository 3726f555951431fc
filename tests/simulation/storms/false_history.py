"""False history: one honest seat is cut off again and again and has to catch up, and f of those it asks make the past
up."""

import pytest
from tests.simulation.plan import Plan, named

from metanode.chain.sync import SyncRefusal
from metanode.primitives.codec import CodecRefusal
from metanode.sim.byzantine.sync_liar import SyncLiar
from metanode.sim.storm import Cut, Storm


def _left_behind(count: int, seed: int) -> Storm:
    behind, others = (0,), tuple(range(1, count))
    cuts = []
    for turn in range(3):
        start = 400 + 1_900 * turn + 89 * seed % 600
        cuts += [Cut(start, start + 1_300, behind, others), Cut(start, start + 1_300, others, behind)]
    return Storm("false_history", delay_max_ms=20, cuts=tuple(cuts), heals_ms=6_000, bound_ms=8_000)


PLAN = Plan(
    name="false_history",
    storm=_left_behind,
    seeds={4: 3, 5: 1, 6: 1, 7: 1, 10: 1},
    most=True,
    liar=SyncLiar,
    also=named(*SyncRefusal, *CodecRefusal, all_of_them=False),
)


@pytest.mark.parametrize(("count", "seed"), PLAN.cases())
def test_who_is_behind_believes_certificates_only(count, seed):
    PLAN.play(count, seed)
