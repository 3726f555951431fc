"""Unjustified proposals: f seats propose in rounds that nobody asked for, over too little, and in round 0 over too
much."""

from collections.abc import Iterator

import pytest
from tests.simulation.plan import Plan, convicted, named

from metanode.chain.evidence import JustificationRefusal
from metanode.sim.byzantine.unjustified import Unjustified
from metanode.sim.checkers import Scene
from metanode.sim.storm import Storm


def _also(scene: Scene) -> Iterator[str]:
    """Convicted, and blamed for this, not only for what it has to say to do it."""
    yield from convicted(scene)
    yield from named(*JustificationRefusal)(scene)


PLAN = Plan(
    name="unjustified_proposals",
    storm=lambda _, __: Storm("unjustified_proposals", delay_max_ms=20, heals_ms=4_000, bound_ms=8_000, gap_ms=3_500),
    seeds={4: 3, 5: 1, 6: 1, 7: 1, 10: 1},
    most=True,
    liar=Unjustified,
    also=_also,
)


@pytest.mark.parametrize(("count", "seed"), PLAN.cases())
def test_who_proposes_without_being_allowed_to_is_convicted(count, seed):
    PLAN.play(count, seed)
