"""The oracle's own arithmetic, held against the definitions and against the engine's formulas."""

import pytest
from tests.unit.chain.ibft import counterfeit

from metanode.chain.ibft import first_leader as engine_first_leader
from metanode.primitives import bitmap
from metanode.primitives.names import Seat
from metanode.records.validators import ValidatorSet
from metanode.sim.oracle import numbers


@pytest.mark.parametrize("count", range(1, 201))
def test_quorums_and_liars_are_those_of_the_engine(count: int) -> None:
    assert numbers.quorum(count) == bitmap.quorum(count)
    assert numbers.liars(count) == bitmap.faults(count)


@pytest.mark.parametrize("gone", [(), (2,), (2, 3), (0, 1, 2)])
@pytest.mark.parametrize("proposer", [-1, 0, 2, 6])
def test_the_first_leader_follows_the_last_proposer_though_he_may_have_left(
    proposer: int, gone: tuple[int, ...]
) -> None:
    before = counterfeit.validators(7)
    now = ValidatorSet(tuple(one for seat, one in enumerate(before.validators) if seat not in gone))
    expected = engine_first_leader(before, Seat(proposer), now)
    assert numbers.first_leader(before, proposer, now) == expected


def test_timeouts_double_up_to_the_cap() -> None:
    assert [numbers.timeout_ms(100, 500, round_) for round_ in (0, 1, 2, 3, 1_000_000)] == [100, 200, 400, 500, 500]


@pytest.mark.parametrize(("data", "seats"), [(b"\x05", (0, 2)), (b"\x25", ()), (b"\x05\x00", ()), (b"", ())])
def test_a_bitmap_of_another_set_has_no_seats(data: bytes, seats: tuple[int, ...]) -> None:
    assert numbers.seats_of(data, 5) == seats
