"""The log of a container, read from the files the shim writes, each record checked against the chain of digests."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Final

from metanode.host.runtimes.driver import LogRecord
from metanode.host.runtimes.shim.logfiles import FILE_HEADER, MAGIC, chained, records

LOOK_EVERY_S: Final = 0.02
"""Between two looks for what was added."""
READ_BYTES: Final = 256 << 10
"""One read; more than the largest record."""


class LogReader:
    """RUN-18. Reads on from an offset. What was rotated away meanwhile is left out: offsets tell."""

    def __init__(self, folder: Path, since: int) -> None:
        self._folder: Final = folder
        self._since: Final = since
        self._base = -1
        self._at = 0
        self._held = b""
        self._digest = b""

    def more(self) -> Iterator[LogRecord]:
        """What has been added and not been read."""
        while True:
            if self._base < 0 and not self._open():
                return
            yield from self._read()
            following = self._next_base()
            if following < 0:
                return
            yield from self._read()  # what was added between the read and the rotation
            self._base = -1 if not self._enter(following) else self._base

    def _bases(self) -> list[int]:
        try:
            return sorted(int(path.stem) for path in self._folder.glob("*.log"))
        except OSError:
            return []

    def _open(self) -> bool:
        """The last file that begins at or before the offset, else the first there is."""
        bases = self._bases()
        fitting = [base for base in bases if base <= self._since]
        return bool(bases) and self._enter(fitting[-1] if fitting else bases[0])

    def _next_base(self) -> int:
        return next((base for base in self._bases() if base > self._base), -1)

    def _enter(self, base: int) -> bool:
        try:
            with self._path(base).open("rb") as file:
                head = file.read(FILE_HEADER.size)
        except OSError:
            return False
        if len(head) < FILE_HEADER.size:
            return False
        magic, offset, digest = FILE_HEADER.unpack(head)
        if magic != MAGIC or offset != base:
            return False
        self._base, self._at, self._held, self._digest = base, 0, b"", digest
        return True

    def _path(self, base: int) -> Path:
        return self._folder / f"{base:020d}.log"

    def _read(self) -> Iterator[LogRecord]:
        try:
            with self._path(self._base).open("rb") as file:
                file.seek(FILE_HEADER.size + self._at + len(self._held))
                while data := file.read(READ_BYTES):
                    self._held += data
                    yield from self._complete()
        except OSError:
            return

    def _complete(self) -> Iterator[LogRecord]:
        for time_ns, stream, data, whole in records(self._held):
            offset = self._base + self._at
            self._at += len(whole)
            self._digest = chained(self._digest, whole)
            if offset >= self._since:
                yield LogRecord(offset, offset + len(whole), time_ns, stream, data, self._digest.hex())
        left = sum(len(whole) for *_, whole in records(self._held))
        self._held = self._held[left:]


async def read_log(
    folder: Path, since: int, has_ended: Callable[[], Awaitable[bool]] | None
) -> AsyncIterator[LogRecord]:
    """Records from an offset on. `has_ended`: follow until it says so; without it, what is there now."""
    reader = LogReader(folder, since)
    while True:
        over = has_ended is None or await has_ended()
        for record in reader.more():
            yield record
        if over:
            return
        await asyncio.sleep(LOOK_EVERY_S)
