"""The second act by a core alone: of the honest no more than a quorum is healed, the rest stay cut off for ever,
liars stay connected and lie on. Progress is due within the bound of each storm (`Storm.core_bound_ms`)."""

import pytest
from tests.simulation.soak import plans

from metanode.primitives.bitmap import quorum

HARD = (
    "denying_leader",
    "everything_at_once",
    "first_decider_vanishes",
    "leader_dies",
    "links_overtake",
    "one_signer_two_machines",
    "one_way_for_ever",
    "power_cuts",
    "two_of_four_wiped",
)
"""Played by seven too: those that leave nodes in the most different states."""
CASES = [(name, 4, 0) for name in plans()] + [(name, 7, 0) for name in HARD]


@pytest.mark.parametrize(("name", "count", "seed"), CASES)
def test_a_core_quorum_goes_on_alone(name: str, count: int, seed: int) -> None:
    ending = plans()[name].play(count, seed, core=True)
    assert len(ending.scene.core) == quorum(count)
    apart = [room for room in ending.scene.honest if room.index not in ending.scene.core]
    heights = [room.watch.height for room in ending.scene.honest if room.index in ending.scene.core]
    assert all(room.watch.height < min(heights) for room in apart), "nobody else took part"
