"""MESH-13, MESH-15. The containers of this node that take part, each with what the agent has in it."""

import asyncio
import logging
from collections.abc import Callable
from functools import partial
from typing import Final, Protocol

from metanode.docklock.cluster.state import Assignment
from metanode.docklock.mesh import MeshRefusal
from metanode.docklock.mesh.dns import Code
from metanode.docklock.mesh.events import Began, Event, Gone
from metanode.docklock.mesh.services import Container
from metanode.host.agent.mesh.carrying import End
from metanode.host.agent.mesh.foothold import Foothold
from metanode.host.agent.mesh.sessions import now_ms
from metanode.host.agent.mesh.stub import Datagrams, Reply, Streams
from metanode.host.runtimes.driver import Driver
from metanode.host.runtimes.states import Phase
from metanode.primitives.refusal import Rejected
from metanode.records.workload import WorkloadSpec

KNOWN_MAX: Final = 1_024
"""Containers whose specification is remembered: four times what a share holds."""


class Flows(Protocol):
    """Where flows begin."""

    def called(self, container: str) -> End:
        """Somebody inside a container connects."""

    def entered(self, container: str, port: int) -> End:
        """Somebody connects to a published port."""

    def named(self, container: str, name: str, reply: Reply) -> None:
        """Somebody inside a container asks for a name."""

    def tell(self, event: Event) -> None:
        """A container begins or is gone."""


class _Foot:
    """One container's: sockets inside, servers on them, published ports outside."""

    def __init__(self, hold: Foothold) -> None:
        self.hold: Final = hold
        self.servers: list[asyncio.Server] = []
        self.datagrams: asyncio.DatagramTransport | None = None
        self.streams: set[Streams] = set()

    def close(self) -> None:
        """Leave nothing."""
        for server in self.servers:
            server.close()
        for stream in tuple(self.streams):
            stream.close()
        if self.datagrams is not None:
            self.datagrams.abort()
        self.hold.close()


def container_of(name: str, one: Assignment, spec: WorkloadSpec) -> Container:
    """What the mesh is told of a container."""
    ports = [port for port in spec.terms.ports if port.protocol == "tcp"]
    egress = []
    for destination in spec.egress:
        host, _, port = destination.rpartition(":")
        egress.append((host.strip("[]"), int(port)))
    return Container(
        name=name,
        workload=one.workload,
        index=one.index,
        attempt=one.attempt,
        revision=one.revision,
        networks=spec.terms.networks,
        ports=tuple(port.container for port in ports),
        egress=tuple(egress),
        published=tuple((port.published, port.container) for port in ports if port.published),
    )


class Feet:
    """`address`: where published ports listen. `places`: what a container may call, as addresses and ports."""

    def __init__(self, driver: Driver, address: str) -> None:
        self._driver: Final = driver
        self._address: Final = address
        self._known: Final[dict[str, Container]] = {}
        self._feet: Final[dict[str, _Foot]] = {}
        self._log: Final = logging.getLogger("metanode.agent")
        self._lacks = False
        self.flows: Flows | None = None
        self.places: Callable[[str], set[tuple[str, int]]] = lambda _: set()

    async def knows(self, name: str, one: Assignment, spec: WorkloadSpec) -> None:
        """A container and its specification, which was checked; one that runs already is entered."""
        while len(self._known) >= KNOWN_MAX:
            del self._known[next(iter(self._known))]
        self._known[name] = container_of(name, one, spec)
        await self.look(name)

    async def look(self, name: str) -> None:
        """Enter a container that runs, if the agent is not in it yet."""
        container = self._known.get(name)
        if container is None:
            return
        try:
            state = await self._driver.inspect(name)
        except Rejected:
            return
        foot = self._feet.get(name)
        if (
            not state.pid
            or state.phase not in (Phase.RUNNING, Phase.PAUSED)
            or (foot is not None and foot.hold.is_of(state.network))
        ):
            return
        self.gone(name)
        try:
            await self._enter(container, state.network)
        except Rejected as rejected:
            self._say_lacking(rejected)
        except OSError as error:
            self._log.warning("no mesh in it", extra={"container": name, "why": str(error)})

    def _say_lacking(self, rejected: Rejected) -> None:
        """MESH-17. Once, for it is so of all containers."""
        if not self._lacks:
            self._lacks = True
            self._log.warning("no mesh here", extra={"code": str(rejected.reason), "why": rejected.detail})

    @property
    def lacks(self) -> bool:
        """Whether the agent may not enter its containers."""
        return self._lacks

    @property
    def entered(self) -> dict[str, bool]:
        """The containers that were entered, and whether their calls are steered."""
        return {name: foot.hold.steered for name, foot in self._feet.items()}

    async def _enter(self, container: Container, path: str) -> None:
        name, flows = container.name, self.flows
        assert flows is not None, "given before anything runs"
        foot = _Foot(Foothold(path))
        self._feet[name] = foot
        loop, resolve = asyncio.get_running_loop(), partial(flows.named, name)
        flows.tell(Began(now_ms(), container))
        foot.servers.append(await loop.create_server(partial(flows.called, name), sock=foot.hold.calls))
        foot.servers.append(await loop.create_server(lambda: Streams(resolve, foot.streams), sock=foot.hold.streams))
        foot.datagrams, _ = await loop.create_datagram_endpoint(lambda: Datagrams(resolve), sock=foot.hold.names)
        await self._listen(name, foot)
        for outer, inner in container.published:
            await self._publish(foot, name, outer, inner)

    async def _publish(self, foot: _Foot, name: str, outer: int, inner: int) -> None:
        """MESH-15. A port of the node."""
        flows = self.flows
        assert flows is not None, "given before anything runs"
        try:
            factory = partial(flows.entered, name, inner)
            foot.servers.append(await asyncio.get_running_loop().create_server(factory, self._address, outer))
        except OSError as error:
            code = MeshRefusal.PORT_TAKEN.value
            self._log.warning("not published", extra={"container": name, "code": code, "why": str(error)})

    async def _listen(self, name: str, foot: _Foot) -> None:
        """MESH-13. Without steering: a socket for each place that may be called."""
        flows = self.flows
        assert flows is not None, "given before anything runs"
        for one in foot.hold.listen(self.places(name), self._known[name].ports):
            server = await asyncio.get_running_loop().create_server(partial(flows.called, name), sock=one)
            foot.servers.append(server)
        for address, port in sorted(foot.hold.taken):
            extra = {"container": name, "code": MeshRefusal.PORT_TAKEN.value, "why": f"{address}:{port}"}
            self._log.warning("not to be called", extra=extra)

    async def refresh(self) -> None:
        """What may be called has changed."""
        for name, foot in list(self._feet.items()):
            if not foot.hold.steered:
                await self._listen(name, foot)

    def is_taken(self, name: str, address: str) -> bool:
        """MESH-13. Whether a program of the container holds a port of this address: it would answer itself."""
        foot = self._feet.get(name)
        return foot is not None and any(place[0] == address for place in foot.hold.taken)

    def gone(self, name: str) -> None:
        """A container has ended: nothing of ours stays in it."""
        foot = self._feet.pop(name, None)
        if foot is not None:
            foot.close()
            assert self.flows is not None, "given before anything runs"
            self.flows.tell(Gone(now_ms(), name))

    async def connect(self, name: str, port: int, make: Callable[[], End]) -> End:
        """An end at a port of a container. Raises `OSError`, `Rejected` with NOT_HERE."""
        foot = self._feet.get(name)
        if foot is None:
            raise Rejected(MeshRefusal.NOT_HERE, name)
        made = await foot.hold.connect(port)
        _, end = await asyncio.get_running_loop().create_connection(make, sock=made)
        return end

    def close(self) -> None:
        """The agent leaves; containers run on."""
        for name in list(self._feet):
            self.gone(name)


def refused_where_taken(feet: Feet, name: str, reply: Reply) -> Reply:
    """MESH-13. No address is told at which the container would meet itself."""

    def said(code: Code, address: str) -> None:
        if address and feet.is_taken(name, address):
            reply(Code.REFUSED, "")
        else:
            reply(code, address)

    return said
