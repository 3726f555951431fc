"""What an agent holds of its engine: the connection, and a box for each of its containers, whoever started them."""

import asyncio
import json
import platform
from collections.abc import Callable, Coroutine
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from metanode.host.runtimes.docker.answers import Created, Executed, Info, Inspected, Listed, Version, phase_of
from metanode.host.runtimes.docker.api import EngineApi, EngineSays
from metanode.host.runtimes.docker.box import Box, kill_inside
from metanode.host.runtimes.docker.config import KEY, Surroundings, body_of, profile, terms_of
from metanode.host.runtimes.docker.images import EngineImages
from metanode.host.runtimes.docker.memory import Secrets
from metanode.host.runtimes.docker.outputs import Copy, by_api, by_file
from metanode.host.runtimes.docker.place import Place
from metanode.host.runtimes.docker.streams import Stream, open_stream
from metanode.host.runtimes.driver import Event, EventKind
from metanode.host.runtimes.plan import ContainerPlan
from metanode.host.runtimes.refusals import RuntimeRefusal
from metanode.host.runtimes.shim.cgroups import NAME
from metanode.host.runtimes.shim.main import key_of
from metanode.host.runtimes.shim.root import write_names
from metanode.host.runtimes.shim.server import check_sources
from metanode.host.runtimes.shim.tree import remove_tree
from metanode.host.runtimes.states import Phase
from metanode.primitives.refusal import Rejected

PODMAN: Final = "podman"
DOCKER: Final = "docker"
"""The two engines, by what they say they are."""
PING_EVERY_S: Final = 1.0
"""Between two looks whether an engine lives that does not tell events."""
EVENT_BYTES: Final = 64 << 10
"""One read of what an engine tells by itself."""
CONTAINERS_MAX: Final = 1024
"""Of one agent."""
_CONTAINERS: Final = "c"
"""The folder of containers in the agent's."""
_CONMON: Final = "conmon"
"""Podman's own group below the one it is told: of what holds the ends of a container's output."""
_PROFILE: Final = "seccomp.json"
_PODMANS_OWN: Final = "/v4.0.0/libpod"
"""Podman's API beside the common one: a container made ready and not begun has a process to watch."""


class Hold:
    """One engine. `ended`: told of a box whose first process is gone."""

    def __init__(self, place: Place, ended: Callable[[Box], None]) -> None:
        self.place: Final = place
        self.key: Final = key_of(place.folder)
        self.api: Final = EngineApi(place.socket)
        self.secrets: Final = Secrets(self.key)
        self.images: Final = EngineImages(self.api, place.folder, self.key, platform.machine(), place.source)
        self.version: Version | None = None
        self.info = Info()
        self._ended: Final = ended
        self._boxes: Final[dict[str, Box]] = {}
        self._tasks: Final[set[asyncio.Task[None]]] = set()
        self._heard: Final[list[asyncio.Queue[Event]]] = []
        self._lock: Final = asyncio.Lock()
        self._events: Stream | None = None
        self._lost = asyncio.Event()
        self._reached = False

    @property
    def is_lost(self) -> bool:
        """Whether the engine went away."""
        return self._lost.is_set()

    @property
    def is_podman(self) -> bool:
        """Which of the two is behind the socket."""
        assert self.version is not None, "asked after it was reached"
        return any(PODMAN in one.name.lower() for one in self.version.components)

    @property
    def engine(self) -> str:
        """What it is."""
        return PODMAN if self.is_podman else DOCKER

    @property
    def _parent(self) -> str:
        """DOCKER-1. The control group of this agent; systemd makes groups of its own names."""
        return f"/{NAME}/{self.key}" if self.info.cgroup_driver == "cgroupfs" else ""

    def _leave_group(self) -> None:
        """Nothing is in it any more: engines remove only what is below."""
        for line in Path("/proc/self/mounts").read_text().splitlines():
            _, point, kind, *_ = line.split()
            if kind in {"cgroup", "cgroup2"}:
                for name in (_CONMON, "."):
                    with suppress(OSError):
                        Path(point, NAME, self.key, name).rmdir()

    async def reach(self) -> None:
        """DOCKER-2. Connect, and adopt what runs. Raises `Rejected`."""
        async with self._lock:
            if self._lost.is_set():
                raise Rejected(RuntimeRefusal.ENGINE_GONE, f"{self.place.socket}: it went away")
            if self._reached:
                return
            try:
                (await open_stream(self.place.socket, "GET", "/_ping")).close()
                self.version = await self.api.asked(Version, "GET", "/version")
                self.api.choose(self.version.least)
                self.info = await self.api.asked(Info, "GET", "/info")
                (self.place.folder / _CONTAINERS).mkdir(0o700, parents=True, exist_ok=True)
                (self.place.folder / _PROFILE).write_text(json.dumps(profile()))
                self._events = await self._open_events()
                await self._adopt()
            except EngineSays as said:
                raise Rejected(RuntimeRefusal.SETUP_FAILED, said.words) from None
            self._reached = True
            self.spawn(self._listen)

    async def _open_events(self) -> Stream | None:
        filters = json.dumps({"label": [f"{KEY}={self.key}"], "type": ["container"]}, separators=(",", ":"))
        target = self.api.versioned("/events?filters=" + filters.replace('"', "%22"))
        try:
            return await open_stream(self.place.socket, "GET", target)
        except EngineSays:
            return None

    async def _listen(self) -> None:
        """Until the engine goes away. What happened is known from processes; this connection ends with the engine."""
        if self._events is not None:
            with suppress(OSError):
                while await self._events.reader.read(EVENT_BYTES):
                    pass
        else:
            with suppress(Rejected, EngineSays):
                while True:
                    await self.api.call("GET", "/_ping")
                    await asyncio.sleep(PING_EVERY_S)
        self._lost.set()
        self.tell(Event(EventKind.LOST, None))

    async def _adopt(self) -> None:
        """A box for every container of this agent's folder; what is of no container any more is taken away."""
        filters = json.dumps({"label": [f"{KEY}={self.key}"]})
        listed = await self.api.asked(list[Listed], "GET", "/containers/json", all=1, filters=filters)
        for one in listed[:CONTAINERS_MAX]:
            await self._adopt_one(await self.api.asked(Inspected, "GET", f"/containers/{one.id}/json"))
        for folder in (self.place.folder / _CONTAINERS).iterdir():
            if folder.name not in self._boxes:
                remove_tree(folder)
        for name in self.secrets.names():
            if name not in self._boxes:
                self.secrets.forget(name)
        await self.images.sweep()

    async def _adopt_one(self, found: Inspected) -> None:
        box = self._box_of(found)
        box.begun.set()
        phase = phase_of(found.state)
        if box.has_failed or (phase is Phase.EXITED and found.state.status == "created"):
            box.over.set()
            box.copy.drained.set()
        elif phase is Phase.EXITED:
            box.over.set()
            self.secrets.forget(box.terms.id)
            self.spawn(lambda: self._copy(box))
        elif phase is not Phase.CREATED:
            self.follow(box, found.state.pid)
            for number in found.exec_ids or ():
                with suppress(EngineSays):
                    command = await self.api.asked(Executed, "GET", f"/exec/{number}/json")
                    if command.running:
                        kill_inside(command.pid, box.group)

    def _box_of(self, found: Inspected) -> Box:
        terms = terms_of(found.config.labels or {})
        folder, over = self.place.folder / _CONTAINERS / terms.id, asyncio.Event()
        folder.mkdir(0o755, exist_ok=True)
        if self.is_podman:
            source = by_file(Path(found.log_path), over)
        else:
            source = by_api(self.place.socket, self.api.versioned(f"/containers/{found.id}"))
        box = Box(terms, found.id, folder, Copy(folder / "log", terms.log, source), over)
        self._boxes[terms.id] = box
        return box

    async def boxes(self) -> list[Box]:
        """All of them."""
        await self.reach()
        return list(self._boxes.values())

    async def box(self, name: str) -> Box:
        """One of them. Raises `Rejected`."""
        await self.reach()
        if name not in self._boxes:
            raise Rejected(RuntimeRefusal.UNKNOWN, f"no container {name[:160]}")
        return self._boxes[name]

    async def inspect(self, box: Box) -> Inspected:
        """What the engine says of one."""
        try:
            return await self.api.asked(Inspected, "GET", f"/containers/{box.cid}/json")
        except EngineSays as said:
            raise Rejected(RuntimeRefusal.UNKNOWN, said.words) from None

    async def create(self, plan: ContainerPlan) -> Box:
        """DOCKER-1. Its folder, its image, its secrets, and the engine's container of it."""
        await self.reach()
        check_sources(plan)
        if len(self._boxes) >= CONTAINERS_MAX:
            raise Rejected(RuntimeRefusal.FULL, f"{CONTAINERS_MAX} containers")
        folder = self.place.folder / _CONTAINERS / plan.id
        try:
            folder.mkdir(0o755)
        except FileExistsError:
            raise Rejected(RuntimeRefusal.EXISTS, f"there is a container {plan.id}") from None
        try:
            return await self._create(plan, folder)
        except BaseException as error:
            self._boxes.pop(plan.id, None)
            self.secrets.forget(plan.id)
            remove_tree(folder)
            if isinstance(error, EngineSays):
                raise Rejected(RuntimeRefusal.SETUP_FAILED, error.words) from None
            if isinstance(error, OSError):
                raise Rejected(RuntimeRefusal.SETUP_FAILED, f"{error.filename}: {error.strerror}") from error
            raise

    async def _create(self, plan: ContainerPlan, folder: Path) -> Box:
        etc = folder / "etc"
        etc.mkdir(0o755)
        write_names(etc, plan.hostname)
        around = Surroundings(
            key=self.key,
            folder=str(self.place.folder),
            image=await self.images.ready(plan.root),
            etc=etc,
            secrets=self.secrets.put(plan),
            profile=self.place.folder / _PROFILE,
            parent=self._parent,
            is_podman=self.is_podman,
        )
        name = f"metanode-{self.key}-{plan.id}"
        made = await self.api.asked(Created, "POST", "/containers/create", body_of(plan, around), name=name)
        return self._box_of(await self.api.asked(Inspected, "GET", f"/containers/{made.id}/json"))

    async def start(self, box: Box) -> None:
        """Begin its program. Raises `EngineSays`."""
        if self.is_podman:  # it does not tell of want of memory: the group is known before anything runs in it
            await self.api.call("POST", f"{_PODMANS_OWN}/containers/{box.cid}/init")
            box.watch((await self.inspect(box)).state.pid, lambda: self._ended(box))
        await self.api.call("POST", f"/containers/{box.cid}/start")
        self.follow(box, (await self.inspect(box)).state.pid)

    def follow(self, box: Box, pid: int) -> None:
        """From now on its output and its end are heard. `pid` 0: it has ended already."""
        box.watch(pid, lambda: self._ended(box))
        self.spawn(lambda: self._copy(box))

    async def _copy(self, box: Box) -> None:
        await box.copy.run(lambda: self.or_lost(box.over))

    async def remove(self, box: Box) -> None:
        """Forget one that does not run."""
        try:
            await self.api.call("DELETE", f"/containers/{box.cid}", v=1, force=1)
        except EngineSays as said:
            if said.status != 404:
                raise Rejected(RuntimeRefusal.SETUP_FAILED, said.words) from None
        self._boxes.pop(box.terms.id, None)
        box.unwatch()
        box.copy.drained.set()
        box.copy.log.close()
        remove_tree(box.folder)
        self.secrets.forget(box.terms.id)

    async def or_lost(self, event: asyncio.Event) -> None:
        """Wait for something, or for the engine to go away. Raises `Rejected`."""
        waits = [asyncio.ensure_future(one.wait()) for one in (event, self._lost)]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for one in waits:
                one.cancel()
        if not event.is_set():
            raise Rejected(RuntimeRefusal.ENGINE_GONE, f"{self.place.socket}: it went away")

    def hear(self, queue: asyncio.Queue[Event]) -> None:
        """Tell it what happens."""
        self._heard.append(queue)
        if self._lost.is_set():
            queue.put_nowait(Event(EventKind.LOST, None))

    def hear_no_more(self, queue: asyncio.Queue[Event]) -> None:
        """Tell it no more."""
        self._heard.remove(queue)

    def tell(self, event: Event) -> None:
        """Something happened."""
        for queue in self._heard:
            queue.put_nowait(event)

    def spawn(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Something that goes on beside the calls. An engine that went away ends it: that is told once, as `LOST`."""

        async def done() -> None:
            with suppress(Rejected, EngineSays):
                await work()

        task = asyncio.create_task(done())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def leave(self) -> None:
        """Hold nothing any more; what runs goes on."""
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._events is not None:
            self._events.close()
            self._events = None
        for box in self._boxes.values():
            box.unwatch()
            box.copy.log.close()
        if not self._boxes:
            self._leave_group()
            self.secrets.end()
        self._boxes.clear()
        self._lost, self._reached = asyncio.Event(), False
