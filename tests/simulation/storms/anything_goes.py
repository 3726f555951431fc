"""Anything goes: f seats say, at random, whatever their keys can sign, while links overtake one another."""

import msgspec
import pytest
from tests.simulation.plan import Plan

from metanode.sim.acts import PARAMETERS
from metanode.sim.byzantine.anything import Anything
from metanode.sim.storm import Storm

STAYING = msgspec.structs.replace(PARAMETERS, validators_min=4)
"""Who is convicted stays where the set would be too small: one of four lies to the end."""

PLAN = Plan(
    name="anything_goes",
    storm=lambda _, __: Storm("anything_goes", slow_ppm=60_000, slow_ms=700, heals_ms=3_000, bound_ms=10_000),
    seeds={4: 8, 5: 1, 6: 1, 7: 1, 10: 1},
    parameters=STAYING,
    most=True,
    liar=Anything,
)


@pytest.mark.parametrize(("count", "seed"), PLAN.cases())
def test_whatever_they_say(count, seed):
    PLAN.play(count, seed)
