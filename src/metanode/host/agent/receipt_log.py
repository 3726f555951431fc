"""The receipts of a node: an append-only log of signed entries, each durable before anybody hears of it."""

import fcntl
import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import Final

from metanode.docklock.receipts import (
    NO_ENTRIES,
    Author,
    Happening,
    Sign,
    Tip,
    after,
    author_of,
    batch_of,
    check_link,
    check_signature,
    workload_receipt_file,
    write_entry,
)
from metanode.host.block_log import BlockLog, LogKind
from metanode.host.disk import FILE_MODE, Disk, read_file, write_durably
from metanode.host.fault import Fault, FaultReason, disk_fault
from metanode.primitives.codec import encode
from metanode.primitives.digest import Tag
from metanode.primitives.names import Hash
from metanode.primitives.refusal import Rejected
from metanode.records.cluster import RECEIPTS_MAX, ReceiptBatch
from metanode.records.workload_receipt import SIGNED_ENTRIES, SignedEntry

DROPPED: Final = "dropped"
"""File beside the log: when entries were dropped last, in milliseconds."""
RECEIPTS_BYTES_MIN: Final = 192 << 20
"""Least that a log may be bounded by: files of 64 MiB are dropped as a whole, and the last two stay."""
RECEIPTS_BYTES_USUAL: Final = 1 << 30
"""Most bytes of entries that a node keeps where nothing else is said: about one and a half million."""
LOOKED_BACK_MAX: Final = 16_384
"""Entries looked through for the last one about a container: a second at most, for each that an agent clears away."""
READ_MAX: Final = 1_024
"""Most entries that one `read` returns: 4 MiB."""


def _fix(folder: Path) -> str:
    return f"let the node join under a new account, with an empty log; keep {folder}: what is whole in it still proves"


RECEIPTS: Final = LogKind(Tag.RECEIPT_LOG, ".receipts", "receipt", 0, FaultReason.RECEIPTS_DAMAGED, _fix)
"""Signed entries by number."""


class ReceiptLog:
    """WREC-15. The entries of one author. One process, one thread at a time; `sign` is by the author's key.

    `salt` gives so many fresh random bytes. `cut_bytes`: what of an unacknowledged end was cut at opening.
    `dropped_ms`: when entries below the first were dropped, 0 where none were.
    """

    def __init__(self, folder: Path, disk: Disk, salt: Callable[[int], bytes], author: Author, sign: Sign) -> None:
        """WREC-16. Open, or make where there is none. Raises `Fault`."""
        self._folder = folder
        self._disk = disk
        self._author = author
        self._sign = sign
        self._stopped = ""
        disk.make_folder(folder)
        self._lock = _locked(folder / "lock")
        try:
            self._log = BlockLog(folder, disk, salt, RECEIPTS)
            self._tip = self._resume()
        except BaseException:
            os.close(self._lock)
            raise
        self.cut_bytes = self._log.cut_bytes
        dropped = folder / DROPPED
        self.dropped_ms = int(read_file(dropped, 32)) if dropped.exists() else 0

    @property
    def first(self) -> int:
        """The lowest number that is kept."""
        return self._log.first

    @property
    def count(self) -> int:
        """How many entries there are: the number of the next one."""
        return self._tip.number

    def append(self, happenings: Sequence[Happening]) -> tuple[SignedEntry, ...]:
        """WREC-15. Number, chain and sign what happened; durable when this returns. Raises `Rejected` where one of them
        says too little or too much (then none is written), `Fault`; after a fault nothing is appended any more.
        """
        tip, entries = self._tip, []
        for happening in happenings:
            entries.append(write_entry(self._author, tip, happening, self._sign))
            tip = after(entries[-1])
        if not entries:
            return ()
        if self._stopped:
            raise Fault(RECEIPTS.damaged, f"nothing can be appended: {self._stopped}", "start the agent again")
        try:
            for signed in entries:
                self._log.append(signed.entry.number, encode(signed))
            self._log.sync()
        except Fault as fault:
            self._stopped = str(fault)
            raise
        self._tip = tip
        return tuple(entries)

    def read(self, first: int, count: int = 1) -> tuple[SignedEntry, ...]:
        """The entries from this number on, at most so many and `READ_MAX`; fewer where the log ends. Raises `Fault`."""
        last = min(first + min(count, READ_MAX), self.count)
        return tuple(self._entry(number) for number in range(max(first, self._log.first), last))

    def last_about(self, workload: str, index: int, attempt: int) -> SignedEntry | None:
        """The latest entry about an attempt, looked for among the last ones. Raises `Fault`."""
        for number in range(self.count - 1, max(self.first, self.count - LOOKED_BACK_MAX) - 1, -1):
            signed = self._entry(number)
            if (signed.entry.workload, signed.entry.index, signed.entry.attempt) == (workload, index, attempt):
                return signed
        return None

    def next_batch(self, pinned: int) -> ReceiptBatch:
        """WREC-7. What a report can pin next, where the chain has pinned so many. Raises `Fault`."""
        return batch_of(self.read(pinned, RECEIPTS_MAX))

    def file(self, number: int, batch: ReceiptBatch, chain: bytes) -> bytes:
        """WREC-8. The receipt file of an entry of a batch that was pinned; `chain`: the receipt file of that report.
        Raises `Fault`."""
        return encode(workload_receipt_file(self.read(batch.first, batch.count), number, chain))

    def check_pinned(self, pinned: ReceiptBatch) -> None:
        """WREC-17. The log holds what the chain has pinned last, and thereby all before it. To be asked before anything
        is reported. Raises `Fault`."""
        after_it = pinned.first + pinned.count
        if after_it > self.count:
            detail = (
                f"the chain has pinned {after_it} receipts of {self._author.node}, {self._folder} holds {self.count}"
            )
            raise Fault(FaultReason.RECEIPTS_LOST, detail, _fix(self._folder))
        if pinned.count and pinned.first >= self.first and batch_of(self.read(pinned.first, pinned.count)) != pinned:
            detail = (
                f"receipts {pinned.first} to {after_it - 1} in {self._folder} are not those that the chain has pinned"
            )
            raise Fault(FaultReason.RECEIPTS_LOST, detail, _fix(self._folder))

    def prune(self, bytes_max: int, below: int, now_ms: int) -> None:
        """WREC-22. Drop the oldest entries, whole files of them, while the log is larger and they are all pinned and
        `below` a number. When that was is remembered before they are gone. Raises `Fault`."""
        segments = self._log.segments()
        total, keep_from = sum(size for _, size in segments), self.first
        for (_, size), (following, _) in pairwise(segments):
            if total <= bytes_max or following > below:
                break
            total, keep_from = total - size, following
        if keep_from > self.first:
            write_durably(self._disk, self._folder / DROPPED, str(now_ms).encode())
            self._log.prune(keep_from)
            self.dropped_ms = now_ms

    def verify(self) -> int:
        """WREC-5. Read all, and check every link and signature; how many there are. Slow: some 10,000 a second. Raises
        `Fault`."""
        if self.count > self._log.first:
            self._follow(self._log.first, signed_from=self._log.first)
        return self.count

    def close(self) -> None:
        """Close; every entry is durable already."""
        self._log.close()
        os.close(self._lock)

    def _entry(self, number: int) -> SignedEntry:
        try:
            return SIGNED_ENTRIES.decode(self._log.read(number))
        except Rejected as rejected:
            raise self._damaged(number, str(rejected)) from None

    def _resume(self) -> Tip:
        """WREC-16. Where the log goes on."""
        if self._log.last < self._log.first:
            return NO_ENTRIES
        last = self._entry(self._log.last)
        if author_of(last) != self._author:
            entry = last.entry
            detail = f"{self._folder} is of {entry.node} of {entry.cluster}, account key {last.key.hex()[:16]}…"
            fix = "give this node a folder of its own, or its own key"
            raise Fault(FaultReason.RECEIPTS_OTHER_NODE, detail, fix)
        return self._follow(max(self._log.first, self._log.last + 1 - RECEIPTS_MAX), signed_from=self._log.last)

    def _follow(self, first: int, signed_from: int) -> Tip:
        """WREC-5. From this entry to the last one: every link, and every signature from another one on."""
        tip = Tip(first, Hash(self._entry(first).entry.previous))
        for number in range(first, self._log.last + 1):
            signed = self._entry(number)
            try:
                tip = check_link(self._author, tip, signed)
                if number >= signed_from:
                    check_signature(signed)
            except Rejected as rejected:
                raise self._damaged(number, str(rejected)) from None
        return tip

    def _damaged(self, number: int, detail: str) -> Fault:
        return Fault(FaultReason.RECEIPTS_DAMAGED, f"receipt {number} in {self._folder}: {detail}", _fix(self._folder))


def _locked(path: Path) -> int:
    """WREC-15. One writer: an advisory lock that ends with the process."""
    try:
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, FILE_MODE)
    except OSError as error:
        raise disk_fault(error, f"opening {path}") from error
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(file)
        detail = f"{path.parent} is in use by another process"
        raise Fault(FaultReason.DIRECTORY_LOCKED, detail, "stop the other agent of this node first") from None
    except OSError as error:
        with suppress(OSError):
            os.close(file)
        raise disk_fault(error, f"locking {path}") from error
    return file
