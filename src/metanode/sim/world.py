"""The pretend world: nodes, links, disks and a clock in one heap. One seed, one order of events."""

import heapq
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from hashlib import sha256
from random import Random
from typing import Final, TypeAlias

from metanode.node.effects import TICK_MS
from metanode.node.events import BytesArrived, Event, SignaturesChecked, SubmittedBatch, Ticked
from metanode.sim.cables import Cables
from metanode.sim.machine_room import MachineRoom
from metanode.sim.storm import Storm

STEPS_MAX: Final = 5_000_000
"""A world that needs more events than this is not getting anywhere."""
THINKING_MAX_MS: Final = 3
"""How long checks of transactions' signatures may take: they wait behind everything else."""

Action: TypeAlias = Callable[[], None]


@dataclass(order=True, slots=True)
class _Due:
    at_ms: int
    order: int
    action: Action = field(compare=False)


class World:
    """Computers under a storm. Time is milliseconds of Unix time, from `start_ms`."""

    def __init__(self, seed: int, rooms: list[MachineRoom], storm: Storm, start_ms: int) -> None:
        self.random: Final = Random(seed)  # noqa: S311 - a pretend world must be the same twice
        self.rooms: Final = rooms
        self.storm: Final = storm
        self.now_ms = start_ms
        self.start_ms: Final = start_ms
        self.steps = 0
        self.delivered = 0
        self.cables: Final = Cables(self, storm)
        self._due: list[_Due] = []
        self._order = 0
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
        """(Re)start a node from its disk, unless it runs."""
        room = self.rooms[index]
        if not room.alive:
            self.record(index, "boot")
            room.boot()
            self._pulse(index, room.life)

    def _pulse(self, index: int, life: int) -> None:
        if self.rooms[index].lives(life):
            self.tell(index, Ticked(self.now_ms))
            self.at(TICK_MS, lambda: self._pulse(index, life))

    def crash(self, index: int) -> None:
        """Kill -9: everything but the disk is gone; peers see their connections end."""
        room = self.rooms[index]
        if room.alive:
            room.crash()
            self.record(index, "crash")
            self.cables.close_all(index)

    def cut_power(self, index: int) -> None:
        """Kill it, and let its disk forget part of what was not synced."""
        self.crash(index)
        self.rooms[index].disk.cut_power(self.random)
        self.record(index, "power cut")

    def break_links(self, index: int) -> None:
        """Every connection of it breaks; what was under way is lost."""
        self.cables.break_all(index)

    def tell(self, index: int, event: Event) -> None:
        """One event to one node; its effects are carried out at once."""
        room = self.rooms[index]
        if room.alive:
            self.delivered += 1
            data = event.data if isinstance(event, BytesArrived) else b""
            self.record(index, type(event).__name__, data)
            room.hear(event)

    def answer_later(self, index: int, event: SignaturesChecked) -> None:
        """What a computer's other core answers."""
        life = self.rooms[index].life

        def answer() -> None:
            if self.rooms[index].lives(life):
                self.tell(index, replace(event, now_ms=self.now_ms))

        self.at(self.random.randint(0, THINKING_MAX_MS), answer)

    def submit(self, index: int, request: int, transactions: tuple[bytes, ...]) -> None:
        """A client's batch to a node."""
        self.tell(index, SubmittedBatch(self.now_ms, request, transactions))
