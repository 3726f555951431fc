"""What nodes say to each other about the blocks they have."""

from typing import Final, TypeAlias

from metanode.primitives.codec import Decoder, Wire

ANSWER_BYTES_MAX: Final = 4 << 20
"""Bytes of blocks in one answer, unless a single block has more: a few answers fill a link, none holds up the next."""
RANGE_BLOCKS_MAX: Final = 64
"""Blocks asked for at once."""
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


Message: TypeAlias = Head | WantBlocks | Blocks
MESSAGES: Final = Decoder[Message](Message, MESSAGE_BYTES_MAX)
