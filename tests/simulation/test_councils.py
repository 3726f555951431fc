"""IBFT alone in councils under drawn storms: every honest seat does what the oracle allows and demands, and gets on."""

from pathlib import Path

import pytest
from tests.simulation.councils import play

from metanode.sim.council import CALM, COUNTS, Council

SEEDS = Path(__file__).with_name("council_seeds.txt")
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


def once_failed() -> list[tuple[int, int]]:
    """(chairs, seed), of council_seeds.txt."""
    lines = [line.partition("#")[0].split() for line in SEEDS.read_text().splitlines()]
    return [(int(line[0]), int(line[1])) for line in lines if line]


@pytest.mark.parametrize(("count", "seed"), once_failed())
def test_engine_and_oracle_agree_where_they_once_did_not(count: int, seed: int) -> None:
    play(count, seed)


def test_the_oracle_changes_nothing() -> None:
    """A council goes the same way with and without it."""
    watched, alone = (Council(1, CALM, watched=watched).perform() for watched in (True, False))
    assert watched == alone


def test_a_seed_is_one_council() -> None:
    assert play(0, 5) == play(0, 5)
    assert play(0, 5).fingerprint != play(0, 6).fingerprint
