"""The rows of the store: one byte of space, then the key. Everything but state can be made again from the block log."""

from typing import Final

from metanode.primitives.codec import Decoder, Wire
from metanode.records.commit import BlsCommit

STATE: Final = b"s"
"""The replicated state: key of a module → value."""
IDENTITY: Final = b"i"
"""Identity of a transaction (32) → height (8) ‖ index of its receipt (4)."""
RECEIPTS: Final = b"r"
"""Height (8) → the receipts of the block, each as bytes, in order."""
ACCOUNT: Final = b"a"
"""Address (20) ‖ height (8) ‖ index (4) → nothing: which receipts name an account."""
SET: Final = b"v"
"""Height (8) → the validators that sign from this height on; a row only where the set changed."""
HASH: Final = b"n"
"""Height (8) → header hash (32)."""
KEPT: Final = b"k"
"""Height (8) → votes and justifications kept for forensics."""
NOTED: Final = b"w"
"""Height (8) → what was noted beside the votes that are kept."""
TIP: Final = b"mtip"
"""The last block applied: written in the same batch as its state."""


class TipRow(Wire):
    """What recovery starts from: the last applied header, its certificate and the frontier of header hashes."""

    version: int
    height: int
    header: bytes
    commit: tuple[BlsCommit, ...]
    frontier_size: int
    frontier: tuple[bytes, ...]
    history: tuple[bytes, ...]


TIP_ROWS: Final = Decoder[TipRow](TipRow, 1 << 20)
RECEIPT_LISTS: Final = Decoder[tuple[bytes, ...]](tuple[bytes, ...], 1 << 30)


def height_key(space: bytes, height: int) -> bytes:
    """A row by height."""
    return space + height.to_bytes(8, "big")


def place_bytes(height: int, index: int) -> bytes:
    """Where a receipt is: height (8) ‖ index (4)."""
    return height.to_bytes(8, "big") + index.to_bytes(4, "big")


def place_of(row: bytes) -> tuple[int, int]:
    """(height, index) of `place_bytes`."""
    return int.from_bytes(row[:8], "big"), int.from_bytes(row[8:12], "big")
