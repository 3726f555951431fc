"""How bodies are asked for: by the block's name and a bitmap of positions."""

from typing import Final, TypeAlias

from metanode.primitives.codec import Decoder, Wire
from metanode.records.transaction import TRANSACTION_BYTES_MAX

BODIES_BYTES_MAX: Final = 512 << 10
"""Bytes of transactions in one message: half of a record, so that votes never wait long behind it."""
BODIES_COUNT_MAX: Final = 4_096
"""Transactions in one message: its work is bounded whatever their size."""
MESSAGE_BYTES_MAX: Final = BODIES_BYTES_MAX + TRANSACTION_BYTES_MAX + BODIES_COUNT_MAX * 5 + 256
"""The last transaction may begin below the limit."""


class WantBodies(Wire, tag="want"):
    """Send the transactions at these positions of a block: bit i mod 8 of byte i div 8, one bit a leaf."""

    version: int
    header_hash: bytes
    positions: bytes


class Bodies(Wire, tag="bodies"):
    """Transactions of a block, in any order; none where the sender has none of them."""

    version: int
    header_hash: bytes
    transactions: tuple[bytes, ...]


Message: TypeAlias = WantBodies | Bodies
MESSAGES: Final = Decoder[Message](Message, MESSAGE_BYTES_MAX)


def cut_bodies(header_hash: bytes, transactions: list[bytes]) -> list[Bodies]:
    """PROP-9. As few messages as the limits allow, in order; one empty one where there is nothing."""
    messages = []
    start = size = 0
    for index, encoded in enumerate(transactions):
        if size >= BODIES_BYTES_MAX or index - start >= BODIES_COUNT_MAX:
            messages.append(Bodies(version=1, header_hash=header_hash, transactions=tuple(transactions[start:index])))
            start, size = index, 0
        size += len(encoded)
    messages.append(Bodies(version=1, header_hash=header_hash, transactions=tuple(transactions[start:])))
    return messages
