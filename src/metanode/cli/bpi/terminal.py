"""The terminal of whoever runs a command: raw while somebody else's program has it, as it was before afterwards."""

import os
import select
import signal
import sys
import termios
import threading
import tty
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

from metanode.api.exits import ExitStatus
from metanode.cli.failure import CliRefusal, Failure

INPUT_BYTES: Final = 64 << 10
"""One piece of what is typed, or comes through a pipe."""


def check_terminal() -> None:
    """Raises `Failure` where standard input is none."""
    if not os.isatty(sys.stdin.fileno()):
        raise Failure(CliRefusal.USAGE, ExitStatus.USAGE, "standard input is no terminal", fix="leave out --tty")


def size() -> tuple[int, int]:
    """Rows and columns."""
    found = os.get_terminal_size(sys.stdin.fileno())
    return max(1, found.lines), max(1, found.columns)


@contextmanager
def raw(resized: Callable[[int, int], None]) -> Iterator[None]:
    """Every key goes through as it is, Ctrl-C too; `resized` hears of every change of the size, and of the first."""
    file = sys.stdin.fileno()
    before = termios.tcgetattr(file)
    heard = signal.signal(signal.SIGWINCH, lambda *_: resized(*size()))
    try:
        tty.setraw(file)
        resized(*size())
        yield
    finally:
        signal.signal(signal.SIGWINCH, heard)
        termios.tcsetattr(file, termios.TCSADRAIN, before)


@contextmanager
def typed(give: Callable[[bytes], None], end: Callable[[], None]) -> Iterator[None]:
    """What comes on standard input is given on, in a thread, as long as this is open; `end`: there is no more."""
    file = sys.stdin.fileno()
    stop, stopper = os.pipe()

    def carry() -> None:
        while True:
            ready, _, _ = select.select([file, stop], [], [])
            if stop in ready:
                return
            data = os.read(file, INPUT_BYTES)
            if not data:
                end()
                return
            give(data)

    thread = threading.Thread(target=carry, name="typed", daemon=True)
    thread.start()
    try:
        yield
    finally:
        os.write(stopper, b"x")
        thread.join(1.0)
        for one in (stop, stopper):
            os.close(one)


def put(stream: int, data: bytes) -> None:
    """What a program said, as it said it: 1 to standard output, 2 to standard error."""
    target: Any = sys.stdout if stream == 1 else sys.stderr
    target.buffer.write(data)
    target.flush()
