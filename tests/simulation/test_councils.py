"""IBFT alone in councils under drawn storms: every honest seat does what the oracle allows and demands, and gets on."""

import pytest
from tests.simulation.councils import play

from metanode.sim.council import CALM, COUNTS, Council

DRAWN = 120
"""Seeds that draw the number of chairs, too; the planted faults that the oracle notices are in councils of these."""


@pytest.mark.parametrize("first", range(0, DRAWN, 10))
def test_engine_and_oracle_agree_in_drawn_storms(first: int) -> None:
    for seed in range(first, first + 10):
        play(0, seed)


@pytest.mark.parametrize("count", COUNTS)
def test_engine_and_oracle_agree_in_councils_of_each_size(count: int) -> None:
    for seed in range(8):
        play(count, seed)


def test_the_oracle_changes_nothing() -> None:
    """A council goes the same way with and without it."""
    watched, alone = (Council(1, CALM, watched=watched).perform() for watched in (True, False))
    assert watched == alone


def test_a_seed_is_one_council() -> None:
    assert play(0, 5) == play(0, 5)
    assert play(0, 5).fingerprint != play(0, 6).fingerprint
