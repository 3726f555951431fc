"""One thread that waits: files that become ready, and moments."""

import heapq
import select
import time
from collections.abc import Callable
from itertools import count
from typing import Final

Callback = Callable[[], None]


class Loop:
    """RUN-7. Calls back what was registered, one at a time; a callback that raises ends the shim, as it should."""

    def __init__(self) -> None:
        self._poll: Final = select.epoll()
        self._files: Final[dict[int, tuple[Callback, Callback]]] = {}
        self._moments: Final[list[tuple[float, int, Callback]]] = []
        self._order: Final = count()
        self.running = True

    def watch(self, file: int, readable: Callback, writable: Callback | None = None) -> None:
        """Call when a file has something to read (or its end), and, where asked, when it takes something."""
        mask = select.EPOLLIN | (select.EPOLLOUT if writable else 0)
        if file in self._files:
            self._poll.modify(file, mask)
        else:
            self._poll.register(file, mask)
        self._files[file] = (readable, writable or readable)

    def forget(self, file: int) -> None:
        """Call no more; before the file is closed."""
        if self._files.pop(file, None):
            self._poll.unregister(file)

    def after(self, seconds: float, callback: Callback) -> None:
        """Call once, later."""
        heapq.heappush(self._moments, (time.monotonic() + seconds, next(self._order), callback))

    def run(self) -> None:
        """Until `running` is false."""
        while self.running:
            self.turn()

    def turn(self) -> None:
        """Wait for the next thing, and do what is due."""
        wait = max(0.0, self._moments[0][0] - time.monotonic()) if self._moments else -1
        for file, events in self._poll.poll(wait):
            readable, writable = self._files.get(file, (None, None))
            if readable is not None and events & ~select.EPOLLOUT:
                readable()
            if events & select.EPOLLOUT and file in self._files and writable is not None:
                self._files[file][1]()
        while self._moments and self._moments[0][0] <= time.monotonic():
            heapq.heappop(self._moments)[2]()
