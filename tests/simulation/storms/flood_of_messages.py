"""A flood: f seats send hundreds of well-formed messages with each vote; nothing of it is kept, and nobody is late."""

from collections.abc import Iterator

import pytest
from tests.simulation.plan import Plan

from metanode.sim.byzantine.flooder import Flooder
from metanode.sim.checkers import Scene
from metanode.sim.storm import Storm

VOTES_MAX = 4 * 18
"""A seat's votes of a height: four kinds, the round at hand and those that are kept ahead of it."""


def _bounded(scene: Scene) -> Iterator[str]:
    """What an honest node holds of the height at hand does not grow with what it is sent."""
    for room in scene.honest:
        state = room.node._ibft._state
        assert state is not None
        held = sum(len(table) for table in state.votes.values())
        if held > VOTES_MAX * len(scene.founding.validators):
            yield f"node {room.index} holds {held} votes"
        if len(state.contents) > 16 or len(state.latest) > len(scene.founding.validators):
            yield f"node {room.index} holds {len(state.contents)} contents, {len(state.latest)} ROUND-CHANGEs"


PLAN = Plan(
    name="flood_of_messages",
    storm=lambda _, __: Storm("flood_of_messages", heals_ms=1_500, bound_ms=8_000, gap_ms=3_000),
    seeds={4: 1, 5: 1, 6: 1, 7: 1, 10: 1},
    most=True,
    liar=Flooder,
    also=_bounded,
    every_ms=150,
)


@pytest.mark.parametrize(("count", "seed"), PLAN.cases())
def test_a_flood_fills_nothing_and_stops_nobody(count, seed):
    PLAN.play(count, seed)
