"""The one protocol of all drivers, and the values its answers are made of."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from metanode.host.runtimes.caging import Witnessed
from metanode.host.runtimes.plan import ContainerPlan
from metanode.host.runtimes.states import Exit, LogMark, Phase


class Enforcement(StrEnum):
    """How far an engine holds a limit."""

    WHOLE = "whole"
    """Of the container as a whole, by the kernel."""
    EACH_PROCESS = "each-process"
    """Of each of its processes, not of all together."""
    NOT = "not"
    """Not at all: who needs it must choose another engine or machine."""


@dataclass(frozen=True, slots=True)
class Enforces:
    """What holds memory, processor time and the number of processes."""

    memory: Enforcement
    cpu: Enforcement
    pids: Enforcement


@dataclass(frozen=True, slots=True)
class Works:
    """An engine that runs containers here. `notes`: what it cannot do here, each with what would change that.
    `cage`: why no deterministic jobs, empty where they run."""

    engine: str
    version: str
    enforces: Enforces
    notes: tuple[str, ...] = ()
    cage: str = "only the sandbox runs deterministic jobs"


@dataclass(frozen=True, slots=True)
class Lacks:
    """An engine that does not run here: exactly why, and what would make it run."""

    engine: str
    reason: str
    fix: str


Capability = Works | Lacks


@dataclass(frozen=True, slots=True)
class ContainerState:
    """A container, as its engine knows it. `pid`: of its first process on this host, 0 where none runs. `address`: of a
    container that is not on this host."""

    id: str
    engine: str
    phase: Phase
    pid: int
    created_ns: int
    started_ns: int
    exit: Exit | None
    log: LogMark
    witness: Witnessed | None = None
    address: str = ""

    @property
    def network(self) -> str:
        """The path of its network namespace; only while it runs."""
        return f"/proc/{self.pid}/ns/net"


@dataclass(frozen=True, slots=True)
class Stats:
    """What a container uses. Memory is now and at most so far; processor time since its start."""

    memory_bytes: int
    memory_peak_bytes: int
    cpu_ns: int
    pids: int
    oom_kills: int
    log_bytes: int


class EventKind(StrEnum):
    """What happens to a container by itself, or as somebody asked."""

    STARTED = "started"
    """Its program runs."""
    EXITED = "exited"
    """Its program has ended; the state has how."""
    LOST = "lost"
    """The engine is gone, and with it every container: `state` is nothing."""


@dataclass(frozen=True, slots=True)
class Event:
    """One of them. Who was not there to hear it sees it in `list`."""

    kind: EventKind
    state: ContainerState | None


@dataclass(frozen=True, slots=True)
class LogRecord:
    """What a container said at once. `offset`: of the record; `next`: where the following one begins; `stream`: 1 or 2;
    `digest`: of the chain after this record."""

    offset: int
    next: int
    time_ns: int
    stream: int
    data: bytes
    digest: str


@dataclass(frozen=True, slots=True)
class Chunk:
    """Output of an executed command."""

    stream: int
    data: bytes


class Execution(Protocol):
    """A command in a running container. It ends when its agent does."""

    async def write(self, data: bytes) -> None:
        """Give it input."""

    async def end_input(self) -> None:
        """There is no more."""

    async def resize(self, rows: int, columns: int) -> None:
        """The size of its terminal, if it has one."""

    def output(self) -> AsyncIterator[Chunk]:
        """Its output, in order, until it ends."""

    async def wait(self) -> Exit:
        """How it ended; raises `Rejected` where it never began."""


class Driver(Protocol):
    """What every engine can do. Every method raises `Rejected` with a `RuntimeRefusal`."""

    async def probe(self) -> Capability:
        """RUN-21. Whether it works here, tried in earnest."""

    async def create(self, plan: ContainerPlan) -> ContainerState:
        """Accept a plan. Nothing runs yet."""

    async def start(self, name: str) -> ContainerState:
        """Begin its program; returns when it runs."""

    async def stop(self, name: str, grace_ms: int | None = None) -> ContainerState:
        """Ask it to end by its stop signal, and after the grace (default: the plan's) end it; returns when it has."""

    async def kill(self, name: str) -> ContainerState:
        """End it now; returns when it has ended."""

    async def pause(self, name: str) -> ContainerState:
        """Stop all its processes where they are."""

    async def resume(self, name: str) -> ContainerState:
        """Let them go on."""

    async def exec(
        self, name: str, command: tuple[str, ...], env: tuple[tuple[str, str], ...] = (), *, tty: bool = False
    ) -> Execution:
        """Execute one more command in it, with what the container may and no more."""

    async def stats(self, name: str) -> Stats:
        """What it uses."""

    async def inspect(self, name: str) -> ContainerState:
        """How it is; the path of its network namespace is in it."""

    async def list(self) -> tuple[ContainerState, ...]:
        """All there are, those that an earlier agent started among them."""

    async def remove(self, name: str) -> None:
        """Forget one that does not run, and leave nothing of it behind."""

    def events(self) -> AsyncIterator[Event]:
        """What happens from now on."""

    async def recover(self) -> None:
        """After `LOST`: reach the engine again, a new one where the old one is gone."""

    async def close(self) -> None:
        """Leave the engine to itself: what runs goes on."""

    def logs(self, name: str, since: int = 0, *, follow: bool = False) -> AsyncIterator[LogRecord]:
        """What it said from an offset on, or from where what is kept begins; `follow`: until it ends."""
