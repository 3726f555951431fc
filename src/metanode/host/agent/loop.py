"""The agent's loop: events into its machine, effects out as deeds, the chain followed beside."""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any, Final, assert_never

from metanode.docklock.agent import Agent
from metanode.docklock.agent.events import (
    Desired,
    Effect,
    Fetch,
    Found,
    Heard,
    Inspect,
    Probe,
    Probed,
    Record,
    Remove,
    Report,
    Run,
    Stop,
    Tick,
    Wake,
)
from metanode.docklock.cluster.state import Assignment
from metanode.host.agent.chain import ChainPort, ChainUnreachable
from metanode.host.agent.deeds import Deeds, now_ms
from metanode.host.agent.inspecting import Inspector
from metanode.host.agent.probes import look
from metanode.host.agent.sight import Sight
from metanode.host.runtimes.driver import Driver
from metanode.host.runtimes.states import Phase
from metanode.records.workload import WorkloadSpec

AGAIN_S: Final = 0.5
"""Between two tries to reach the chain."""


class AgentLoop:
    """One agent at work. `deeds` is given after it is made, because it tells this loop what became of each deed;
    `beside`: what else runs as long as it does."""

    def __init__(self, machine: Agent, driver: Driver, chain: ChainPort) -> None:
        self._machine: Final = machine
        self._driver: Final = driver
        self._chain: Final = chain
        self._events: asyncio.Queue[Heard | BaseException] = asyncio.Queue()
        self._tasks: set[asyncio.Task[None]] = set()
        self._alarm: asyncio.TimerHandle | None = None
        self._log: Final = logging.getLogger("metanode.agent")
        self.deeds: Deeds | None = None
        self.inspector: Inspector | None = None
        self.beside: tuple[Callable[[], Coroutine[Any, Any, None]], ...] = ()
        self.height = 0
        self.sight: Final = Sight(now_ms())

    def tell(self, event: Heard) -> None:
        """Something was heard."""
        self._events.put_nowait(event)

    async def run(self) -> None:
        """Adopt what runs, then follow the chain until cancelled. Raises what a deed failed by: a defect of ours, or a
        `Fault` of the machine. An agent that cannot do its deeds ends and says why; its containers run on."""
        assert self.deeds is not None, "deeds are given before it runs"
        found = await self._driver.list()
        if self.deeds.witnesses is not None:
            await self.deeds.witnesses.adopt(found)
        self.tell(
            Found(
                now_ms(),
                tuple(
                    (one.id, one.phase in (Phase.RUNNING, Phase.PAUSED), one.exit.code if one.exit else 0)
                    for one in found
                ),
            )
        )
        for work in self.beside:
            self._spawn(work())
        self._spawn(self.deeds.watch())
        self._spawn(self._follow())
        try:
            while True:
                event = await self._events.get()
                if isinstance(event, BaseException):
                    raise event
                for effect in self._machine.handle(event):
                    self._carry(effect)
        finally:
            await self._end_deeds()

    async def _end_deeds(self) -> None:
        """Whatever is under way ends before the runtime is left: nobody may take its end for a loss."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def spec_of(self, name: str) -> WorkloadSpec | None:
        """The specification of a container, where it is one of this node's."""
        return self._machine.spec_of(name)

    def about(self, name: str) -> tuple[Assignment, bytes] | None:
        """The assignment of a container and its image, where it is one of this node's."""
        return self._machine.about(name)

    def images(self) -> frozenset[bytes] | None:
        """What the containers here are made of, once that is known."""
        return self._machine.images()

    async def _follow(self) -> None:
        """AGENT-1. Every new head: the share as it is proved there."""
        assert self.deeds is not None, "deeds are given before it runs"
        while True:
            try:
                head = await asyncio.to_thread(self._chain.wait, self.height)
                if head <= self.height:
                    self.sight.quiet(now_ms())
                    continue
                proved = await asyncio.to_thread(self._chain.share)
            except ChainUnreachable as error:
                self.sight.away(str(error))
                await asyncio.sleep(AGAIN_S)
                continue
            timeout_ms = proved.cluster.settings.heartbeat_timeout_ms
            self.sight.proved(now_ms(), proved.height, proved.header_ms, timeout_ms)
            self.height = proved.height
            self.deeds.sequence = max(self.deeds.sequence, proved.share.sequence)
            self.deeds.records.pinned.heard(proved.height, proved.share)
            self.tell(
                Desired(
                    now_ms(),
                    proved.height,
                    proved.share.assignments,
                    timeout_ms,
                    proved.share.duties,
                )
            )

    def _carry(self, effect: Effect) -> None:
        deeds = self.deeds
        assert deeds is not None, "deeds are given before it runs"
        match effect:
            case Fetch():
                self._spawn(deeds.fetch(effect))
            case Run():
                self._spawn(deeds.run(effect))
            case Stop():
                self._spawn(deeds.stop(effect))
            case Remove():
                self._spawn(deeds.remove(effect))
            case Probe():
                self._spawn(self._look(effect))
            case Inspect():
                self._spawn(self._inspect(effect))
            case Report():
                self._spawn(deeds.report(effect))
            case Record():
                self._log.info(effect.step, extra={"container": effect.name, "code": effect.code})
                deeds.records.put(effect)
            case Wake():
                self._wake(effect.at_ms)
            case _:
                assert_never(effect)

    async def _inspect(self, effect: Inspect) -> None:
        assert self.inspector is not None, "whoever has duties was given an inspector"
        self.tell(await self.inspector.look(effect))

    async def _look(self, effect: Probe) -> None:
        well = await look(self._driver, effect.name, effect.check)
        self.tell(Probed(now_ms(), effect.name, well))

    def _wake(self, at_ms: int) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
        wait_s = max(0.001, (at_ms - now_ms()) / 1_000)
        self._alarm = asyncio.get_running_loop().call_later(wait_s, lambda: self.tell(Tick(now_ms())))

    def _spawn(self, deed: Coroutine[Any, Any, None]) -> None:
        """A deed beside the others; one that fails by a defect of ours ends the agent, not silently its container."""
        task = asyncio.create_task(deed)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        failed = None if task.cancelled() else task.exception()
        if failed is not None:
            self._log.error("a deed failed", exc_info=failed)
            self._events.put_nowait(failed)
