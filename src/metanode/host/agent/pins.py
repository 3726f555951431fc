"""Which of a node's batches the chain has pinned, each with its proof, kept for whoever asks for receipts."""

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Final

from metanode.host.block_log import BlockLog, LogKind
from metanode.host.disk import Disk
from metanode.host.fault import Fault, FaultReason
from metanode.primitives.codec import encode
from metanode.primitives.digest import Tag
from metanode.primitives.refusal import Rejected
from metanode.records.pinned_batch import PINNED_BATCHES, PinnedBatch

PINS: Final = LogKind(
    Tag.PIN_LOG,
    ".pins",
    "pinned batch",
    0,
    FaultReason.RECEIPTS_DAMAGED,
    lambda folder: f"remove {folder}: the agent asks the chain again",
)
"""Pinned batches, in the order of their entries."""


class PinLog:
    """WREC-20. One owner. What is lost of it can be asked of the chain again: `next_entry` says from where on.

    `height`: of the last one, `last_first`: its first entry; 0 where there is none.
    """

    def __init__(self, folder: Path, disk: Disk, salt: Callable[[int], bytes]) -> None:
        """Open, or make where there is none. Raises `Fault`."""
        self._log: Final = BlockLog(folder, disk, salt, PINS)
        last = self._at(self._log.last) if self._log.last >= self._log.first else None
        self.next_entry = last.batch.first + last.batch.count if last else 0
        self.height = last.height if last else 0
        self.last_first = last.batch.first if last else 0

    def append(self, pinned: PinnedBatch) -> None:
        """Keep one more; durable when this returns. One that says nothing new is left out. Raises `Fault`."""
        after = pinned.batch.first + pinned.batch.count
        if after <= self.next_entry:
            return
        self._log.append(self._log.last + 1, encode(pinned))
        self._log.sync()
        self.next_entry, self.height, self.last_first = after, pinned.height, pinned.batch.first

    def find(self, number: int) -> PinnedBatch | None:
        """The batch that an entry is in, `None` where it is in none that is kept here. Raises `Fault`."""
        low, high = self._log.first, self._log.last
        while low <= high:
            middle = (low + high) // 2
            pinned = self._at(middle)
            if number < pinned.batch.first:
                high = middle - 1
            elif number >= pinned.batch.first + pinned.batch.count:
                low = middle + 1
            else:
                return pinned
        return None

    def prune(self, first: int) -> None:
        """WREC-22. Drop proofs of batches before an entry, whole files of them. Raises `Fault`."""
        keep_from = self._log.first
        for (_, _), (ordinal, _) in pairwise(self._log.segments()):
            if ordinal > self._log.last or self._at(ordinal).batch.first > first:
                break
            keep_from = ordinal
        self._log.prune(keep_from)

    def close(self) -> None:
        """Everything is durable already."""
        self._log.close()

    def _at(self, ordinal: int) -> PinnedBatch:
        try:
            return PINNED_BATCHES.decode(self._log.read(ordinal))
        except Rejected as rejected:
            raise Fault(FaultReason.RECEIPTS_DAMAGED, f"pinned batch {ordinal}: {rejected}", "remove it") from None
