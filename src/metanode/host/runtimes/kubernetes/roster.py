"""The pods of one agent as they were last seen, the copies of their logs, and who is told what happens to them."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from metanode.host.runtimes.driver import ContainerState, Event, EventKind
from metanode.host.runtimes.kubernetes.access import Api, Json, name_in
from metanode.host.runtimes.kubernetes.copying import BOUNDS, NOTHING, LogCopy
from metanode.host.runtimes.kubernetes.place import KubernetesPlace
from metanode.host.runtimes.kubernetes.reading import KILLED, Sight, sight_of
from metanode.host.runtimes.kubernetes.watching import PodWatch
from metanode.host.runtimes.plan import LogBounds, checked_id
from metanode.host.runtimes.refusals import RuntimeRefusal
from metanode.host.runtimes.states import Exit, Phase
from metanode.primitives.refusal import Rejected

BEGIN_S: Final = 15.0
"""For the first list of pods."""
LOG_WAIT_S: Final = 5.0
"""For the rest of a log, once its container has ended, before that is told."""
TOLD: Final = 256
"""Events kept for a listener that does not listen; then the oldest goes: who was away asks `list`."""


@dataclass(slots=True)
class Known:
    """A pod as it was last seen, the copy of its log, and how far its life was told."""

    sight: Sight
    copy: LogCopy | None = None
    told: Phase | None = None

    @property
    def state(self) -> ContainerState:
        """As every driver says it."""
        return self.sight.state(self.copy.mark() if self.copy is not None else NOTHING)


def lost(sight: Sight) -> Sight:
    """KUBE-7. How a pod is that went without a word of how it ended."""
    end = Exit(KILLED, KILLED - 128, oom=False, at_ns=time.time_ns())
    return replace(sight, address="", phase=Phase.EXITED, exit=end, stuck=None, detail="its pod is gone")


class Roster:
    """KUBE-6. What the watch says, in the agent's own loop."""

    def __init__(self, api: Api, place: KubernetesPlace) -> None:
        self._api: Final = api
        self._place: Final = place
        self.known: Final[dict[str, Known]] = {}
        self.bounds: Final[dict[str, LogBounds]] = {}
        self._listeners: Final[list[asyncio.Queue[Event | None]]] = []
        self._tasks: Final[set[asyncio.Task[None]]] = set()
        self._change = asyncio.Event()
        self._listed = asyncio.Event()
        self._watch: PodWatch | None = None

    async def begin(self) -> None:
        """Watch: when this returns, every pod that an earlier agent began is known. Raises `Rejected`."""
        loop = asyncio.get_running_loop()

        def tell(hear: Callable[..., None]) -> Callable[..., None]:
            def told(*what: Any) -> None:
                with contextlib.suppress(RuntimeError):  # the loop is closed: nobody listens any more
                    loop.call_soon_threadsafe(hear, *what)

            return told

        self._watch = PodWatch(self._api, self._place, tell(self._hear_list), tell(self.hear))
        self._watch.begin()
        try:
            async with asyncio.timeout(BEGIN_S):
                await self._listed.wait()
        except TimeoutError:
            why = self._watch.trouble or "it does not answer"
            raise Rejected(RuntimeRefusal.ENGINE_GONE, f"no list of pods within {BEGIN_S:g} s: {why}") from None

    def _hear_list(self, pods: tuple[Json, ...]) -> None:
        """Every pod there is. What was known and is not there has gone while nobody looked."""
        there = set()
        for pod in pods:
            with contextlib.suppress(Rejected):
                there.add(sight_of(pod).id)
            self.hear("MODIFIED", pod)
        for name in [one for one in self.known if one not in there]:
            self._lose(name)
        self._listed.set()

    def expect(self, pod: Json) -> None:
        """A pod that was just made. What the watch says of it may have come before this answer, and is newer."""
        sight = sight_of(pod)
        known = self.known.get(sight.id)
        if known is None or known.sight.uid != sight.uid:
            self.hear("ADDED", pod)

    def hear(self, kind: str, pod: Json) -> None:
        """What became of one pod: `DELETED`, or anything else."""
        try:
            sight = sight_of(pod)
        except Rejected:
            return  # somebody else's pod with our label
        known = self.known.get(sight.id)
        if kind == "DELETED":
            if known is not None and known.sight.uid == sight.uid:
                known.sight = sight if sight.phase is Phase.EXITED else known.sight
                self._lose(sight.id)
            return
        if known is None or known.sight.uid != sight.uid:
            known = self.known[sight.id] = Known(sight)
            if not self._listed.is_set() and sight.phase is not Phase.STARTING:
                known.told = sight.phase  # who begins sees it in the list
        known.sight = sight
        if known.copy is None and sight.started_ns and sight.phase in (Phase.RUNNING, Phase.EXITED):
            self._copy(known)
        self._tell(known)
        self._changed()

    def _lose(self, name: str) -> None:
        """A pod is no longer there. One that had not ended was ended by somebody."""
        known = self.known.pop(name)
        self.bounds.pop(name, None)
        if known.sight.phase is not Phase.EXITED:
            known.sight = lost(known.sight)
            self._tell(known)
        if known.copy is not None:
            self._spawn(asyncio.to_thread(known.copy.end))
        self._changed()

    def _changed(self) -> None:
        old, self._change = self._change, asyncio.Event()
        old.set()

    def _tell(self, known: Known) -> None:
        """Events: that it runs, that it has ended; each once. Of one that never began `start` says it."""
        phase, before = known.sight.phase, known.told
        if phase is Phase.RUNNING and before is None:
            known.told = phase
            self._publish(Event(EventKind.STARTED, known.state))
        elif phase is Phase.EXITED and before is not Phase.EXITED:
            known.told = phase
            if known.sight.stuck is None or before is not None:
                self._spawn(self._tell_end(known))

    async def _tell_end(self, known: Known) -> None:
        await self.log_is_whole(known)
        self._publish(Event(EventKind.EXITED, known.state))

    async def log_is_whole(self, known: Known) -> None:
        """Wait for the rest of the log of a container that has ended; not for ever."""
        if known.copy is not None:
            await asyncio.to_thread(known.copy.done.wait, LOG_WAIT_S)

    def _publish(self, event: Event) -> None:
        for queue in self._listeners:
            if queue.full():
                queue.get_nowait()
            queue.put_nowait(event)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _copy(self, known: Known) -> None:
        name = known.sight.id
        path = f"/api/v1/namespaces/{self._place.namespace}/pods/{name_in(known.sight.name)}/log"
        bounds = self.bounds.get(name, BOUNDS)
        known.copy = LogCopy(self._api, path, self.folder(name), bounds, lambda: known.sight.phase is Phase.EXITED)
        known.copy.begin()

    def folder(self, name: str) -> Path:
        """Where the copy of a log is. The id is checked: it is no path."""
        return self._place.folder / "logs" / checked_id(name)

    async def until(self, name: str, enough: Callable[[Sight], bool], timeout_s: float) -> Known | None:
        """Wait for what the API server tells; nothing where the pod has gone. Raises `TimeoutError`."""
        async with asyncio.timeout(timeout_s):
            while True:
                change, known = self._change, self.known.get(name)
                if known is None or enough(known.sight):
                    return known
                await change.wait()

    def events(self) -> AsyncIterator[Event]:
        """What happens from now on, until this is closed."""
        queue: asyncio.Queue[Event | None] = asyncio.Queue(TOLD)
        self._listeners.append(queue)
        return self._heard(queue)

    async def _heard(self, queue: asyncio.Queue[Event | None]) -> AsyncIterator[Event]:
        try:
            while (event := await queue.get()) is not None:
                yield event
        finally:
            self._listeners.remove(queue)

    async def close(self) -> None:
        """Watch and copy no more."""
        for queue in self._listeners:
            if queue.full():
                queue.get_nowait()
            queue.put_nowait(None)
        if self._watch is not None:
            await asyncio.to_thread(self._watch.end)
        for known in self.known.values():
            if known.copy is not None:
                await asyncio.to_thread(known.copy.end)
        await asyncio.gather(*self._tasks, return_exceptions=True)
