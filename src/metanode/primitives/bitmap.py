"""Bitmaps of seats and the two numbers every quorum system rests on."""

from collections.abc import Iterable

from metanode.primitives.refusal import Refusal, Rejected


class BitmapRefusal(Refusal):
    """Why bytes are not the bitmap of a set of this size."""

    WRONG_LENGTH = "bitmap.wrong-length"
    """Not exactly ceil(n/8) bytes."""
    EXCESS_BITS = "bitmap.excess-bits"
    """A bit beyond the last seat is set."""


def quorum(seat_count: int) -> int:
    """BLS-Q1. ceil(2n/3): any two quorums share an honest seat, and the honest seats alone make one."""
    return -(-2 * seat_count // 3)


def faults(seat_count: int) -> int:
    """BLS-Q2. floor((n-1)/3): how many seats may lie."""
    return (seat_count - 1) // 3


def encode(seats: Iterable[int], seat_count: int) -> bytes:
    """BLS-B5. The bitmap with these seats: seat i is bit i mod 8 of byte i div 8."""
    bitmap = bytearray(-(-seat_count // 8))
    for seat in seats:
        assert 0 <= seat < seat_count, "a seat of another set"
        bitmap[seat >> 3] |= 1 << (seat & 7)
    return bytes(bitmap)


def decode(bitmap: bytes, seat_count: int) -> tuple[int, ...]:
    """BLS-B5. The seats in order. Raises `Rejected` with a `BitmapRefusal`."""
    if len(bitmap) != -(-seat_count // 8):
        raise Rejected(BitmapRefusal.WRONG_LENGTH, f"{len(bitmap)} bytes for {seat_count} seats")
    if int.from_bytes(bitmap, "little") >> seat_count:
        raise Rejected(BitmapRefusal.EXCESS_BITS, f"a bit beyond seat {seat_count - 1}")
    return tuple(i for i in range(seat_count) if bitmap[i >> 3] >> (i & 7) & 1)
