"""The driver whose containers an engine of the Docker Engine API is the parent of: `docker`, by dockerd or podman."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Final

from metanode.host.runtimes.docker.answers import exit_of, phase_of, unix_ns
from metanode.host.runtimes.docker.api import EngineSays
from metanode.host.runtimes.docker.box import Box, kill_inside
from metanode.host.runtimes.docker.execution import DockerExecution, refusal_of
from metanode.host.runtimes.docker.hold import Hold
from metanode.host.runtimes.docker.place import Place
from metanode.host.runtimes.docker.probe import probe
from metanode.host.runtimes.driver import Capability, ContainerState, Event, EventKind, Execution, LogRecord, Stats
from metanode.host.runtimes.logs import read_log
from metanode.host.runtimes.plan import (
    GRACE_MAX_MS,
    ContainerPlan,
    checked_number,
    checked_variables,
    checked_words,
)
from metanode.host.runtimes.refusals import RuntimeRefusal
from metanode.host.runtimes.states import Phase
from metanode.primitives.refusal import Rejected

EXECUTIONS_MAX: Final = 64
"""Commands at a time, in all containers of an agent."""
FREEZE_TRIES: Final = 5
"""Of an engine to freeze a container."""
DRAIN_TIMEOUT_S: Final = 10.0
"""For what a container said last; then its end is told without."""
END_TIMEOUT_S: Final = 60.0
"""From SIGKILL until the engine says that it has ended; what is in the kernel may take its time."""
LOOK_EVERY_S: Final = 0.005
"""Between two looks whether a container has ended, at first."""
LOOK_SELDOM_S: Final = 0.1
"""And after a while."""
_RUNS: Final = (Phase.RUNNING, Phase.PAUSED)


class DockerDriver:
    """DOCKER-1 to DOCKER-6. One engine by its socket. Implements `Driver`."""

    def __init__(self, place: Place) -> None:
        self._hold: Final = Hold(place, self._ended)
        self._executions: Final[dict[DockerExecution, Box]] = {}

    async def probe(self) -> Capability:
        """RUN-21. Whether it works here, tried in earnest."""
        return await probe(self._hold, self)

    async def _state(self, box: Box) -> ContainerState:
        """How it is; of one that has ended only when everything it said is here."""
        found = await self._hold.inspect(box)
        phase = Phase.EXITED if box.has_failed else phase_of(found.state)
        if phase is Phase.EXITED:
            with suppress(TimeoutError):
                async with asyncio.timeout(DRAIN_TIMEOUT_S):
                    await box.copy.drained.wait()
        has_ended = phase is Phase.EXITED
        return ContainerState(
            id=box.terms.id,
            engine=self._hold.engine,
            phase=phase,
            pid=found.state.pid if phase in _RUNS else 0,
            created_ns=unix_ns(found.created),
            started_ns=unix_ns(found.state.started_at),
            exit=exit_of(found.state, oom=found.state.oom_killed or box.oom) if has_ended else None,
            log=box.copy.log.mark(),
        )

    async def create(self, plan: ContainerPlan) -> ContainerState:
        """Accept a plan."""
        return await self._state(await self._hold.create(plan))

    async def start(self, name: str) -> ContainerState:
        """Begin its program."""
        box = await self._hold.box(name)
        async with box.lock:
            state = await self._state(box)
            _require(state, Phase.CREATED)
            try:
                await self._hold.start(box)
            except EngineSays as said:
                box.fails()
                box.unwatch()
                box.over.set()
                box.copy.drained.set()
                self._hold.tell(Event(EventKind.EXITED, await self._state(box)))
                raise refusal_of(said.words) from None
            state = await self._state(box)
            self._hold.tell(Event(EventKind.STARTED, state if state.phase in _RUNS else _as_running(state)))
            box.begun.set()
        return state

    def _ended(self, box: Box) -> None:
        """Its first process is gone: wait for the engine to know, then tell."""
        self._hold.spawn(lambda: self._tell_end(box))

    async def _tell_end(self, box: Box) -> None:
        wait_s = LOOK_EVERY_S
        while phase_of((await self._hold.inspect(box)).state) is not Phase.EXITED:
            await asyncio.sleep(wait_s)
            wait_s = min(wait_s * 2, LOOK_SELDOM_S)
        box.over.set()
        self._hold.secrets.forget(box.terms.id)
        await box.begun.wait()
        self._hold.tell(Event(EventKind.EXITED, await self._state(box)))

    async def stop(self, name: str, grace_ms: int | None = None) -> ContainerState:
        """Ask it to end, then end it."""
        box = await self._hold.box(name)
        state = await self._state(box)
        if state.phase is Phase.EXITED:
            return state
        wait_ms = box.terms.stop_grace_ms if grace_ms is None else grace_ms
        checked_number("grace_ms", wait_ms, 0, GRACE_MAX_MS)
        _require(state, *_RUNS)
        if state.phase is Phase.PAUSED:
            await self._do(box, "unpause")
        if box.terms.stop_signal != "KILL":
            await self._signal(box, box.terms.stop_signal)
        if not await self._over(box, wait_ms / 1000):
            await self._signal(box, "KILL")
            if not await self._over(box, END_TIMEOUT_S):
                raise Rejected(RuntimeRefusal.ENGINE_ANSWER, f"{name} was killed and has not ended")
        return await self._state(box)

    async def _over(self, box: Box, wait_s: float) -> bool:
        try:
            async with asyncio.timeout(wait_s):
                await self._hold.or_lost(box.over)
        except TimeoutError:
            return False
        return True

    async def _signal(self, box: Box, name: str) -> None:
        """A signal to its first process; one that has just ended hears none."""
        with suppress(EngineSays):
            await self._hold.api.call("POST", f"/containers/{box.cid}/kill", signal=f"SIG{name}")

    async def _do(self, box: Box, what: str) -> None:
        """Pause it, or let it go on. On a busy machine runc gives up before all processes of a group stand still."""
        words = ""
        for _ in range(FREEZE_TRIES):
            try:
                await self._hold.api.call("POST", f"/containers/{box.cid}/{what}")
            except EngineSays as said:
                words = said.words
            else:
                return
        raise Rejected(RuntimeRefusal.SETUP_FAILED, f"{what}: {words}")

    async def kill(self, name: str) -> ContainerState:
        """End it now."""
        return await self.stop(name, 0)

    async def pause(self, name: str) -> ContainerState:
        """Stop all its processes where they are."""
        return await self._turn(name, "pause", Phase.RUNNING)

    async def resume(self, name: str) -> ContainerState:
        """Let them go on."""
        return await self._turn(name, "unpause", Phase.PAUSED)

    async def _turn(self, name: str, what: str, phase: Phase) -> ContainerState:
        box = await self._hold.box(name)
        async with box.lock:
            _require(await self._state(box), phase)
            await self._do(box, what)
            return await self._state(box)

    async def exec(
        self, name: str, command: tuple[str, ...], env: tuple[tuple[str, str], ...] = (), *, tty: bool = False
    ) -> Execution:
        """DOCKER-5. Execute one more command in it."""
        box = await self._hold.box(name)
        checked_words(command)
        checked_variables(env)
        _require(await self._state(box), Phase.RUNNING)
        for one in [one for one in self._executions if one.is_over]:
            del self._executions[one]
        if len(self._executions) >= EXECUTIONS_MAX:
            raise Rejected(RuntimeRefusal.FULL, f"{EXECUTIONS_MAX} commands run already")
        fields = {"Cmd": list(command), "Env": [f"{name}={value}" for name, value in env], "Privileged": False}
        try:
            execution = await DockerExecution.begin(self._hold.api, box.cid, fields, tty=tty)
        except EngineSays as said:
            raise Rejected(RuntimeRefusal.SETUP_FAILED, said.words) from None
        self._executions[execution] = box
        return execution

    async def stats(self, name: str) -> Stats:
        """What it uses, by its control group."""
        box = await self._hold.box(name)
        usage = box.usage()
        return Stats(
            usage.memory_bytes,
            usage.memory_peak_bytes,
            usage.cpu_ns,
            usage.pids,
            usage.oom_kills,
            box.copy.log.mark().end,
        )

    async def inspect(self, name: str) -> ContainerState:
        """How it is."""
        return await self._state(await self._hold.box(name))

    async def list(self) -> tuple[ContainerState, ...]:
        """All of this agent's folder, whoever started them."""
        boxes = await self._hold.boxes()
        return tuple(await asyncio.gather(*(self._state(box) for box in boxes)))

    async def remove(self, name: str) -> None:
        """Forget one that does not run, with its log."""
        box = await self._hold.box(name)
        async with box.lock:
            _require(await self._state(box), Phase.CREATED, Phase.EXITED)
            await self._hold.remove(box)

    async def events(self) -> AsyncIterator[Event]:
        """What happens to containers of this agent; after `LOST` nothing more."""
        heard: asyncio.Queue[Event] = asyncio.Queue()
        self._hold.hear(heard)
        try:
            while True:
                event = await heard.get()
                yield event
                if event.kind is EventKind.LOST:
                    return
        finally:
            self._hold.hear_no_more(heard)

    async def recover(self) -> None:
        """DOCKER-2. Reach the engine again; what it still runs is adopted."""
        self._leave_executions()
        await self._hold.leave()
        await self._hold.reach()

    async def close(self) -> None:
        """Leave the engine to itself; commands end, for nobody hears them."""
        for execution, box in tuple(self._executions.items()):
            if not execution.is_over:
                with suppress(Rejected):
                    kill_inside(await execution.pid(), box.group)
        self._leave_executions()
        await self._hold.leave()
        self._hold.api.close()

    def _leave_executions(self) -> None:
        for execution in self._executions:
            execution.leave()
        self._executions.clear()

    async def logs(self, name: str, since: int = 0, *, follow: bool = False) -> AsyncIterator[LogRecord]:
        """What it said."""
        box = await self._hold.box(name)

        async def has_ended() -> bool:
            return box.copy.drained.is_set() or self._hold.is_lost or not box.folder.exists()

        async for record in read_log(box.copy.folder, since, has_ended if follow else None):
            yield record


def _require(state: ContainerState, *phases: Phase) -> None:
    if state.phase not in phases:
        wanted = " or ".join(phases)
        raise Rejected(RuntimeRefusal.WRONG_PHASE, f"{state.id} is {state.phase}, not {wanted}")


def _as_running(state: ContainerState) -> ContainerState:
    """One that has begun and ended between two looks: as it was."""
    return ContainerState(state.id, state.engine, Phase.RUNNING, 0, state.created_ns, state.started_ns, None, state.log)
