"""The containers of one agent: one method a request."""

import os
import signal
from collections.abc import Callable
from dataclasses import astuple
from pathlib import Path
from typing import Final

from metanode.host.runtimes.caging import ARCHITECTURE
from metanode.host.runtimes.plan import GRACE_MAX_MS, HOST_USR, ContainerPlan, checked_number
from metanode.host.runtimes.refusals import RuntimeRefusal
from metanode.host.runtimes.shim.children import Children, Pump
from metanode.host.runtimes.shim.container import Container, exit_of
from metanode.host.runtimes.shim.engines import Engine, Hopes
from metanode.host.runtimes.shim.frames import Message
from metanode.host.runtimes.shim.hierarchy import Hierarchy
from metanode.host.runtimes.shim.logfiles import STDERR, STDOUT
from metanode.host.runtimes.shim.loop import Loop
from metanode.host.runtimes.shim.plans import plan_of
from metanode.host.runtimes.shim.roster import Roster
from metanode.host.runtimes.shim.syscalls import MACHINE
from metanode.host.runtimes.shim.tree import remove_tree, unmount_below
from metanode.host.runtimes.states import Phase
from metanode.primitives.refusal import Rejected

Answer = Callable[[Message], None]
Deferred = None
"""What a request returns that is answered later."""


class Server:
    """The containers of one agent. `tell` sends an event to the agent, if one is there."""

    def __init__(
        self,
        loop: Loop,
        children: Children,
        state: Path,
        hierarchy: Hierarchy,
        engines: dict[str, Engine],
        tell: Callable[[Message], None],
    ) -> None:
        self._loop: Final = loop
        self._children: Final = children
        self._state: Final = state
        self._hierarchy: Final = hierarchy
        self.roster: Final = Roster(engines)
        self._tell: Final = tell
        self._awaited: Final[dict[str, list[Answer]]] = {}
        self._pumps: Final[dict[str, list[Pump]]] = {}

    def create(self, message: Message, _: Answer) -> Message:
        """RUN-8. Accept a plan: its folder, its log, what the engine prepares."""
        plan = plan_of(message["plan"])
        engine = self.roster.engine(message.get("engine"))
        self.roster.check_room(plan.id)
        check_cage(plan, str(message["engine"]))
        check_sources(plan)
        folder = self._state / "c" / plan.id
        try:
            folder.mkdir(0o755, parents=True)
            container = Container(plan, str(message["engine"]), folder, self._hierarchy.group(plan.id))
            engine.prepare(container)
            if container.group is not None:
                container.group.make(plan.limits)
        except OSError as error:
            self._forget_folder(folder)
            raise Rejected(RuntimeRefusal.SETUP_FAILED, f"{error.filename}: {error.strerror}") from error
        self.roster.add(container)
        return container.message()

    def start(self, message: Message, answer: Answer) -> Message | None:
        """RUN-8. Begin its program; answered when it runs or cannot."""
        container = self.roster.at(message)
        container.require(Phase.CREATED)
        container.phase = Phase.STARTING
        nothing = os.open("/dev/null", os.O_RDONLY | os.O_CLOEXEC)
        (out_read, out_write), (err_read, err_write) = os.pipe2(os.O_CLOEXEC), os.pipe2(os.O_CLOEXEC)
        self._pumps[container.plan.id] = [
            Pump(self._loop, out_read, lambda data: container.hear(STDOUT, data)),
            Pump(self._loop, err_read, lambda data: container.hear(STDERR, data)),
        ]

        def began(pid: int) -> None:
            self._children.wait(pid, lambda status: self._ended(container, status))
            container.runs(pid)
            answer({"ok": container.message()})
            self._tell({"event": "started", "container": container.message()})

        def failed(why: Rejected) -> None:
            answer({"no": [why.reason, why.detail]})
            self._ended(container, _NEVER_BEGAN)

        self.roster.engine(container.engine).start(container, (nothing, out_write, err_write), Hopes(began, failed))
        container.secrets = None
        for file in (nothing, out_write, err_write):
            os.close(file)
        return Deferred

    def _ended(self, container: Container, status: int) -> None:
        """Its first process has ended: the last output, its account, and everybody who waits."""
        for pump in self._pumps.pop(container.plan.id, []):
            pump.drain()
        container.ends(exit_of(status, oom=False))
        for answer in self._awaited.pop(container.plan.id, []):
            answer({"ok": container.message()})
        self._tell({"event": "exited", "container": container.message()})

    def stop(self, message: Message, answer: Answer) -> Message | None:
        """RUN-8. Ask it to end, and after the grace end it; answered when it has ended."""
        container = self.roster.at(message)
        if container.phase is Phase.EXITED:
            return container.message()
        grace_ms = message.get("grace_ms", container.plan.stop_grace_ms)
        checked_number("grace_ms", grace_ms, 0, GRACE_MAX_MS)
        container.require(Phase.RUNNING, Phase.PAUSED)
        self._resume(container)
        self._awaited.setdefault(container.plan.id, []).append(answer)
        container.signal(container.plan.stop_number)
        self._loop.after(grace_ms / 1000, lambda: container.signal(signal.SIGKILL))
        return Deferred

    def kill(self, message: Message, answer: Answer) -> Message | None:
        """End it now; answered when it has ended."""
        return self.stop({**message, "grace_ms": 0}, answer)

    def _resume(self, container: Container) -> None:
        if container.phase is Phase.PAUSED:
            container.freeze(frozen=False)
            container.phase = Phase.RUNNING

    def pause(self, message: Message, _: Answer) -> Message:
        """Stop all its processes where they are."""
        container = self.roster.at(message)
        container.require(Phase.RUNNING)
        container.freeze(frozen=True)
        container.phase = Phase.PAUSED
        return container.message()

    def resume(self, message: Message, _: Answer) -> Message:
        """Let them go on."""
        container = self.roster.at(message)
        container.require(Phase.PAUSED)
        self._resume(container)
        return container.message()

    def stats(self, message: Message, _: Answer) -> Message:
        """What it uses."""
        container = self.roster.at(message)
        return {"usage": list(astuple(container.usage())), "log": container.message()["log"]}

    def inspect(self, message: Message, _: Answer) -> Message:
        """How it is."""
        return self.roster.at(message).message()

    def listed(self, _: Message, __: Answer) -> Message:
        """RUN-7. All of them: what a restarted agent adopts."""
        return {"containers": [container.message() for container in self.roster]}

    def remove(self, message: Message, answer: Answer) -> Message | None:
        """RUN-19. Forget one that does not run, with everything that was its own, its log included."""
        container = self.roster.at(message)
        container.require(Phase.CREATED, Phase.EXITED)
        self.roster.forget(container)

        def cleaned() -> None:
            if container.group is not None:
                container.group.remove()
            container.log.close()
            self._forget_folder(container.folder)
            answer({"ok": {}})

        self.roster.engine(container.engine).clean(container, cleaned)
        return Deferred

    def _forget_folder(self, folder: Path) -> None:
        unmount_below(folder)
        remove_tree(folder)

    def end_all(self) -> None:
        """Kill everything: the agent wants the shim to end."""
        for container in self.roster:
            if container.phase is Phase.PAUSED:
                self._resume(container)
            container.signal(signal.SIGKILL)


def check_sources(plan: ContainerPlan) -> None:
    """RUN-2. What a plan names on the host is there."""
    if plan.root != HOST_USR and not Path(plan.root).is_dir():
        raise Rejected(RuntimeRefusal.ROOT_MISSING, plan.root)
    for mount in plan.mounts:
        if not Path(mount.source).exists():
            raise Rejected(RuntimeRefusal.VOLUME_MISSING, mount.source)


def check_cage(plan: ContainerPlan, engine: str) -> None:
    """DET-1. Deterministic jobs run in the sandbox, on the one machine whose calls and instructions the cage knows."""
    if plan.cage is None:
        return
    if engine != "sandbox" or MACHINE != ARCHITECTURE:
        raise Rejected(RuntimeRefusal.NO_CAGE, f"{engine} on {MACHINE}: it needs the sandbox, on {ARCHITECTURE}")
    for one in plan.cage.inputs:
        if not Path(one.source).is_file():
            raise Rejected(RuntimeRefusal.VOLUME_MISSING, one.source)


_NEVER_BEGAN: Final = 125 << 8
"""A wait status: exit 125."""
