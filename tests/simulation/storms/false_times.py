"""False times: f seats propose blocks of tomorrow, of just beyond what clocks may differ, and of the past."""

from collections.abc import Iterator

import pytest
from tests.simulation.plan import Plan, named

from metanode.chain.ibft import IbftRefusal
from metanode.records.header import read_header
from metanode.sim.byzantine.time_liar import TimeLiar
from metanode.sim.checkers import Scene
from metanode.sim.storm import Storm


def _also(scene: Scene) -> Iterator[str]:
    """The liars are named; every block is later than its parent, and not of the future."""
    yield from named(IbftRefusal.UNFIT_BLOCK)(scene)
    drift_ms = scene.founding.genesis.parameters.drift_ms
    for room in scene.honest:
        before = scene.world.start_ms
        for height, (header, _) in room.watch.final.items():
            time_ms = read_header(header).timestamp_ms
            if not before < time_ms <= room.watch.final_at_ms[height] + drift_ms:
                yield f"block {height} is of {time_ms}, its parent of {before}"
            before = time_ms


PLAN = Plan(
    name="false_times",
    storm=lambda _, __: Storm("false_times", delay_max_ms=20, heals_ms=4_000, bound_ms=8_000, gap_ms=3_500),
    seeds={4: 2, 5: 1, 6: 1, 7: 1, 10: 1},
    most=True,
    liar=TimeLiar,
    also=_also,
)


@pytest.mark.parametrize(("count", "seed"), PLAN.cases())
def test_no_block_is_of_another_time(count, seed):
    PLAN.play(count, seed)
