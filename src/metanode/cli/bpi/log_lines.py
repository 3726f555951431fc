"""What several containers said, as one: in the order of time, each line with the name of who said it."""

import heapq
import queue
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from metanode.client import ClientError
from metanode.client.agent import AgentClient, LogLine

WAITING_MAX: Final = 1_024
"""Most records that wait to be shown while several containers are followed."""


@dataclass(frozen=True, slots=True)
class Source:
    """One container: what it is called here, at which agent, its whole name; whether it is no more."""

    label: str
    agent: AgentClient
    name: str
    is_ended: bool = False

    def logs(self) -> Iterator[LogLine]:
        """What it said so far."""
        return self.agent.ended_logs(self.name) if self.is_ended else self.agent.logs(self.name)


@dataclass(frozen=True, slots=True)
class Piece:
    """What a container said at once."""

    source: Source
    line: LogLine


@dataclass(frozen=True, slots=True)
class Wanted:
    """Since when, in ns of Unix time; at most the last `tail` of what is there (-1: all); whether it goes on."""

    since_ns: int = 0
    tail: int = -1
    follow: bool = False


def pieces(sources: Sequence[Source], wanted: Wanted) -> Iterator[Piece]:
    """The lines that were said so far, in the order of time; then, where that is wanted, what is said from now on, as
    it comes, until all have ended. Raises `ClientError`."""
    ends, so_far = {}, []
    for source in sources:
        said = list(source.logs())
        ends[source.name] = said[-1].next if said else 0
        so_far.append([one for one in _lines(source, said) if one.line.time_ns >= wanted.since_ns])
    lines = heapq.merge(*so_far, key=lambda piece: piece.line.time_ns)
    yield from deque(lines, maxlen=wanted.tail if wanted.tail >= 0 else None)
    if wanted.follow:
        yield from _followed([source for source in sources if not source.is_ended], ends)


def _lines(source: Source, said: Sequence[LogLine]) -> list[Piece]:
    """What was said as whole lines, in the order in which they began; at the end may be one that is not over yet."""
    begun: dict[int, LogLine] = {}
    lines = []
    for one in said:
        for part in one.data.splitlines(keepends=True):
            before = begun.pop(one.stream, None)
            began = one.time_ns if before is None else before.time_ns
            line = LogLine(one.next, began, one.stream, (b"" if before is None else before.data) + part)
            if part.endswith(b"\n"):
                lines.append(Piece(source, line))
            else:
                begun[one.stream] = line
    lines += [Piece(source, line) for line in begun.values()]
    return sorted(lines, key=lambda piece: piece.line.time_ns)


def _followed(sources: Sequence[Source], ends: dict[str, int]) -> Iterator[Piece]:
    if len(sources) == 1:
        only = sources[0]
        yield from (Piece(only, line) for line in only.agent.logs(only.name, ends[only.name], follow=True))
        return
    told: queue.Queue[Piece | ClientError | None] = queue.Queue(WAITING_MAX)

    def listen(source: Source) -> None:
        try:
            for line in source.agent.logs(source.name, ends[source.name], follow=True):
                told.put(Piece(source, line))
        except ClientError as error:
            told.put(error)
        else:
            told.put(None)

    for source in sources:
        threading.Thread(target=listen, args=(source,), name=source.label, daemon=True).start()
    left = len(sources)
    failed: ClientError | None = None
    while left:
        one = told.get()
        if isinstance(one, Piece):
            yield one
        else:
            left -= 1
            failed = one or failed
    if failed is not None:
        raise failed


class Prefixer:
    """Whole lines with who said them in front: what is not a whole line yet waits for its end."""

    def __init__(self, width: int) -> None:
        self._width: Final = width
        self._open: Final[dict[tuple[str, int], bytes]] = {}

    def lines(self, one: Piece) -> Iterator[bytes]:
        """The lines that are whole with this piece."""
        key = one.source.label, one.line.stream
        *whole, left = (self._open.pop(key, b"") + one.line.data).split(b"\n")
        if left:
            self._open[key] = left
        for line in whole:
            yield self.prefix(one.source.label) + line + b"\n"

    def rest(self) -> Iterator[tuple[int, bytes]]:
        """What was never ended by a newline, with its stream."""
        for (label, stream), left in self._open.items():
            yield stream, self.prefix(label) + left + b"\n"

    def prefix(self, label: str) -> bytes:
        """In front of a line."""
        return f"{label:<{self._width}} | ".encode()


def since_ns(text: str) -> int:
    """`90s`, `10m`, `2h`, `1d` ago, or a time like 2026-11-28T13:00:00Z, in ns of Unix time. Raises `ValueError`."""
    from datetime import UTC, datetime

    if not text:
        return 0
    units = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
    if text[-1:] in units and text[:-1].isdecimal():
        return time.time_ns() - int(text[:-1]) * units[text[-1]] * 1_000_000_000
    found = datetime.fromisoformat(text)
    return int((found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp() * 1_000_000_000)
