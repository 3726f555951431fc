"""The drivers whose containers the shim is the parent of: `sandbox`, and `oci` by crun or runc."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

from metanode.host.runtimes.cage_probe import try_cage
from metanode.host.runtimes.caging import witnessed_of
from metanode.host.runtimes.driver import (
    Capability,
    ContainerState,
    Enforcement,
    Enforces,
    Event,
    EventKind,
    Execution,
    Lacks,
    LogRecord,
    Stats,
    Works,
)
from metanode.host.runtimes.link import ShimLink, ShimPlace, open_link
from metanode.host.runtimes.logs import read_log
from metanode.host.runtimes.plan import ContainerPlan
from metanode.host.runtimes.probing import tried
from metanode.host.runtimes.refusals import RuntimeRefusal
from metanode.host.runtimes.shim.frames import Message
from metanode.host.runtimes.shim.plans import plan_message
from metanode.host.runtimes.states import Exit, LogMark, Phase
from metanode.primitives.refusal import Rejected

SANDBOX: Final = "sandbox"
"""The engine without a program."""


def state_of(message: Message) -> ContainerState:
    """A container's state as the shim sent it."""
    ended = message["exit"]
    return ContainerState(
        id=message["id"],
        engine=message["engine"],
        phase=Phase(message["phase"]),
        pid=message["pid"],
        created_ns=message["created_ns"],
        started_ns=message["started_ns"],
        exit=Exit(*ended) if ended else None,
        log=LogMark(*message["log"]),
        witness=witnessed_of(message.get("witness")),
    )


async def version_of(program: str) -> str:
    """The last word of the first line it says of itself: `crun version 1.8.1`."""
    child = await asyncio.create_subprocess_exec(program, "--version", stdout=asyncio.subprocess.PIPE)
    said, _ = await child.communicate()
    return str(said.partition(b"\n")[0].rpartition(b" ")[2], errors="replace")[:40]


class ShimDriver:
    """One engine by one link. Implements `Driver`."""

    def __init__(self, link: ShimLink, engine: str = SANDBOX, place: ShimPlace | None = None) -> None:
        """`place`: where to find the shim again, for who wants to recover."""
        self._link = link
        self._engine: Final = engine
        self._place: Final = place

    async def _ask(self, request: str, **fields: Any) -> ContainerState:
        return state_of(await self._link.ask(request, **fields))

    async def probe(self) -> Capability:
        """RUN-21. Run a container that ends at once, with every limit and protection, and say what held."""
        if self._engine != SANDBOX and self._engine not in self._link.facts["outside"]:
            reason, fix = f"no program {self._engine} on this machine", f"apt-get install {self._engine}"
            if self._link.facts["rootless"]:
                reason, fix = f"{self._engine} needs root here", "run the agent as root, or use the sandbox"
            return Lacks(self._engine, reason, fix)
        if (lacks := await tried(self, self._engine)) is not None:
            return lacks
        return await self._works()

    async def _works(self) -> Works:
        facts = self._link.facts
        groups, notes = facts["groups"], []
        whole = Enforcement.WHOLE
        enforces = Enforces(whole, whole, whole)
        if not groups["version"]:
            pids = Enforcement.WHOLE if facts["rootless"] else Enforcement.NOT
            enforces = Enforces(Enforcement.EACH_PROCESS, Enforcement.NOT, pids)
            notes.append(f"memory is held a process and processor time not at all: {groups['reason']}; {groups['fix']}")
        if not facts["landlock"] and self._engine == SANDBOX:
            notes.append("no Landlock: boot a kernel of version 5.13 or later with lsm=landlock")
        version = facts["python"] if self._engine == SANDBOX else await version_of(facts["outside"][self._engine])
        if self._engine != SANDBOX:
            return Works(self._engine, version, enforces, tuple(notes))
        cage, more = await try_cage(self)
        return Works(self._engine, version, enforces, (*notes, *more, *((cage,) if cage else ())), cage)

    async def create(self, plan: ContainerPlan) -> ContainerState:
        """Accept a plan."""
        return await self._ask("create", plan=plan_message(plan), engine=self._engine)

    async def start(self, name: str) -> ContainerState:
        """Begin its program."""
        return await self._ask("start", id=name)

    async def stop(self, name: str, grace_ms: int | None = None) -> ContainerState:
        """Ask it to end, then end it."""
        grace = {} if grace_ms is None else {"grace_ms": grace_ms}
        return await self._ask("stop", id=name, **grace)

    async def kill(self, name: str) -> ContainerState:
        """End it now."""
        return await self._ask("kill", id=name)

    async def pause(self, name: str) -> ContainerState:
        """Stop all its processes where they are."""
        return await self._ask("pause", id=name)

    async def resume(self, name: str) -> ContainerState:
        """Let them go on."""
        return await self._ask("resume", id=name)

    async def exec(
        self, name: str, command: tuple[str, ...], env: tuple[tuple[str, str], ...] = (), *, tty: bool = False
    ) -> Execution:
        """Execute one more command in it."""
        return await self._link.execute(id=name, command=list(command), env=[list(pair) for pair in env], tty=tty)

    async def stats(self, name: str) -> Stats:
        """What it uses."""
        answer = await self._link.ask("stats", id=name)
        return Stats(*answer["usage"], *answer["log"][:1])

    async def inspect(self, name: str) -> ContainerState:
        """How it is."""
        return await self._ask("inspect", id=name)

    async def list(self) -> tuple[ContainerState, ...]:
        """All of this engine, whoever started them."""
        answer = await self._link.ask("list")
        states = (state_of(message) for message in answer["containers"])
        return tuple(state for state in states if state.engine == self._engine)

    async def remove(self, name: str) -> None:
        """Forget one that does not run."""
        await self._link.ask("remove", id=name)

    async def events(self) -> AsyncIterator[Event]:
        """What happens to containers of this engine; after `LOST` nothing more."""
        async for message in self._link.events():
            if message["event"] == "taken-over":
                break
            state = state_of(message["container"])
            if state.engine == self._engine:
                yield Event(EventKind(message["event"]), state)
        yield Event(EventKind.LOST, None)

    async def recover(self) -> None:
        """RUN-7. Connect again, to a new shim where the old one is gone; that one has swept up after it first."""
        assert self._place is not None, "who recovers says where"
        self._link = await open_link(self._place)

    async def close(self) -> None:
        """Leave the shim to itself."""
        await self._link.close()

    async def logs(self, name: str, since: int = 0, *, follow: bool = False) -> AsyncIterator[LogRecord]:
        """What it said."""
        folder = Path((await self._link.ask("inspect", id=name))["log_folder"])

        async def has_ended() -> bool:
            try:
                return (await self.inspect(name)).phase is Phase.EXITED
            except Rejected as refusal:
                if refusal.reason in {RuntimeRefusal.UNKNOWN, RuntimeRefusal.SHIM_GONE}:
                    return True
                raise

        async for record in read_log(folder, since, has_ended if follow else None):
            yield record
