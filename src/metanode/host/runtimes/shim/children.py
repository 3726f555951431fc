"""Processes the shim waits for, and the pipes it reads, by the loop."""

import os
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from metanode.host.runtimes.shim import kernel
from metanode.host.runtimes.shim.logfiles import RECORD_BYTES_MAX
from metanode.host.runtimes.shim.loop import Loop

ADOPTION_S: Final = 0.002
"""Between two looks at an ended process that is not yet a child of the shim."""
DRAIN_READS_MAX: Final = 64
"""Reads of a pipe whose writer has ended: more than a pipe can hold."""


class Children:
    """RUN-7. Each child is waited for by a file of its own, so that none is mistaken for another."""

    def __init__(self, loop: Loop) -> None:
        self._loop: Final = loop
        self._waited: Final[set[int]] = set()

    def wait(self, pid: int, ended: Callable[[int], None]) -> None:
        """Call with the wait status when it has ended."""
        pidfd = kernel.pidfd_open(pid)
        self.expect(pid)

        def ready() -> None:
            try:
                reaped, status = os.waitpid(pid, os.WNOHANG)
            except ChildProcessError:  # it ended before the process of crun between it and the shim did
                self._loop.forget(pidfd)
                self._loop.after(ADOPTION_S, lambda: self._loop.watch(pidfd, ready))
                return
            if reaped:  # else it was another file of the same number, closed in this turn
                self._loop.forget(pidfd)
                os.close(pidfd)
                self._waited.discard(pid)
                ended(status)

        self._loop.watch(pidfd, ready)

    def expect(self, pid: int) -> None:
        """Somebody will wait for it: it is no stray."""
        self._waited.add(pid)

    def reap(self, pid: int) -> None:
        """Wait for an expected one that is about to end."""
        os.waitpid(pid, 0)
        self._waited.discard(pid)

    def reap_strays(self) -> None:
        """Orphans of what ran below, whose parent the shim became: nobody waits for them. Not while a container is
        being made by an outside runtime, whose first process arrives the same way.
        """
        while True:
            try:
                found = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            except ChildProcessError:
                return
            if found is None or found.si_pid in self._waited:
                return
            with suppress(ChildProcessError):
                os.waitpid(found.si_pid, 0)


class Pump:
    """RUN-18. What arrives in a pipe goes to `sink`, a chunk at a time; at the end the pipe is closed."""

    def __init__(self, loop: Loop, file: int, sink: Callable[[bytes], None]) -> None:
        self._loop: Final = loop
        self._file = file
        self._sink: Final = sink
        os.set_blocking(file, False)
        loop.watch(file, self._ready)

    @property
    def is_open(self) -> bool:
        """Whether more may come."""
        return self._file >= 0

    def _ready(self) -> None:
        self._read()

    def _read(self) -> bool:
        """One chunk; whether there was one."""
        try:
            data = os.read(self._file, RECORD_BYTES_MAX)
        except BlockingIOError:
            return False
        except OSError:  # the other side of a terminal is gone
            data = b""
        if data:
            self._sink(data)
        else:
            self.close()
        return bool(data)

    def hold(self) -> None:
        """Read nothing for a while: whoever takes it is slow."""
        self._loop.forget(self._file)

    def go_on(self) -> None:
        """Read again."""
        if self.is_open:
            self._loop.watch(self._file, self._ready)

    def drain(self) -> None:
        """What is still in it, and close: its writer has ended."""
        for _ in range(DRAIN_READS_MAX):
            if not self.is_open or not self._read():
                break
        self.close()

    def close(self) -> None:
        """Read no more."""
        if self.is_open:
            self._loop.forget(self._file)
            os.close(self._file)
            self._file = -1
