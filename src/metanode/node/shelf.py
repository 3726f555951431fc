"""Final blocks, their receipts and the sets that signed them: read and opened once for many questions about them."""

from bisect import bisect_right
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import msgspec

from metanode.node.rows import RECEIPT_LISTS, RECEIPTS, SET, height_key
from metanode.node.storage import Archive, Rows
from metanode.records.block import Body
from metanode.records.commit import BlsCommit
from metanode.records.header import Header, read_header
from metanode.records.validators import VALIDATOR_LISTS, ValidatorSet

SHELF_BLOCKS_MAX: Final = 4
"""Blocks and lists of receipts kept open: everybody asks about the last ones, and a full one is some megabytes."""
SHELF_SETS_MAX: Final = 16
"""Validator sets kept decoded: a page of blocks rarely spans more changes."""


class _Outline(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A `FinalBlock` whose body is not looked at yet."""

    version: int
    header: bytes
    commit: BlsCommit
    body: msgspec.Raw


_OUTLINES: Final = msgspec.msgpack.Decoder(_Outline)
_BODIES: Final = msgspec.msgpack.Decoder(Body)


@dataclass(frozen=True)
class FiledBlock:
    """A final block out of this node's own log: it was judged before it was appended, so that it is only decoded."""

    encoded: bytes

    @cached_property
    def _outline(self) -> _Outline:
        return _OUTLINES.decode(self.encoded)

    @cached_property
    def header(self) -> Header:
        """The decoded header."""
        return read_header(self._outline.header)

    @property
    def commit(self) -> BlsCommit:
        """The certificate that made it final."""
        return self._outline.commit

    @cached_property
    def body(self) -> Body:
        """What the header's roots commit to."""
        return _BODIES.decode(self._outline.body)


class Shelf:
    """What is known for ever once a block is final. Heights asked for must not be above the next one to be decided."""

    def __init__(self, rows: Rows, archive: Archive) -> None:
        self._rows: Final = rows
        self._archive: Final = archive
        self._blocks: Final[dict[int, FiledBlock]] = {}
        self._receipts: Final[dict[int, tuple[bytes, ...]]] = {}
        self._sets: Final[dict[int, ValidatorSet]] = {}
        self._changes: Final[list[int]] = []
        self._changes_known_to = 0

    def block(self, height: int) -> FiledBlock | None:
        """A final block, `None` where it is not kept."""
        filed = self._blocks.get(height)
        if filed is None:
            encoded = self._archive.block(height)
            if encoded is None:
                return None
            filed = self._blocks[height] = FiledBlock(encoded)
            if len(self._blocks) > SHELF_BLOCKS_MAX:
                del self._blocks[next(iter(self._blocks))]
        return filed

    def receipts(self, height: int) -> tuple[bytes, ...] | None:
        """The bytes of each receipt of a final block, in order, `None` where they are not kept."""
        receipts = self._receipts.get(height)
        if receipts is None:
            row = self._rows.get(height_key(RECEIPTS, height))
            if row is None:
                return None
            receipts = self._receipts[height] = RECEIPT_LISTS.decode(row)
            if len(self._receipts) > SHELF_BLOCKS_MAX:
                del self._receipts[next(iter(self._receipts))]
        return receipts

    def set_changes(self, height: int) -> list[int]:
        """The heights from which another list of validators signs, up to this height, ascending; 1 is the first."""
        if height > self._changes_known_to:
            start = height_key(SET, self._changes[-1] + 1 if self._changes else 0)
            for key, _ in self._rows.scan(SET, start):
                self._changes.append(int.from_bytes(key[len(SET) :], "big"))
            self._changes_known_to = height
        return self._changes[: bisect_right(self._changes, height)]

    def validators(self, height: int) -> ValidatorSet | None:
        """The set that signs a height, `None` where it is not kept."""
        changes = self.set_changes(height)
        if not changes:
            return None
        change = changes[-1]
        validators = self._sets.get(change)
        if validators is None:
            row = self._rows.get(height_key(SET, change))
            assert row is not None, "a set is never deleted"
            validators = self._sets[change] = ValidatorSet(VALIDATOR_LISTS.decode(row).validators)
            if len(self._sets) > SHELF_SETS_MAX:
                del self._sets[next(iter(self._sets))]
        return validators
