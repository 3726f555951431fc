"""Names of receipts: `rcpt_…` says where in the chain a receipt is, with a checksum against typing mistakes."""

from hashlib import sha256
from typing import Final

from metanode.api.errors import ApiRefusal
from metanode.primitives.refusal import Rejected

PREFIX: Final = "rcpt_"
"""Every name of a receipt begins so."""
INDEX_BITS: Final = 20
"""A block has fewer than 2^20 receipts: transactions, evidence and steps of the system together."""
_ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_TEXT_MAX: Final = 20
_CHECK_CHARACTERS: Final = 3


def _base32(number: int, characters: int) -> str:
    return "".join(_ALPHABET[(number >> (5 * i)) & 31] for i in reversed(range(characters)))


def _check(number: int) -> str:
    digest = sha256(PREFIX.encode() + number.to_bytes(11, "big")).digest()
    return _base32(int.from_bytes(digest[:2], "big"), _CHECK_CHARACTERS)


def receipt_name(height: int, index: int) -> str:
    """HTTP-19. The name of the receipt at this place: Crockford's base 32 of height and index, three to check."""
    assert 0 < height < 1 << 63 and 0 <= index < 1 << INDEX_BITS, "a place in a chain"  # noqa: PT018
    number = height << INDEX_BITS | index
    return PREFIX + _base32(number, (number.bit_length() + 4) // 5) + _check(number)


def read_receipt_name(text: str) -> tuple[int, int]:
    """HTTP-19. The (height, index) of a name. Raises `Rejected` with `INVALID_ARGUMENTS`."""
    body = text.removeprefix(PREFIX)
    if body == text or not _CHECK_CHARACTERS < len(body) <= _TEXT_MAX or any(c not in _ALPHABET for c in body):
        raise Rejected(ApiRefusal.INVALID_ARGUMENTS, f"{text[:80]!r} is not the name of a receipt (rcpt_…)")
    number = 0
    for character in body[:-_CHECK_CHARACTERS]:
        number = number << 5 | _ALPHABET.index(character)
    height, index = number >> INDEX_BITS, number & ((1 << INDEX_BITS) - 1)
    if not 0 < height < 1 << 63 or receipt_name(height, index) != text:
        raise Rejected(ApiRefusal.INVALID_ARGUMENTS, f"{text!r} is mistyped: its checksum does not fit")
    return height, index
