"""The log of a pod, copied to this machine while it is written: bounded, chained, and there when the pod is gone."""

import shutil
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from metanode.host.runtimes.kubernetes.access import Api, ApiFailure, Stream
from metanode.host.runtimes.kubernetes.pods import CONTAINER
from metanode.host.runtimes.kubernetes.reading import time_ns
from metanode.host.runtimes.logs import LogReader
from metanode.host.runtimes.plan import LogBounds
from metanode.host.runtimes.shim.logfiles import GENESIS, RECORD_BYTES_MAX, STDOUT, LogFiles
from metanode.host.runtimes.states import LogMark
from metanode.primitives.refusal import Rejected

AGAIN_S: Final = 0.2
"""Between two requests for a log that ended while its container goes on."""
TRIES: Final = 3
"""For a log that is not to be had although the container has ended."""
NOTHING: Final = LogMark(0, 0, 0, GENESIS.hex())
"""The mark of a log in which nothing is."""
BOUNDS: Final = LogBounds()
"""For a container whose plan this agent has not seen: one that another began."""


def mark_of(folder: Path) -> LogMark:
    """The mark of a log that an earlier agent copied."""
    end, first, digest = 0, -1, GENESIS.hex()
    for record in LogReader(folder, 0).more():
        end, digest = record.next, record.digest
        first = record.offset if first < 0 else first
    return LogMark(end, max(first, 0), 0, digest)


class LogCopy:
    """KUBE-9. Follows one log by a thread of its own. One record is one line, with the time the node gave it: who reads
    the same log again gets the same chain."""

    def __init__(self, api: Api, path: str, folder: Path, bounds: LogBounds, has_ended: Callable[[], bool]) -> None:
        """`path`: of the pod's log at the API server."""
        self._api: Final = api
        self._path: Final = path
        self._folder: Final = folder
        self._bounds: Final = bounds
        self._has_ended: Final = has_ended
        self._files: LogFiles | None = None
        self._writing: Final = threading.Lock()  # a record that can be read is in the mark
        self._found: Final = mark_of(folder)
        self._over: Final = threading.Event()
        self._stream: Stream | None = None
        self._last = (0, 0)  # time of the last record, and how many have it
        self.done: Final = threading.Event()
        self._thread: Final = threading.Thread(target=self._run, name="copy-log", daemon=True)

    def begin(self) -> None:
        """Begin to copy."""
        self._thread.start()

    def end(self) -> None:
        """Copy no more."""
        self._over.set()
        if self._stream is not None:
            self._stream.close()
        self._thread.join()

    def mark(self) -> LogMark:
        """How far it is: never behind what can be read."""
        with self._writing:
            return self._found if self._files is None else self._files.mark()

    def _run(self) -> None:
        failures = 0
        try:
            while not self._over.is_set():
                was_over = self._has_ended()
                try:
                    self._follow()
                except (ApiFailure, Rejected, OSError):
                    failures += was_over
                    if failures >= TRIES:
                        return
                else:
                    if was_over:
                        return
                self._over.wait(AGAIN_S)
        finally:
            if self._files is not None:
                self._files.close()
            self.done.set()

    def _follow(self) -> None:
        """Everything since the last record, until the server ends it."""
        query: dict[str, Any] = {"container": CONTAINER, "follow": True, "timestamps": True}
        if self._last[0]:
            since = datetime.fromtimestamp(self._last[0] // 1_000_000_000, UTC)
            query["sinceTime"] = since.strftime("%Y-%m-%dT%H:%M:%SZ")
        stream = self._stream = self._api.stream(self._path, query, None)
        if self._over.is_set():
            stream.close()
        if self._files is None:  # what an earlier agent copied stays until there is another source
            shutil.rmtree(self._folder, ignore_errors=True)
            self._files = LogFiles(self._folder, self._bounds.file_bytes, self._bounds.files)
        seen, held, in_line = (0, 0), b"", False
        for data in stream.chunks():
            *lines, held = (held + data).split(b"\n")
            for line in lines:
                seen = self._take(line + b"\n", seen, in_line=in_line)
                in_line = False
            if len(held) > RECORD_BYTES_MAX:
                seen, held, in_line = self._take(held, seen, in_line=in_line), b"", True
        if held:
            self._take(held, seen, in_line=in_line)

    def _take(self, line: bytes, seen: tuple[int, int], *, in_line: bool) -> tuple[int, int]:
        """Write one line, or the next part of a long one, if it is new. Returns the time of the last line of this
        request, and how many have it. A line without a time is the kubelet's own word, not the container's."""
        at, said = seen[0], line
        if not in_line:
            stamp, _, said = line.partition(b" ")
            try:
                at = time_ns(stamp.decode())
            except ValueError:
                return seen
        seen = (at, seen[1] + 1) if at == seen[0] else (at, 1)
        if seen <= self._last:
            return seen
        assert self._files is not None, "opened before anything is taken"
        for start in range(0, len(said), RECORD_BYTES_MAX):
            with self._writing:
                self._files.append(STDOUT, at, said[start : start + RECORD_BYTES_MAX])
        self._last = seen
        return seen
