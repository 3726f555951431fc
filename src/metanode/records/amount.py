"""Amounts of money: unsigned, at most 128 bits, minimal big-endian bytes on the wire."""

from typing import Final

from metanode.primitives.refusal import Refusal, Rejected

AMOUNT_BYTES_MAX: Final = 16
"""An amount fits 128 bits: more than any currency needs, and what contracts and ISO 20022 can carry."""
AMOUNT_MAX: Final = 2 ** (8 * AMOUNT_BYTES_MAX) - 1
"""The largest amount."""


class AmountRefusal(Refusal):
    """Why bytes are not an amount."""

    TOO_LARGE = "amount.too-large"
    """More than 16 bytes, or a number outside 0 … 2^128 - 1."""
    NOT_MINIMAL = "amount.not-minimal"
    """A leading zero byte: the same number has a shorter form."""


def amount_bytes(value: int) -> bytes:
    """BYTES-3. The minimal big-endian form; zero is the empty string."""
    if not 0 <= value <= AMOUNT_MAX:
        raise Rejected(AmountRefusal.TOO_LARGE, f"{value} is outside 0 … 2^128 - 1")
    return value.to_bytes((value.bit_length() + 7) // 8, "big")


def amount_value(data: bytes) -> int:
    """BYTES-3. The number, refused when too long or not minimal."""
    if len(data) > AMOUNT_BYTES_MAX:
        raise Rejected(AmountRefusal.TOO_LARGE, f"{len(data)} bytes, at most {AMOUNT_BYTES_MAX}")
    if data[:1] == b"\0":
        raise Rejected(AmountRefusal.NOT_MINIMAL, "leading zero byte")
    return int.from_bytes(data, "big")
