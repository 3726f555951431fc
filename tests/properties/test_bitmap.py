"""Quorums meet in an honest seat, and a bitmap has one spelling."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metanode.primitives.bitmap import decode, encode, faults, quorum


@pytest.mark.parametrize("seats", range(1, 201))
def test_two_quorums_share_an_honest_seat_and_the_honest_make_one(seats: int) -> None:
    assert 2 * quorum(seats) - seats >= faults(seats) + 1
    assert quorum(seats) <= seats - faults(seats)


@given(st.integers(1, 256).flatmap(lambda n: st.tuples(st.just(n), st.sets(st.integers(0, n - 1)))))
def test_a_set_of_seats_survives(case: tuple[int, set[int]]) -> None:
    seat_count, seats = case
    bitmap = encode(sorted(seats), seat_count)
    assert len(bitmap) == (seat_count + 7) // 8
    assert decode(bitmap, seat_count) == tuple(sorted(seats))
