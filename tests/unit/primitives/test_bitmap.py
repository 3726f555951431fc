"""Bitmaps of seats (BLS-B5)."""

import pytest

from metanode.primitives.bitmap import BitmapRefusal, decode, encode, faults, quorum
from metanode.primitives.refusal import Rejected


def test_seat_i_is_bit_i_mod_8_of_byte_i_div_8() -> None:
    assert encode([0], 4) == b"\x01"
    assert encode([0, 9, 7], 10) == b"\x81\x02"
    assert decode(b"\x81\x02", 10) == (0, 7, 9)
    assert encode([], 9) == b"\x00\x00"
    assert decode(b"\x00\x00", 9) == ()


@pytest.mark.parametrize(("data", "seats"), [(b"", 1), (b"\x01\x00", 8), (b"\x01", 9), (b"\x01" * 14, 100)])
def test_another_length_is_refused(data: bytes, seats: int) -> None:
    """A bitmap too short or too long gives one certificate two spellings."""
    with pytest.raises(Rejected) as refused:
        decode(data, seats)
    assert refused.value.reason is BitmapRefusal.WRONG_LENGTH


@pytest.mark.parametrize(("data", "seats"), [(b"\x10", 4), (b"\x80", 7), (b"\x00\x02", 9)])
def test_a_bit_beyond_the_last_seat_is_refused(data: bytes, seats: int) -> None:
    """Bits beyond the last seat give one certificate two spellings."""
    with pytest.raises(Rejected) as refused:
        decode(data, seats)
    assert refused.value.reason is BitmapRefusal.EXCESS_BITS


def test_a_seat_of_another_set_is_a_bug() -> None:
    with pytest.raises(AssertionError):
        encode([4], 4)


def test_quorums_of_small_sets() -> None:
    """Too small for 5, 6, 8 and 9 where 2f + 1 was counted: celo-org/celo-blockchain#253, klaytn/klaytn#1403."""
    assert [(n, quorum(n), faults(n)) for n in range(1, 11)] == [
        (1, 1, 0),
        (2, 2, 0),
        (3, 2, 0),
        (4, 3, 1),
        (5, 4, 1),
        (6, 4, 1),
        (7, 5, 2),
        (8, 6, 2),
        (9, 6, 2),
        (10, 7, 3),
    ]
