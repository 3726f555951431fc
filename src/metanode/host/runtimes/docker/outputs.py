"""The log of a container: what its engine keeps of it, copied into files of ours, each record once, whoever copies."""

import asyncio
import hashlib
from collections import Counter, deque
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import BinaryIO, Final

from metanode.host.runtimes.docker.answers import unix_ns
from metanode.host.runtimes.docker.streams import open_stream
from metanode.host.runtimes.logs import LogReader
from metanode.host.runtimes.plan import LogBounds
from metanode.host.runtimes.shim.logfiles import RECORD_BYTES_MAX, STDERR, STDOUT, LogFiles
from metanode.primitives.refusal import Rejected

Record = tuple[int, int, bytes]
"""Time in nanoseconds, stream, bytes."""
WINDOW_NS: Final = 2_000_000_000
"""Records are told apart among those of two seconds: engines take the time before they write, on two threads."""
WINDOW_RECORDS_MAX: Final = 65_536
"""Of them; a container that says more is known by its newest."""
LOOK_EVERY_S: Final = 0.02
"""Between two looks into podman's file."""
LINE_BYTES_MAX: Final = 1 << 20
"""Of one line of podman's file, which conmon cuts at 8 KiB."""
_STREAM_NAMES: Final = {b"stdout": STDOUT, b"stderr": STDERR}


class Copy:
    """DOCKER-3. One container's log. `source`: the engine's records since a time, following or not."""

    def __init__(self, folder: Path, bounds: LogBounds, source: "Callable[[int, bool], AsyncIterator[Record]]") -> None:
        self.folder: Final = folder
        self._log: Final = LogFiles(folder, bounds.file_bytes, bounds.files)
        self._log.resume()
        self._source: Final = source
        self._window: Final[deque[tuple[int, bytes]]] = deque()
        self._since_ns = 0
        self.drained: Final = asyncio.Event()
        """Set when the container has ended and everything it said is here."""
        for record in LogReader(folder, 0).more():
            self._remember(record.time_ns, record.stream, record.data)

    @property
    def log(self) -> LogFiles:
        """The files."""
        return self._log

    async def run(self, ended: Callable[[], Awaitable[None]]) -> None:
        """Copy until the container has ended, then look once more for what the engine wrote last. Raises `Rejected`."""
        await self._copy(follow=True)
        await ended()
        await self._copy(follow=False)
        self.drained.set()

    async def _copy(self, *, follow: bool) -> None:
        here = Counter(self._window)
        async for time_ns, stream, data in self._source(self._since_ns, follow):
            key = _key(time_ns, stream, data)
            if here[key]:
                here[key] -= 1
                continue
            for at in range(0, len(data), RECORD_BYTES_MAX):
                self._log.append(stream, time_ns, data[at : at + RECORD_BYTES_MAX])
            self._remember(time_ns, stream, data)

    def _remember(self, time_ns: int, stream: int, data: bytes) -> None:
        """Keep what may be told again."""
        window = self._window
        window.append(_key(time_ns, stream, data))
        self._since_ns = max(self._since_ns, time_ns - WINDOW_NS)
        if len(window) > WINDOW_RECORDS_MAX:
            self._since_ns = max(self._since_ns, window[0][0] + 1)
        while window and window[0][0] < self._since_ns:
            window.popleft()


def _key(time_ns: int, stream: int, data: bytes) -> tuple[int, bytes]:
    return time_ns, hashlib.blake2b(data, digest_size=16, salt=stream.to_bytes(2, "big")).digest()


def by_api(socket: Path, target: str) -> "Callable[[int, bool], AsyncIterator[Record]]":
    """The log of a container, by the API of dockerd. `target`: the path of the container."""

    async def told(since_ns: int, follow: bool) -> AsyncIterator[Record]:  # noqa: FBT001 - a source's
        since = f"{since_ns // 1_000_000_000}.{since_ns % 1_000_000_000:09d}"
        query = f"stdout=1&stderr=1&timestamps=1&follow={int(follow)}&since={since}"
        stream = await open_stream(socket, "GET", f"{target}/logs?{query}")
        time_ns = since_ns
        try:
            async for number, data in stream.frames():
                stamp, _, said = data.partition(b" ")
                try:
                    time_ns = unix_ns(str(stamp, "ascii", "replace"))
                except Rejected:
                    said = data  # the rest of a long line
                if time_ns >= since_ns:
                    yield time_ns, number or STDOUT, said
        finally:
            stream.close()

    return told


def by_file(path: Path, over: asyncio.Event) -> "Callable[[int, bool], AsyncIterator[Record]]":
    """Podman's log of a container, from conmon's file: its API leaves out fractions of seconds, and looks four times in
    one. `over`: the container has ended. A file that turned is read to its end, then the one that took its name."""

    async def told(since_ns: int, follow: bool) -> AsyncIterator[Record]:  # noqa: FBT001 - a source's
        tail = _Tail(path)
        try:
            while True:
                last = not follow or over.is_set()
                for record in tail.records():
                    if record[0] >= since_ns:
                        yield record
                if last:
                    return
                await asyncio.sleep(LOOK_EVERY_S)
        finally:
            tail.close()

    return told


class _Tail:
    """A file that grows and turns."""

    def __init__(self, path: Path) -> None:
        self._path: Final = path
        self._file: BinaryIO | None = None
        self._inode = 0
        self._held = b""

    def records(self) -> "list[Record]":
        """What has come since the last look."""
        found = self._read()
        if self._turned():
            found += self._read()
            self.close()
            found += self._read()
        return found

    def _turned(self) -> bool:
        try:
            return self._file is not None and self._path.stat().st_ino != self._inode
        except OSError:
            return False

    def _read(self) -> "list[Record]":
        if self._file is None:
            try:
                self._file = self._path.open("rb")
            except OSError:
                return []
            self._inode, self._held = self._path.stat().st_ino, b""
        *lines, self._held = (self._held + self._file.read(LINE_BYTES_MAX)).split(b"\n")
        if len(self._held) > LINE_BYTES_MAX:
            self._held = b""
        return [record for line in lines if (record := line_record(line)) is not None]

    def close(self) -> None:
        """No more of this file."""
        if self._file is not None:
            self._file.close()
            self._file = None


def line_record(line: bytes) -> Record | None:
    """A line of conmon's file: time, stream, F or P (whole or partial), bytes. `None` for what is none."""
    stamp, _, rest = line.partition(b" ")
    name, _, rest = rest.partition(b" ")
    kind, _, said = rest.partition(b" ")
    if name not in _STREAM_NAMES or kind not in {b"F", b"P"}:
        return None
    try:
        time_ns = unix_ns(str(stamp, "ascii", "replace"))
    except Rejected:
        return None
    return time_ns, _STREAM_NAMES[name], said + (b"\n" if kind == b"F" else b"")
