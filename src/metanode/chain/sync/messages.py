"""What nodes say to each other about the blocks they have."""

from typing import Final, TypeAlias

from metanode.primitives.codec import Decoder, Wire
from metanode.records.commit import BlsCommit
from metanode.records.receipt_file import SetChangeStep

ANSWER_BYTES_MAX: Final = 4 << 20
"""Bytes of blocks in one answer, unless a single block has more: a few answers fill a link, none holds up the next."""
RANGE_BLOCKS_MAX: Final = 64
"""Blocks asked for at once."""
PREFIXES_MAX: Final = 65_536
"""Pieces of a snapshot."""
PREFIX_MAX: Final = 64
"""Nibbles of a path."""
MESSAGE_BYTES_MAX: Final = 8 << 20
"""The longest message of the stream: a block of the largest useful size and its envelope."""


class Head(Wire, tag="head"):
    """The heights whose blocks I keep: `first` to `last`, zeros where none."""

    version: int
    first: int
    last: int


class WantBlocks(Wire, tag="want-blocks"):
    """Send so many blocks from this height on."""

    version: int
    first: int
    count: int


class Blocks(Wire, tag="blocks"):
    """Consecutive final blocks, as they are in the block log; fewer than asked for where they are large, none where
    they are not here or too many were asked for lately."""

    version: int
    first: int
    blocks: tuple[bytes, ...]


class WantManifest(Wire, tag="want-manifest"):
    """Offer the snapshot of this height, 0 for the newest, with all set changes above a height that I trust."""

    version: int
    height: int
    above: int


class Manifest(Wire, tag="manifest"):
    """A snapshot: its header and certificate, the set changes that lead to it, the peaks of the history below the
    header, the prefixes of its pieces. All empty where there is none."""

    version: int
    header: bytes
    commit: tuple[BlsCommit, ...]
    set_changes: tuple[SetChangeStep, ...]
    frontier: tuple[bytes, ...]
    prefixes: tuple[bytes, ...]


class WantPiece(Wire, tag="want-piece"):
    """Send the part of the state under a prefix (one byte a nibble) at this height."""

    version: int
    height: int
    prefix: bytes


class StatePiece(Wire, tag="piece"):
    """Keys and values under a prefix, and the bytes of the proof; no proof where the snapshot is not here."""

    version: int
    height: int
    prefix: bytes
    pairs: tuple[tuple[bytes, bytes], ...]
    proof: bytes


Message: TypeAlias = Head | WantBlocks | Blocks | WantManifest | Manifest | WantPiece | StatePiece
MESSAGES: Final = Decoder[Message](Message, MESSAGE_BYTES_MAX)
