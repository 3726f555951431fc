"""An equivocating proposer: one seat shows two blocks, and votes for both, each to one half of the others."""

import pytest
from tests.simulation.plan import Plan

from metanode.node.rows import STATE
from metanode.sim.byzantine.equivocator import Equivocator
from metanode.sim.storm import Storm

PLAN = Plan(
    name="equivocating_proposer",
    storm=lambda _, __: Storm("equivocating_proposer", delay_max_ms=40, heals_ms=5_000, bound_ms=8_000),
    seeds={4: 10, 5: 2, 6: 2, 7: 3},
    liars=(1,),
    liar=Equivocator,
)


@pytest.mark.parametrize(("count", "seed"), PLAN.cases())
def test_two_faces_fork_nothing_and_are_convicted(count, seed):
    scene = PLAN.play(count, seed).scene
    key = scene.founding.validators[1].vote_key
    assert all(room.disk.rows.get(STATE + b"gj" + key) for room in scene.honest), "named by evidence in a block"
