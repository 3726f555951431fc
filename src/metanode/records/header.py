"""The header of a block: fixed width, big-endian, so that a contract can rebuild it."""

import struct
from dataclasses import dataclass, fields
from functools import cached_property
from hashlib import sha256
from typing import Final

from metanode.primitives.digest import Tag
from metanode.primitives.names import Hash, Height, Millis, Seat
from metanode.primitives.refusal import Refusal, Rejected

_LAYOUT: Final = struct.Struct(">16sH32sQQI" + 12 * "32s")
HEADER_BYTES: Final = _LAYOUT.size
"""Length of every header."""


class HeaderRefusal(Refusal):
    """Why bytes are not a header."""

    WRONG_LENGTH = "header.wrong-length"
    """Not exactly the fixed number of bytes."""
    WRONG_TAG = "header.wrong-tag"
    """Does not begin with the tag of a header."""


@dataclass(frozen=True)
class Header:
    """What becomes final (protocol rule CHAIN-H1). There is no round in it: a block proposed again is the same value.

    `version` is the version of the rules; the roots are counted roots; `state_root` and `receipts_root` are those
    after executing this block.
    """

    version: int
    chain_id: Hash
    height: Height
    timestamp_ms: Millis
    proposer: Seat
    parent_hash: Hash
    last_commit_hash: Hash
    transactions_root: Hash
    openings_root: Hash
    inclusion_root: Hash
    evidence_root: Hash
    state_root: Hash
    receipts_root: Hash
    history_root: Hash
    validators_hash: Hash
    next_validators_hash: Hash
    extensions_root: Hash

    @cached_property
    def encoded(self) -> bytes:
        """CHAIN-H1. The fixed-width bytes, tag included."""
        return _LAYOUT.pack(Tag.HEADER.value, *(getattr(self, name) for name in _NAMES))

    @cached_property
    def hash(self) -> Hash:
        """CHAIN-H2. SHA-256 of the bytes, tag included."""
        return Hash(sha256(self.encoded).digest())


_NAMES: Final = tuple(f.name for f in fields(Header))


def read_header(data: bytes) -> Header:
    """The header of `HEADER_BYTES` bytes. Raises `Rejected` with a `HeaderRefusal`."""
    if len(data) != HEADER_BYTES:
        raise Rejected(HeaderRefusal.WRONG_LENGTH, f"{len(data)} bytes, must be {HEADER_BYTES}")
    tag, *values = _LAYOUT.unpack(data)
    if tag != Tag.HEADER.value:
        raise Rejected(HeaderRefusal.WRONG_TAG, "does not begin with metanode.header1")
    return Header(*values)
