"""A pretend runtime: starts take time, some are slow, some crash, some use up their memory, and all can be lost."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from metanode.docklock.agent.events import Run
from metanode.docklock.cluster.state import Assignment
from metanode.records.workload import WorkloadSpec
from metanode.sim.docklock.clock import Time

KILLED: Final = 137
"""The exit status of what was killed."""
STOPS_MS: Final = 40
"""How long what is asked to end usually takes."""


@dataclass(slots=True)
class Container:
    """What runs, or has run. `well_ms`: from when on it is well."""

    name: str
    assignment: Assignment
    spec: WorkloadSpec
    began_ms: int
    well_ms: int
    running: bool = True
    code: int = 0


@dataclass(slots=True)
class Habits:
    """How containers behave here: how long a start takes, how long until they are well, how many of a million starts
    crash or use up their memory within five seconds, how long a job takes."""

    start_ms: tuple[int, int] = (20, 120)
    warm_ms: tuple[int, int] = (0, 50)
    crash_ppm: int = 0
    oom_ppm: int = 0
    job_ms: tuple[int, int] = (300, 1_500)
    stubborn_ppm: int = 0


class Runtime:
    """Containers of one node. `ended(name, code, out_of_memory)`: told when one ends by itself."""

    def __init__(self, clock: Time, habits: Habits, ended: Callable[[str, int, bool], None]) -> None:
        self._clock: Final = clock
        self._ended: Final = ended
        self._life = 0
        self.habits = habits
        self.broken: set[bytes] = set()
        self.containers: dict[str, Container] = {}

    def start(self, effect: Run, ran: Callable[[str], None]) -> None:
        """Start a container; `ran` is told the code of what went wrong, empty if nothing did."""
        life, random = self._life, self._clock.random

        def started() -> None:
            if life != self._life:
                return
            if effect.assignment.spec in self.broken:
                ran("runtime.command-not-found")
                return
            now_ms = self._clock.now_ms
            well_ms = now_ms + random.randint(*self.habits.warm_ms)
            one = Container(effect.name, effect.assignment, effect.spec, now_ms, well_ms)
            self.containers[effect.name] = one
            ran("")
            self._plan(one)

        self._clock.at(random.randint(*self.habits.start_ms), started)

    def _plan(self, one: Container) -> None:
        """What becomes of it if nobody stops it."""
        random, habits = self._clock.random, self.habits
        if one.spec.terms.kind == "job":
            self._clock.at(random.randint(*habits.job_ms), lambda: self._ends(one, 0, out_of_memory=False))
        elif random.randrange(1_000_000) < habits.crash_ppm:
            self._clock.at(random.randint(10, 5_000), lambda: self._ends(one, 1, out_of_memory=False))
        elif random.randrange(1_000_000) < habits.oom_ppm:
            self._clock.at(random.randint(10, 5_000), lambda: self._ends(one, KILLED, out_of_memory=True))

    def _ends(self, one: Container, code: int, *, out_of_memory: bool) -> None:
        if self.containers.get(one.name) is one and one.running:
            one.running, one.code = False, code
            self._ended(one.name, code, out_of_memory)

    def stop(self, name: str, grace_ms: int) -> None:
        """Ask it to end; one that does not listen is killed after its grace."""
        one = self.containers.get(name)
        if one is None or not one.running:
            code = one.code if one is not None else 0
            self._clock.at(1, lambda: self._ended(name, code, False))  # noqa: FBT003 - as the runtime says it
            return
        stubborn = self._clock.random.randrange(1_000_000) < self.habits.stubborn_ppm
        wait_ms = grace_ms if stubborn else min(grace_ms, self._clock.random.randint(1, STOPS_MS))
        code = KILLED if stubborn else 143
        self._clock.at(wait_ms, lambda: self._ends(one, code, out_of_memory=False))

    def remove(self, name: str) -> None:
        """Leave nothing of it."""
        self.containers.pop(name, None)

    def lose(self) -> None:
        """Everything that ran is gone, and so is what was about to start."""
        self._life += 1
        self.containers.clear()

    def runs(self, name: str) -> bool:
        """Whether a process of it is there."""
        one = self.containers.get(name)
        return one is not None and one.running

    def is_well(self, name: str) -> bool:
        """Whether it would answer its health check."""
        one = self.containers.get(name)
        return one is not None and one.running and self._clock.now_ms >= one.well_ms
