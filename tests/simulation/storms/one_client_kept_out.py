"""A censor: f seats keep one client's transactions out of their pools and blocks, and vote for no block with one."""

from collections.abc import Iterator

import pytest
from tests.simulation.plan import Plan

from metanode.records.transaction import SIGNED_TRANSACTIONS
from metanode.sim.byzantine.censor import VICTIM, Censor
from metanode.sim.checkers import Scene
from metanode.sim.storm import Storm

FINAL_MS = 6_000
"""Within this the victim's transfers are final: f leaders who will not, and whoever hears of it late."""


def _in_time(scene: Scene) -> Iterator[str]:
    """Every transfer of the victim became final soon after it was first said."""
    final: dict[int, int] = {}
    for room in scene.honest:
        for height, at_ms in room.watch.final_at_ms.items():
            final[height] = min(at_ms, final.get(height, at_ms))
    victims = 0
    for name, encoded in scene.load.made.items():
        if SIGNED_TRANSACTIONS.decode(encoded).transaction.sender == VICTIM:
            victims += 1
            took = final[scene.load.acknowledged[name][0]] - scene.load.made_ms[name]
            if took > FINAL_MS:
                yield f"a transfer of the victim took {took} ms"
    if victims < 3:
        yield f"the victim made {victims} transfers only"


PLAN = Plan(
    name="one_client_kept_out",
    storm=lambda _, __: Storm("one_client_kept_out", delay_max_ms=20, heals_ms=4_000, bound_ms=8_000, gap_ms=3_000),
    seeds={4: 2, 5: 1, 6: 1, 7: 1, 10: 1},
    most=True,
    liar=Censor,
    also=_in_time,
)


@pytest.mark.parametrize(("count", "seed"), PLAN.cases())
def test_f_seats_keep_nobody_out(count, seed):
    PLAN.play(count, seed)
