"""The time of a pretend cluster: one heap of things to do, one order, one fingerprint."""

import heapq
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256
from random import Random
from typing import Final, Protocol, TypeAlias

STEPS_MAX: Final = 2_000_000
"""A world that needs more steps than this is not getting anywhere."""

Action: TypeAlias = Callable[[], None]


@dataclass(order=True, slots=True)
class _Due:
    at_ms: int
    order: int
    action: Action = field(compare=False)


class Time(Protocol):
    """What a pretend cluster needs of a clock: its own, or that of the validators under it."""

    @property
    def random(self) -> Random:
        """The one source of chance."""
        ...

    @property
    def now_ms(self) -> int:
        """Milliseconds of Unix time."""
        ...

    @property
    def age_ms(self) -> int:
        """How long the world has been there."""
        ...

    @property
    def steps(self) -> int:
        """How much has happened."""
        ...

    @property
    def fingerprint(self) -> str:
        """Equal seeds give equal fingerprints."""
        ...

    def at(self, delay_ms: int, action: Action) -> None:
        """Do something later."""
        ...

    def run(self, until_ms: int, done: Callable[[], bool] = lambda: False) -> bool:
        """Run until `done`, or until this many milliseconds after the start."""
        ...

    def record(self, what: str) -> None:
        """Fold one happening into the fingerprint."""
        ...


class Clock:
    """Milliseconds of Unix time, from `start_ms`; the one source of chance of its world."""

    def __init__(self, seed: int, start_ms: int) -> None:
        self.random: Final = Random(seed)  # noqa: S311 - a pretend world must be the same twice
        self.start_ms: Final = start_ms
        self.now_ms = start_ms
        self.steps = 0
        self._due: list[_Due] = []
        self._order = 0
        self._fingerprint = sha256()

    @property
    def age_ms(self) -> int:
        """How long the world has been there."""
        return self.now_ms - self.start_ms

    def at(self, delay_ms: int, action: Action) -> None:
        """Do something later. Equal times keep the order in which they were asked for."""
        self._order += 1
        heapq.heappush(self._due, _Due(self.now_ms + max(0, delay_ms), self._order, action))

    def run(self, until_ms: int, done: Callable[[], bool] = lambda: False) -> bool:
        """Run until `done`, or until this many milliseconds after the start. Whether `done` was reached."""
        end = self.start_ms + until_ms
        while self._due and self._due[0].at_ms <= end:
            due = heapq.heappop(self._due)
            self.now_ms = max(self.now_ms, due.at_ms)
            due.action()
            self.steps += 1
            assert self.steps < STEPS_MAX, "the world does not come to rest"
            if done():
                return True
        self.now_ms = end
        return done()

    def record(self, what: str) -> None:
        """Fold one happening into the fingerprint."""
        self._fingerprint.update(f"{self.now_ms} {what}\n".encode())

    @property
    def fingerprint(self) -> str:
        """Equal seeds give equal fingerprints, whatever the hash seed of the interpreter."""
        return self._fingerprint.hexdigest()
