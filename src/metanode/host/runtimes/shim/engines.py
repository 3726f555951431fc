"""How a container is begun and entered: by the jail, or by an outside runtime. What follows is the same for both."""

import errno
import json
import os
import signal
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, Protocol

from metanode.host.runtimes.plan import ContainerPlan
from metanode.host.runtimes.refusals import RuntimeRefusal
from metanode.host.runtimes.shim import caged as cages
from metanode.host.runtimes.shim import jail
from metanode.host.runtimes.shim.children import Children
from metanode.host.runtimes.shim.container import Container, exit_of
from metanode.host.runtimes.shim.loop import Loop
from metanode.host.runtimes.shim.privileges import Shortfall
from metanode.host.runtimes.shim.root import Place
from metanode.host.runtimes.states import Exit
from metanode.primitives.refusal import Rejected

Files = tuple[int, int, int]
"""Standard input, output and error of what is begun. The caller closes his own copies."""


@dataclass(frozen=True, slots=True)
class Hopes:
    """Who is told: exactly one of the two, once."""

    began: Callable[[int], None]
    """With the number of the first process, which is a child of the shim."""
    failed: Callable[[Rejected], None]


@dataclass(frozen=True, slots=True)
class Command:
    """One more process in a running container. `ended` is told once; before it, if it began, `began` is handed what
    kills it."""

    plan: ContainerPlan
    terminal: bool
    files: Files
    began: Callable[[Callable[[], None]], None]
    ended: Callable[[Exit | Rejected], None]
    attach: Callable[[int], None]
    """With `terminal`, by an engine that makes terminals itself: the shim's end of the one it made."""


class Engine(Protocol):
    """What makes containers. `makes_terminals`: it hands over the terminal of a command by `attach`."""

    makes_terminals: bool

    def prepare(self, container: Container) -> None:
        """What can be done before the start; raises `Rejected`."""

    def start(self, container: Container, files: Files, hopes: Hopes) -> None:
        """Begin its program."""

    def execute(self, container: Container, command: Command) -> None:
        """Begin another one in it."""

    def clean(self, container: Container, cleaned: Callable[[], None]) -> None:
        """Take away what `prepare` and `start` made beside the container's folder and group."""


def kill(pid: int) -> None:
    """A process that the shim is the parent of, or that its parent still is: its number is its own."""
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def refusal_of(failure: dict[str, object]) -> Rejected:
    """What a child reported: a program that is not there is the plan's fault, everything else the machine's."""
    step, text, number = str(failure.get("step")), str(failure.get("text")), failure.get("error")
    if step.startswith("execute "):
        if number in {errno.ENOENT, errno.ENOTDIR}:
            return Rejected(RuntimeRefusal.COMMAND_NOT_FOUND, step.removeprefix("execute "))
        return Rejected(RuntimeRefusal.COMMAND_NOT_EXECUTABLE, f"{step.removeprefix('execute ')}: {text}")
    return Rejected(RuntimeRefusal.SETUP_FAILED, f"{step}: {text}")


class JailEngine:
    """RUN-8. The sandbox: no program but the kernel."""

    makes_terminals = False

    def __init__(self, loop: Loop, children: Children, *, rootless: bool) -> None:
        self._loop: Final = loop
        self._children: Final = children
        self._rootless: Final = rootless

    def _cell(self, container: Container, plan: ContainerPlan) -> jail.Cell:
        without = container.group is None
        place = Place(str(container.folder), self._rootless, os.geteuid(), os.getegid())
        return jail.Cell(plan, place, Shortfall(without, without), last=cages.close if plan.cage is not None else None)

    def prepare(self, container: Container) -> None:
        """Its folders and three files."""
        self._cell(container, container.plan).place.prepare(container.plan)

    def start(self, container: Container, files: Files, hopes: Hopes) -> None:
        """Fork it."""
        assert container.secrets is not None, "a container is started once"
        caged = container.plan.cage is not None
        try:
            birth = (cages.start if caged else jail.start)(self._cell(container, container.secrets), files)
        except OSError as error:
            hopes.failed(refusal_of({"step": error.filename, "text": error.strerror, "error": error.errno}))
            return
        if caged:
            _Watch(self._loop, self._children, container, birth, hopes, steps=2, caged=True)
        else:
            _Watch(self._loop, self._children, container, birth, hopes).go(birth.pid)

    def execute(self, container: Container, command: Command) -> None:
        """Fork into it."""
        try:
            birth = jail.enter(
                self._cell(container, container.plan),
                container.pid,
                command.plan,
                command.files,
                terminal=command.terminal,
            )
        except OSError as error:
            command.ended(refusal_of({"step": error.filename, "text": error.strerror, "error": error.errno}))
            return

        def began(pid: int) -> None:
            command.began(lambda: kill(pid))
            self._children.wait(pid, lambda status: command.ended(exit_of(status, oom=False)))

        _Watch(self._loop, self._children, container, birth, Hopes(began, command.ended), steps=2)

    def clean(self, container: Container, cleaned: Callable[[], None]) -> None:  # noqa: ARG002 - the protocol's
        """Nothing: mounts and namespaces ended with the container."""
        cleaned()


class _Watch:
    """A child between fork and execution. With `steps` 2 the child is forked by a child, which tells its number, and
    which ends then, unless it is the supervisor of a `caged` job: then that one is what the shim waits for."""

    def __init__(
        self,
        loop: Loop,
        children: Children,
        container: Container,
        birth: jail.Birth,
        hopes: Hopes,
        *,
        steps: int = 1,
        caged: bool = False,
    ) -> None:
        self._loop, self._children, self._container = loop, children, container
        self._birth, self._hopes, self._heard = birth, hopes, b""
        self._first = birth.pid if steps == 2 else 0
        self._caged = caged
        self._pid = 0
        children.expect(birth.pid)
        os.set_blocking(birth.status, False)
        loop.watch(birth.status, self._read)

    def go(self, pid: int) -> None:
        """Put it into its group, then let it go on."""
        self._pid = pid
        if not self._caged:
            self._children.expect(pid)
        try:
            if self._container.group is not None:
                self._container.group.join(pid)
            os.write(self._birth.go, b"g")
        except OSError as error:
            kill(pid)
            self._heard = json.dumps({"step": "cgroup", "text": str(error), "error": error.errno}).encode()

    def _read(self) -> None:
        try:
            data = os.read(self._birth.status, jail.FAILURE_BYTES_MAX)
        except BlockingIOError:
            return
        self._heard += data
        if self._first and not self._pid and b"\n" in self._heard:
            line, _, self._heard = self._heard.partition(b"\n")
            self.go(int(json.loads(line)["pid"]))
        if not data:
            self._done()

    def _done(self) -> None:
        """The pipe is closed: the program runs, or the report is whole."""
        self._loop.forget(self._birth.status)
        os.close(self._birth.status)
        os.close(self._birth.go)
        failed = bool(self._heard) or not self._pid
        if self._first and (failed or not self._caged):
            self._children.reap(self._first)
        if failed:
            if self._pid and not self._caged:
                self._children.reap(self._pid)
            self._hopes.failed(refusal_of(json.loads(self._heard or b'{"step": "fork", "text": "killed"}')))
        else:
            self._hopes.began(self._first if self._caged else self._pid)
