"""Storms: what the links of the pretend world do, and when. Each named storm is a value, or a subclass, in `storms/`."""

from dataclasses import dataclass
from random import Random
from typing import Protocol


class Sky(Protocol):
    """What a storm may see of the world it rages in."""

    random: Random
    now_ms: int
    start_ms: int

    def crash(self, index: int) -> None:
        """Kill -9 a node."""
        ...

    def boot(self, index: int) -> None:
        """Start it again."""
        ...


@dataclass(frozen=True, slots=True)
class Cut:
    """From one instant to another (milliseconds after the start) nothing goes from a node of `senders` to a node of
    `receivers`. The other way stays open, unless another cut says so."""

    from_ms: int
    until_ms: int
    senders: tuple[int, ...]
    receivers: tuple[int, ...]


@dataclass(slots=True)
class Storm:
    """Delays, cuts and broken links, until `heals_ms` after the start; then a kind network.

    `break_ppm`: how many of a million transmissions end the connection they were meant for, as a reset does: all that
    was under way is lost. `slow_ppm`: how many are late by up to `slow_ms`, so that links overtake one another.
    """

    name: str
    delay_min_ms: int = 1
    delay_max_ms: int = 5
    break_ppm: int = 0
    slow_ppm: int = 0
    slow_ms: int = 0
    cuts: tuple[Cut, ...] = ()
    heals_ms: int = 0

    def begin(self, sky: Sky) -> None:
        """Called once at the start: a subclass plans its crashes here."""

    def raging(self, sky: Sky) -> bool:
        """Whether it has not healed yet."""
        return sky.now_ms - sky.start_ms < self.heals_ms

    def delay_ms(self, sky: Sky, sender: int, receiver: int) -> int:
        """How long bytes take."""
        delay = sky.random.randint(self.delay_min_ms, self.delay_max_ms)
        if self.slow_ppm and self.raging(sky) and sky.random.randrange(1_000_000) < self.slow_ppm:
            delay += sky.random.randrange(self.slow_ms)
        return delay

    def cut(self, sky: Sky, sender: int, receiver: int) -> bool:
        """Whether the cable from one node to another is cut now."""
        age = sky.now_ms - sky.start_ms
        return any(
            c.from_ms <= age < c.until_ms and sender in c.senders and receiver in c.receivers for c in self.cuts
        )

    def breaks(self, sky: Sky, sender: int, receiver: int) -> bool:
        """Whether this transmission ends the connection."""
        return bool(self.break_ppm) and self.raging(sky) and sky.random.randrange(1_000_000) < self.break_ppm
