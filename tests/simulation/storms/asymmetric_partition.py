"""Asymmetric partition: some cables carry words one way only, for longer than a silent link is kept."""

import pytest
from tests.simulation.plan import Plan

from metanode.sim.storm import Cut, Storm


def _one_way(count: int, seed: int) -> Storm:
    deaf, mute = seed % count, (seed + 1 + seed // count % (count - 1)) % count
    return Storm(
        "asymmetric_partition",
        cuts=(Cut(1_000, 25_000, (mute,), (deaf,)),),
        heals_ms=25_000,
        bound_ms=10_000,
        gap_ms=6_000,
    )


PLAN = Plan(name="asymmetric_partition", storm=_one_way, seeds={4: 6, 5: 1, 6: 1, 7: 2, 10: 1}, every_ms=250)


@pytest.mark.parametrize(("count", "seed"), PLAN.cases())
def test_a_cable_that_carries_one_way_stops_nobody(count, seed):
    PLAN.play(count, seed)
