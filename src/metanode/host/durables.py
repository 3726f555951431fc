"""What a node writes down: journal, block log, store, in the order that makes a power cut harmless."""

from collections.abc import Mapping
from time import perf_counter
from typing import Final

from metanode.host.metrics import Metrics
from metanode.host.opening import Opened

PRUNE_EVERY_BLOCKS: Final = 256
"""Old blocks are dropped in steps of at least this many: whole segments go at once."""


class Durables:
    """The disk of one node, in the loop's own thread: an append and its fdatasync take less than handing them over."""

    def __init__(self, opened: Opened, metrics: Metrics, retention_blocks: int) -> None:
        self._journal: Final = opened.journal
        self._blocks: Final = opened.blocks
        self._store: Final = opened.store
        self._metrics: Final = metrics
        self._retention_blocks: Final = retention_blocks

    def journal(self, records: list[bytes]) -> None:
        """DISK-1. Return when the records are durable."""
        began = perf_counter()
        self._journal.append(records)
        self._metrics.journalled(perf_counter() - began)

    def checkpoint(self, records: tuple[bytes, ...]) -> None:
        """DISK-7. Blocks, then state, durable; only then the journal begins anew."""
        began = perf_counter()
        self._blocks.sync()
        self._store.flush()
        self._journal.begin_segment(records)
        self._metrics.checkpointed(perf_counter() - began)

    def close_cleanly(self) -> None:
        """DISK-7. A graceful stop: blocks and state durable; the journal stays as it is."""
        self._blocks.sync()
        self._store.flush()

    def append_block(self, height: int, block: bytes) -> None:
        """Append to the block log; from time to time drop what retention allows."""
        if self._blocks.last and height > self._blocks.last + 1:
            self._blocks.restart(height)  # state came by snapshot: the log begins anew above the gap
        self._blocks.append(height, block)
        if self._retention_blocks and height % PRUNE_EVERY_BLOCKS == 0:
            self._blocks.prune(height - self._retention_blocks)

    def write_store(self, height: int, rows: Mapping[bytes, bytes | None]) -> None:
        """DISK-8. One atomic batch."""
        del height
        self._store.write(rows)
