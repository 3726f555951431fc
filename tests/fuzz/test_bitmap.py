"""Arbitrary bytes end in seats that encode to the same bytes, or in a refusal."""

from contextlib import suppress

from hypothesis import given
from hypothesis import strategies as st

from metanode.primitives.bitmap import decode, encode
from metanode.primitives.refusal import Rejected


@given(st.binary(max_size=40), st.integers(1, 300))
def test_any_bytes_end_in_seats_or_a_refusal(data: bytes, seat_count: int) -> None:
    with suppress(Rejected):
        assert encode(decode(data, seat_count), seat_count) == data
