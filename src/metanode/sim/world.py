"""The pretend world: nodes, links, disks and a clock in one heap. One seed, one order of events."""

import heapq
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256
from random import Random
from typing import Any, Final, TypeAlias

from metanode.node.effects import TICK_MS
from metanode.node.events import (
    Asked,
    BytesArrived,
    Event,
    LinkClosed,
    LinkOpened,
    SubmittedBatch,
    Ticked,
    TimerFired,
)
from metanode.sim.machine_room import MachineRoom
from metanode.sim.storm import Storm

STEPS_MAX: Final = 5_000_000
"""A world that needs more events than this is not getting anywhere."""

CUT_RETRY_MS: Final = 50
"""How often a cut cable is tried again: as a kernel resends."""

Action: TypeAlias = Callable[[], None]


@dataclass(order=True, slots=True)
class _Due:
    at_ms: int
    order: int
    action: Action = field(compare=False)


class World:
    """`count` validators of one chain under a storm. Time is milliseconds of Unix time, from `START_MS`."""

    def __init__(self, seed: int, rooms: list[MachineRoom], storm: Storm, start_ms: int) -> None:
        self.random: Final = Random(seed)
        self.rooms: Final = rooms
        self.storm: Final = storm
        self.now_ms = start_ms
        self.start_ms: Final = start_ms
        self.steps = 0
        self.delivered = 0
        self._due: list[_Due] = []
        self._order = 0
        self._links: dict[tuple[int, int], tuple[int, int]] = {}
        self._wires: dict[tuple[int, int], deque[tuple[int, bytes]]] = {}
        self._next_link = 1
        self._timers: dict[tuple[int, str], int] = {}
        self._fingerprint = sha256()
        for room in rooms:
            room.attach(self)

    # --- time ---------------------------------------------------------------------------------------------------------

    def at(self, delay_ms: int, action: Action) -> None:
        """Do something later. Equal times keep the order in which they were asked for."""
        self._order += 1
        heapq.heappush(self._due, _Due(self.now_ms + max(0, delay_ms), self._order, action))

    def start(self) -> None:
        """Start every node, a few milliseconds apart."""
        for index in range(len(self.rooms)):
            self.at(self.random.randrange(5), lambda index=index: self.boot(index))  # type: ignore[misc]
        self.storm.begin(self)

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

    @property
    def fingerprint(self) -> str:
        """Equal seeds give equal fingerprints, whatever the hash seed of the interpreter."""
        return self._fingerprint.hexdigest()

    def record(self, index: int, what: str, data: bytes = b"") -> None:
        """Fold one happening into the fingerprint."""
        self._fingerprint.update(f"{self.now_ms} {index} {what} {len(data)}\n".encode())
        self._fingerprint.update(data)

    # --- nodes --------------------------------------------------------------------------------------------------------

    def boot(self, index: int) -> None:
        """(Re)start a node from its disk."""
        room = self.rooms[index]
        room.boot()
        self._pulse(index, room.life)

    def _pulse(self, index: int, life: int) -> None:
        room = self.rooms[index]
        if room.alive and room.life == life:
            self.tell(index, Ticked(self.now_ms))
            self.at(TICK_MS, lambda: self._pulse(index, life))

    def crash(self, index: int) -> None:
        """Kill -9: everything but the disk is gone; peers see their connections end."""
        room = self.rooms[index]
        room.crash()
        self.record(index, "crash")
        for timer in [t for t in self._timers if t[0] == index]:
            del self._timers[timer]
        for end in [e for e in self._links if e[0] == index]:
            self.close(index, end[1])

    def tell(self, index: int, event: Event) -> None:
        """One event to one node; its effects are carried out at once."""
        room = self.rooms[index]
        if room.alive:
            self.delivered += 1
            data = event.data if isinstance(event, BytesArrived) else b""
            self.record(index, type(event).__name__, data)
            room.hear(event)

    def set_timer(self, index: int, timer: str, delay_ms: int) -> None:
        """A timer of a node; one of the same name is replaced."""
        self._order += 1
        mark = self._order
        self._timers[index, timer] = mark

        def fire() -> None:
            if self._timers.get((index, timer)) == mark:
                del self._timers[index, timer]
                self.tell(index, TimerFired(self.now_ms, timer))

        self.at(delay_ms, fire)

    def cancel_timer(self, index: int, timer: str) -> None:
        """Forget a timer."""
        self._timers.pop((index, timer), None)

    # --- links --------------------------------------------------------------------------------------------------------

    def dial(self, index: int, peer: bytes, address: str) -> None:
        """Connect to the node that listens at this address, if there is one and the storm lets it."""
        target = next((i for i, r in enumerate(self.rooms) if r.address == address), None)
        own, other = self._next_link, self._next_link + 1
        self._next_link += 2

        def connect() -> None:
            if not self.rooms[index].alive:
                return
            blocked = target is None or not self.rooms[target].alive or self.storm.cut(self, index, target)
            if blocked or target is None:
                self.tell(index, LinkOpened(self.now_ms, own, peer, address))
                self.tell(index, LinkClosed(self.now_ms, own))
                return
            self._links[index, own] = (target, other)
            self._links[target, other] = (index, own)
            self.tell(index, LinkOpened(self.now_ms, own, peer, address))
            self.tell(target, LinkOpened(self.now_ms, other, b"", self.rooms[index].address))

        self.at(self.storm.delay_ms(self, index, target if target is not None else index), connect)

    def transmit(self, index: int, link: int, data: bytes) -> None:
        """Bytes along a link, in order; the storm says how late, and whether the link breaks instead."""
        end = self._links.get((index, link))
        if end is None:
            return
        target, other = end
        if self.storm.breaks(self, index, target):
            self.close(index, link)
            self.at(0, lambda: self.tell(index, LinkClosed(self.now_ms, link)))
            return
        wire = self._wires.setdefault((index, link), deque())
        due = self.now_ms + self.storm.delay_ms(self, index, target)
        due = max(due, wire[-1][0]) if wire else due
        wire.append((due, data))
        self.at(due - self.now_ms, lambda: self._pump(index, link))

    def _pump(self, index: int, link: int) -> None:
        """Deliver what is due on a link, in order; on a cut cable it waits until the cable or the link is mended."""
        end = self._links.get((index, link))
        wire = self._wires.get((index, link))
        if end is None or not wire:
            return
        target, other = end
        if self.storm.cut(self, index, target):
            self.at(CUT_RETRY_MS, lambda: self._pump(index, link))
            return
        while wire and wire[0][0] <= self.now_ms:
            self.tell(target, BytesArrived(self.now_ms, other, wire.popleft()[1]))

    def close(self, index: int, link: int) -> None:
        """End a link; the other side hears of it."""
        end = self._links.pop((index, link), None)
        self._wires.pop((index, link), None)
        if end is None:
            return
        target, other = end
        if self._links.pop((target, other), None) is not None:
            delay = self.storm.delay_ms(self, index, target)
            self.at(delay, lambda: self.tell(target, LinkClosed(self.now_ms, other)))

    def entropy(self, index: int, length: int) -> bytes:
        """Chance for a node's handshakes."""
        del index
        return self.random.randbytes(length)

    # --- clients ------------------------------------------------------------------------------------------------------

    def submit(self, index: int, request: int, transactions: tuple[bytes, ...]) -> None:
        """A client's batch to a node."""
        self.tell(index, SubmittedBatch(self.now_ms, request, transactions))

    def ask(self, index: int, request: int, method: str, arguments: Any) -> None:
        """A client's question to a node."""
        self.tell(index, Asked(self.now_ms, request, method, arguments))
