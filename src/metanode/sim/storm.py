"""Storms: what the links of the pretend world do, and when. Each named storm is a value, or a subclass."""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Protocol

from metanode.sim.machine_room import MachineRoom


class Sky(Protocol):
    """What a storm may see of the world it rages in, and do to it."""

    @property
    def random(self) -> Random:
        """The world's one source of chance."""
        ...

    @property
    def now_ms(self) -> int:
        """The world's clock."""
        ...

    @property
    def start_ms(self) -> int:
        """When the world began."""
        ...

    @property
    def rooms(self) -> list[MachineRoom]:
        """The computers: a storm may wait for what they say and do, nothing in a node knows of it."""
        ...

    def at(self, delay_ms: int, action: Callable[[], None]) -> None:
        """Do something later."""
        ...

    def crash(self, index: int) -> None:
        """Kill -9 a node."""
        ...

    def cut_power(self, index: int) -> None:
        """Kill it, and its disk forgets part of what was not synced."""
        ...

    def boot(self, index: int) -> None:
        """Start it again."""
        ...

    def break_links(self, index: int) -> None:
        """Every connection of it breaks; what was under way is lost."""
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
    `bound_ms`: how long after the healing everything that clients wait for must be final, on every node.
    `core_bound_ms`: the same where only a core quorum heals, on the core; 0: three times `bound_ms`, for a core may
    have to wait out every round that somebody leads who is not in it.
    `gap_ms`: while it rages, the longest time without a final block; 0 where it may stop the chain.
    """

    name: str
    delay_min_ms: int = 1
    delay_max_ms: int = 5
    break_ppm: int = 0
    slow_ppm: int = 0
    slow_ms: int = 0
    cuts: tuple[Cut, ...] = ()
    heals_ms: int = 0
    bound_ms: int = 10_000
    gap_ms: int = 0
    core_bound_ms: int = 0

    def begin(self, sky: Sky) -> None:
        """Called once at the start: a subclass plans its crashes here."""

    def raging(self, sky: Sky) -> bool:
        """Whether it has not healed yet."""
        return sky.now_ms - sky.start_ms < self.heals_ms

    def delay_ms(self, sky: Sky, sender: int, receiver: int) -> int:
        """How long bytes take."""
        del sender, receiver
        delay = sky.random.randint(self.delay_min_ms, self.delay_max_ms)
        if self.slow_ppm and self.raging(sky) and sky.random.randrange(1_000_000) < self.slow_ppm:
            delay += sky.random.randrange(self.slow_ms)
        return delay

    def cut(self, sky: Sky, sender: int, receiver: int) -> bool:
        """Whether the cable from one node to another is cut now."""
        age = sky.now_ms - sky.start_ms
        return any(c.from_ms <= age < c.until_ms and sender in c.senders and receiver in c.receivers for c in self.cuts)

    def breaks(self, sky: Sky, sender: int, receiver: int) -> bool:
        """Whether this transmission ends the connection."""
        del sender, receiver
        return bool(self.break_ppm) and self.raging(sky) and sky.random.randrange(1_000_000) < self.break_ppm
