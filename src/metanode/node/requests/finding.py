"""Finding what is asked for, or saying why it cannot be had: heights, blocks, sets, accounts, cursors."""

from typing import Final

from metanode.api.errors import ApiRefusal
from metanode.node.desk import Desk
from metanode.node.rows import IDENTITY, place_of
from metanode.node.shelf import FiledBlock
from metanode.primitives.names import Address
from metanode.primitives.refusal import Rejected
from metanode.records.address import PREFIX, read_address
from metanode.records.validators import ValidatorSet

READ_BYTES_MAX: Final = 32 << 20
"""A page ends early after so many bytes of blocks were read: some ten milliseconds from a warm disk."""
INDEX_MAX: Final = 999_999_999
"""Largest index of a cursor: behind everything in a block."""


def height_asked(desk: Desk, height: int) -> int:
    """A height of a final block; 0 means the last. Raises `Rejected` with `BEYOND_HEAD`."""
    last = desk.tip.height
    if not 0 < (found := height or last) <= last:
        raise Rejected(ApiRefusal.BEYOND_HEAD, f"height {height or 1}, the last final one is {last}")
    return found


def block_at(desk: Desk, height: int) -> FiledBlock:
    """The block of a final height. Raises `Rejected` with `PRUNED`."""
    filed = desk.shelf.block(height)
    if filed is None:
        raise Rejected(ApiRefusal.PRUNED, f"block {height}; kept: {desk.archive.first} … {desk.archive.last}")
    return filed


def receipts_at(desk: Desk, height: int) -> tuple[bytes, ...]:
    """The receipts of a final height. Raises `Rejected` with `PRUNED`."""
    receipts = desk.shelf.receipts(height)
    if receipts is None:
        raise Rejected(ApiRefusal.PRUNED, f"the receipts of block {height} are not kept")
    return receipts


def set_at(desk: Desk, height: int) -> ValidatorSet:
    """The set that signs a height up to the next one. Raises `Rejected` with `PRUNED`."""
    validators = desk.shelf.validators(height)
    if validators is None:
        raise Rejected(ApiRefusal.PRUNED, f"the set that signed height {height} is not kept")
    return validators


def place_of_identity(desk: Desk, identity: bytes) -> tuple[int, int] | None:
    """(height, index of its receipt) of a final transaction."""
    row = desk.rows.get(IDENTITY + identity)
    return place_of(row) if row is not None else None


def account_named(desk: Desk, text: str) -> Address:
    """An account by its address, or by the name genesis gives it. Raises `Rejected`."""
    for account in desk.genesis.accounts:
        if account.name == text:
            return Address(account.address)
    if not text.startswith(PREFIX + "1"):
        raise Rejected(ApiRefusal.NOT_FOUND, f"genesis names no account {text!r}")
    try:
        return read_address(text)
    except Rejected as rejected:
        raise Rejected(ApiRefusal.INVALID_ARGUMENTS, f"account {text!r}: {rejected.detail}") from None


def account_names(desk: Desk) -> dict[bytes, str]:
    """The names genesis gives, by address."""
    return {account.address: account.name for account in desk.genesis.accounts}


def read_place(cursor: str) -> tuple[int, int]:
    """The `height:index` of a cursor. Raises `Rejected` with `INVALID_ARGUMENTS`."""
    height, colon, index = cursor.partition(":")
    if colon and _is_number(height, 19) and _is_number(index, 9):
        return int(height), int(index)
    raise Rejected(ApiRefusal.INVALID_ARGUMENTS, f"cursor {cursor!r} is not height:index")


def read_number(cursor: str) -> int:
    """A cursor that is a number. Raises `Rejected` with `INVALID_ARGUMENTS`."""
    if not _is_number(cursor, 19):
        raise Rejected(ApiRefusal.INVALID_ARGUMENTS, f"cursor {cursor!r} is not a number")
    return int(cursor)


def _is_number(text: str, digits_max: int) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= digits_max
