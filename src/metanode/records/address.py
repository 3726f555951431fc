"""Addresses of accounts: 20 bytes of a tagged digest, shown as bech32m with prefix `bpi` (BIP-350)."""

from functools import lru_cache
from typing import Final

from metanode.primitives.digest import Tag, digest
from metanode.primitives.names import Address
from metanode.primitives.refusal import Refusal, Rejected

ADDRESS_BYTES: Final = 20
"""Enough against second preimages; the same width as on Ethereum, so that contracts can carry it."""
PREFIX: Final = "bpi"
"""Human-readable part of every shown address."""
SHOWN_REMEMBERED: Final = 16_384
"""Texts remembered: pages and streams show the same accounts again and again, and a checksum takes tens of µs."""

_CHARSET: Final = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_BECH32M: Final = 0x2BC830A3
_GENERATORS: Final = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)
_TEXT_MAX: Final = 90


class AddressRefusal(Refusal):
    """Why text or bytes are not an address."""

    WRONG_LENGTH = "address.wrong-length"
    """Not 20 bytes."""
    WRONG_PREFIX = "address.wrong-prefix"
    """Not the prefix `bpi`."""
    BAD_CHARACTER = "address.bad-character"
    """A character outside the bech32 alphabet, or mixed case."""
    BAD_CHECKSUM = "address.bad-checksum"
    """The checksum does not fit: mistyped."""


def address_of_key(public_key: bytes) -> Address:
    """LEDGER-A1. The address of the 1-of-1 account of an Ed25519 key (32 bytes)."""
    return Address(digest(Tag.ADDRESS, b"\x01", public_key)[:ADDRESS_BYTES])


def _combined(top: int) -> int:
    """What the generators of the bits of `top` come to."""
    total = 0
    for bit, generator in enumerate(_GENERATORS):
        if (top >> bit) & 1:
            total ^= generator
    return total


_COMBINED: Final = tuple(_combined(top) for top in range(32))


def _polymod(values: list[int]) -> int:
    checksum = 1
    for value in values:
        checksum = (checksum & 0x1FFFFFF) << 5 ^ value ^ _COMBINED[checksum >> 25]
    return checksum


_EXPANDED: Final = [ord(c) >> 5 for c in PREFIX] + [0] + [ord(c) & 31 for c in PREFIX]


def show_address(address: bytes) -> str:
    """The bech32m text of 20 bytes."""
    if len(address) != ADDRESS_BYTES:
        raise Rejected(AddressRefusal.WRONG_LENGTH, f"{len(address)} bytes, must be {ADDRESS_BYTES}")
    return _shown(address)


@lru_cache(maxsize=SHOWN_REMEMBERED)
def _shown(address: bytes) -> str:
    number = int.from_bytes(address, "big")
    words = [(number >> (5 * (31 - i))) & 31 for i in range(32)]
    check = _polymod(_EXPANDED + words + [0] * 6) ^ _BECH32M
    words += [(check >> (5 * (5 - i))) & 31 for i in range(6)]
    return PREFIX + "1" + "".join(_CHARSET[w] for w in words)


def read_address(text: str) -> Address:
    """The 20 bytes of a bech32m text. Raises `Rejected` with an `AddressRefusal`."""
    if len(text) > _TEXT_MAX:
        raise Rejected(AddressRefusal.WRONG_LENGTH, f"{len(text)} characters")
    if text != text.lower():
        raise Rejected(AddressRefusal.BAD_CHARACTER, "addresses are lower case")
    prefix, separator, data = text.rpartition("1")
    if prefix != PREFIX or not separator:
        raise Rejected(AddressRefusal.WRONG_PREFIX, f"must start with {PREFIX}1")
    if any(c not in _CHARSET for c in data):
        raise Rejected(AddressRefusal.BAD_CHARACTER, "not in the bech32 alphabet")
    words = [_CHARSET.index(c) for c in data]
    if len(words) != 38:
        raise Rejected(AddressRefusal.WRONG_LENGTH, f"{len(words)} characters after the prefix, must be 38")
    if _polymod(_EXPANDED + words) != _BECH32M:
        raise Rejected(AddressRefusal.BAD_CHECKSUM, "mistyped")
    number = 0
    for word in words[:32]:
        number = number << 5 | word
    return Address(number.to_bytes(ADDRESS_BYTES, "big"))
