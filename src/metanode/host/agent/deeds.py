"""The agent's effects as deeds: fetch, run, stop, remove, look, report; each ends in an event for the machine."""

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from metanode.docklock.agent.events import (
    Ended,
    Fetch,
    Fetched,
    Heard,
    Ran,
    Remove,
    Removed,
    Report,
    Reported,
    Run,
    Stop,
    Vanished,
)
from metanode.docklock.cluster.signed import check_image, demands_something
from metanode.host.agent.chain import ChainPort, ChainUnreachable
from metanode.host.agent.content import MISSING, Content
from metanode.host.agent.ended import EndedLogs
from metanode.host.agent.furnishing import Furnishing
from metanode.host.agent.mesh.node_mesh import NodeMesh
from metanode.host.agent.planning import NO_IMAGE, Unpacked, plan_of
from metanode.host.agent.records import Records
from metanode.host.agent.witnessed import Witnesses
from metanode.host.fault import Fault
from metanode.host.runtimes.driver import Driver, EventKind
from metanode.host.runtimes.refusals import RuntimeRefusal
from metanode.host.runtimes.states import Exit, Phase
from metanode.primitives.refusal import Rejected
from metanode.records.cluster_calls import ClusterReport
from metanode.records.secret import SecretRefusal

AGAIN_S: Final = 0.5
"""Between two tries to reach a runtime that is lost, or a chain that does not take a report."""
LOST: Final = 137
"""The exit code of what was lost with its engine: killed, as far as anybody knows."""


def now_ms() -> int:
    """This machine's clock, in milliseconds of Unix time."""
    return time.time_ns() // 1_000_000


@dataclass(frozen=True, slots=True)
class Materials:
    """What containers are made of: content by digest, the unpacked image of a manifest's digest, named volumes."""

    content: Content
    image: Callable[[bytes], Unpacked]
    volumes: Path
    furnishing: Furnishing


class Deeds:
    """Does what the machine asks for. `tell`: the machine's ear."""

    def __init__(
        self,
        cluster: str,
        node: str,
        driver: Driver,
        chain: ChainPort,
        materials: Materials,
        records: Records,
        tell: Callable[[Heard], None],
    ) -> None:
        self._cluster: Final = cluster
        self._node: Final = node
        self._driver: Final = driver
        self._chain: Final = chain
        self._content: Final = materials.content
        self._volumes: Final = materials.volumes
        self._image: Final = materials.image
        self._furnishing: Final = materials.furnishing
        self._tell: Final = tell
        self.records: Final = records
        self._log: Final = logging.getLogger("metanode.agent")
        self.mesh: NodeMesh | None = None
        self.witnesses: Witnesses | None = None
        self.ended: EndedLogs | None = None
        self.sequence = 0
        self._starting: Final[set[str]] = set()
        self._unheard = ""

    async def fetch(self, effect: Fetch) -> None:
        """AGENT-9. Terms from the chain, the specification by its digest, the image unpacked."""
        one = effect.assignment
        try:
            terms = await asyncio.to_thread(self._chain.terms, one.workload, one.revision)
            spec = await asyncio.to_thread(self._content.spec, one.spec, terms)
            if spec is None:
                self._tell(Fetched(now_ms(), effect.name, None, MISSING, final=False))
                return
            if terms.demand.image:
                await self._check_image(effect.name, terms.demand.image)
                image = await asyncio.to_thread(self._image, terms.demand.image)
                if image.source:
                    self.records.tell("pulled", one, terms.demand.image, {"source": image.source})
            if not await self._furnishing.gather(effect.name, one, spec, runs=await self._is_there(effect.name)):
                self._tell(Fetched(now_ms(), effect.name, None, SecretRefusal.MISSING, final=False))
                return
            if self.witnesses is not None and not await asyncio.to_thread(self.witnesses.gather, spec):
                self._tell(Fetched(now_ms(), effect.name, None, MISSING, final=False))
                return
        except (ChainUnreachable, Fault) as error:
            self._log.warning("fetch", extra={"container": effect.name, "why": str(error)})
            self._tell(Fetched(now_ms(), effect.name, None, MISSING, final=False))
        except Rejected as refused:
            self._furnishing.leave(effect.name)
            self._log.warning("refused", extra={"container": effect.name, "why": str(refused)})
            self._tell(Fetched(now_ms(), effect.name, None, str(refused.reason), final=True))
        else:
            if self.mesh is not None:
                await self.mesh.knows(effect.name, one, spec)
            self._tell(Fetched(now_ms(), effect.name, spec, "", final=True))

    async def _check_image(self, name: str, image: bytes) -> None:
        """CLUSTER-23. Before it starts, whether the cluster lets the image run, by what is proved here and by
        signatures that are verified here; what is adopted runs on. Raises `Rejected`."""
        settings = (await asyncio.to_thread(self._chain.settled))[0].settings
        if demands_something(settings) and not await self._is_there(name):
            check_image(settings, image, await asyncio.to_thread(self._chain.about_image, image))

    async def _is_there(self, name: str) -> bool:
        """Whether the runtime has a container of this name, which is then only adopted."""
        try:
            await self._driver.inspect(name)
        except Rejected:
            return False
        return True

    async def run(self, effect: Run) -> None:
        """Create and start a container; what was left of an earlier try goes first."""
        spec, one = effect.spec, effect.assignment
        self._starting.add(effect.name)
        try:
            image = NO_IMAGE
            if spec.terms.demand.image:
                image = await asyncio.to_thread(self._image, spec.terms.demand.image)
            secrets = await self._furnishing.furnish(one, spec)
            cage = self.witnesses.cage(one, spec) if self.witnesses is not None else None
            plan = plan_of(effect.name, one.index, spec, image, self._volumes, secrets, cage)
            if effect.name not in self._starting:
                return  # it was asked to end while this was prepared, and what never began has ended
            await self._driver.create(plan)
            del plan, secrets  # what was released is the runtime's now
            self.records.tell("created", one, spec.terms.demand.image, {})
            await self._driver.start(effect.name)
        except (Rejected, Fault, OSError) as error:
            self._log.warning("not started", extra={"container": effect.name, "why": str(error)})
            code = str(error.reason) if isinstance(error, Rejected | Fault) else str(RuntimeRefusal.SETUP_FAILED)
            self._tell(Ran(now_ms(), effect.name, code))
        else:
            if self.mesh is not None:
                await self.mesh.look(effect.name)
            self._tell(Ran(now_ms(), effect.name, ""))

    async def stop(self, effect: Stop) -> None:
        """Ask it to end; that it did is heard from the driver's events, or said here where it does not run."""
        while True:
            try:
                state = await self._driver.stop(effect.name, effect.grace_ms)
            except Rejected as refused:
                if refused.reason is RuntimeRefusal.ENGINE_GONE:  # it may run on: nobody says that it has ended
                    self._log.warning("not stopped", extra={"container": effect.name, "why": str(refused)})
                    await asyncio.sleep(AGAIN_S)
                    continue
                self._starting.discard(effect.name)
                self._tell(Ended(now_ms(), effect.name, 0, out_of_memory=False))
            else:
                self._tell(self._ended(effect.name, state.exit))
            return

    async def remove(self, effect: Remove) -> None:
        """Leave nothing of it but the end of what it said; one that is not there is removed already."""
        if self.mesh is not None:
            self.mesh.gone(effect.name)
        if self.ended is not None:
            with contextlib.suppress(Rejected, OSError):
                await self.ended.keep(effect.name, self._driver.logs(effect.name))
        while True:
            try:
                await self._driver.remove(effect.name)
            except Rejected as refused:
                if refused.reason is not RuntimeRefusal.UNKNOWN:
                    self._log.warning("not removed", extra={"container": effect.name, "why": str(refused)})
                if refused.reason is RuntimeRefusal.ENGINE_GONE:  # something of it may be there
                    await asyncio.sleep(AGAIN_S)
                    continue
            break
        self._furnishing.leave(effect.name)
        self._tell(Removed(now_ms(), effect.name))

    async def report(self, effect: Report) -> None:
        """AGENT-8. One transaction that says that the node lives and what changed. One that nobody took, or that was
        refused, comes back after a pause: it would be said again at once, as fast as nobody can be reached."""
        batch = await self.records.next_batch(self.records.pinned.due)
        self.sequence += 1
        call = ClusterReport(
            cluster=self._cluster,
            node=self._node,
            sequence=self.sequence,
            replicas=effect.replicas,
            receipts=batch,
            sightings=effect.sightings,
        )
        try:
            outcome = await asyncio.to_thread(self._chain.submit, call)
        except ChainUnreachable as error:
            await self._not_reported(str(error))
            return
        if outcome.code:
            await self._not_reported(outcome.code)
            return
        self._unheard = ""
        self.records.pinned.reported(batch, outcome.height)
        self._tell(Reported(now_ms(), final=True))

    async def _not_reported(self, why: str) -> None:
        """Said once in the log for as long as it is the same."""
        if why != self._unheard:
            self._log.warning("a report is not on chain: it is said again", extra={"why": why})
        self._unheard = why
        await asyncio.sleep(AGAIN_S)
        self._tell(Reported(now_ms(), final=False))

    async def watch(self) -> None:
        """What the driver says of containers by itself; where the engine is lost it is begun anew."""
        while True:
            async for event in self._driver.events():
                match event.kind:
                    case EventKind.EXITED if event.state is not None:
                        if self.witnesses is not None and await self.witnesses.took(event.state):
                            continue
                        self._tell(self._ended(event.state.id, event.state.exit))
                    case EventKind.LOST:
                        break
                    case _:
                        pass
            await self._begin_anew()

    async def _begin_anew(self) -> None:
        """AGENT-12. Reach the engine again, however long it takes, and see what is left of what ran."""
        while True:
            try:
                await self._driver.recover()
                found = await self._driver.list()
            except (Rejected, OSError) as error:
                self._log.warning("the runtime is lost", extra={"why": str(error)})
                await asyncio.sleep(AGAIN_S)
            else:
                break
        left = tuple(state.id for state in found if state.phase is not Phase.EXITED)
        self._log.warning("the runtime began anew", extra={"why": f"{len(left)} containers are left"})
        self._tell(Vanished(now_ms(), left))

    def _ended(self, name: str, end: Exit | None) -> Ended:
        if end is None:
            return Ended(now_ms(), name, LOST, out_of_memory=False)
        return Ended(now_ms(), name, min(end.code, 255), out_of_memory=end.oom)
