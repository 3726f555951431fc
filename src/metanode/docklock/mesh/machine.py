"""The mesh of one node: who may call whom, by what name, and which replica answers. Bytes pass beside it."""

from collections import Counter
from typing import Final, assert_never

from metanode.docklock.mesh.counters import Counters, Row
from metanode.docklock.mesh.dns import Code
from metanode.docklock.mesh.events import (
    Abandon,
    Allow,
    Answered,
    Ask,
    Asked,
    Began,
    Called,
    Check,
    Checked,
    Connect,
    Connected,
    Effect,
    Entered,
    Event,
    Fell,
    Gone,
    Join,
    Learned,
    Members,
    Named,
    Over,
    Reach,
    Refuse,
    Requested,
    Resolved,
    Tick,
    WriteDown,
)
from metanode.docklock.mesh.frames import VERSION, Opening
from metanode.docklock.mesh.names import service_of
from metanode.docklock.mesh.refusals import ELSEWHERE, MeshRefusal
from metanode.docklock.mesh.services import Container, Node, Replica, Served, Turns, share
from metanode.docklock.mesh.state import (
    CONTAINER_FLOWS_MAX,
    FLOWS_MAX,
    SESSION_FLOWS_MAX,
    TRIES_MAX,
    TRY_MS,
    TRYING,
    WRITTEN_MAX,
    WRITTEN_MS,
    Flow,
    Reachable,
    reachable,
)

OUTSIDE: Final = "outside"
"""What counts as the node of a destination outside."""


def _known(code: str) -> MeshRefusal:
    """A refusal by its code; one of a later version counts as that nobody answered."""
    try:
        return MeshRefusal(code)
    except ValueError:
        return MeshRefusal.UNREACHABLE


class Mesh:
    """One door: `handle(event) -> effects`. Numbers of flows are the host's, each used once."""

    def __init__(self, cluster: str, node: str) -> None:
        self._cluster: Final = cluster
        self._node: Final = node
        self._height = 0
        self._services: dict[str, Served] = {}
        self._nodes: dict[str, Node] = {}
        self._containers: Final[dict[str, Container]] = {}
        self._reachable: Final[dict[str, Reachable]] = {}
        self._flows: Final[dict[int, Flow]] = {}
        self._turns: Final = Turns()
        self._load: Final[Counter[tuple[str, Replica]]] = Counter()
        self._written: Final[dict[tuple[str, str, str], int]] = {}
        self._counters: Final = Counters()
        self._effects: list[Effect] = []
        self._now_ms = 0

    def handle(self, event: Event) -> list[Effect]:
        """One event in, what follows from it out, in order."""
        self._effects, self._now_ms = [], event.now_ms
        match event:
            case Called() | Requested() | Entered() | Asked():
                self._begin(event)
            case Checked():
                self._checked(event)
            case Connected(flow=number, code=code) | Answered(flow=number, code=code):
                self._reached(number, code)
            case Over():
                self._over(event)
            case Named():
                self._named(event)
            case Learned():
                self._learned(event)
            case Members():
                self._nodes = {node.name: node for node in event.nodes}
                self._effects.append(Allow(event.nodes))
            case Began(container=container):
                self._containers[container.name] = container
                self._reachable.pop(container.name, None)
            case Gone(name=name):
                self._containers.pop(name, None)
                self._reachable.pop(name, None)
            case Fell():
                self._fell(event)
            case Tick():
                self._tick()
            case _:
                assert_never(event)
        return self._effects

    # --- for who shows it -------------------------------------------------------------------------------------------

    @property
    def counters(self) -> Counters:
        """MESH-16. What was carried."""
        return self._counters

    @property
    def height(self) -> int:
        """At which the services were last told."""
        return self._height

    def services(self, container: str) -> dict[str, tuple[str, Served]]:
        """What a container may call in the cluster: address and service by name."""
        table = self._table(container)
        return {} if table is None else {name: (table.addresses[name], one) for name, one in table.services.items()}

    def hosts(self, container: str) -> dict[str, tuple[str, tuple[int, ...]]]:
        """The destinations outside: address and ports by name."""
        table = self._table(container)
        found = {} if table is None else table.hosts
        return {name: (table.addresses[name], tuple(sorted(ports))) for name, ports in found.items() if table}

    def flow(self, number: int) -> Flow | None:
        """A flow that is not over."""
        return self._flows.get(number)

    # --- names ------------------------------------------------------------------------------------------------------

    def _table(self, name: str) -> Reachable | None:
        container = self._containers.get(name)
        if container is None:
            return None
        if name not in self._reachable:
            self._reachable[name] = reachable(self._cluster, container, self._services)
        return self._reachable[name]

    def _named(self, event: Named) -> None:
        """MESH-2. A name that may be called has an address; one that may not is refused, any other is not there."""
        table = self._table(event.container)
        if table is None:
            self._effects.append(Resolved(event.token, Code.REFUSED, ""))
            return
        name = event.name if event.name in table.hosts else service_of(event.name, self._cluster)
        if name in table.addresses:
            self._effects.append(Resolved(event.token, Code.NO_ERROR, table.addresses[name]))
        elif name in self._services:
            self._write_down(event.container, name)
            self._effects.append(Resolved(event.token, Code.REFUSED, ""))
        else:
            self._effects.append(Resolved(event.token, Code.NAME, ""))

    def _learned(self, event: Learned) -> None:
        """MESH-4. What is older than what is known is ignored, as a whole or of one service."""
        if event.height < self._height:
            return
        self._height = event.height
        services = {}
        for one in event.services:
            known = self._services.get(one.name)
            services[one.name] = known if known is not None and known.revision > one.revision else one
        if services != self._services:
            self._services = services
            self._reachable.clear()

    def _write_down(self, container: str, target: str) -> None:
        """MESH-3. Once a minute a caller and target."""
        key = container, target, MeshRefusal.NOT_DECLARED.value
        if self._now_ms - self._written.get(key, self._now_ms - WRITTEN_MS) < WRITTEN_MS:
            return
        self._written.pop(key, None)
        if len(self._written) >= WRITTEN_MAX:
            del self._written[next(iter(self._written))]
        self._written[key] = self._now_ms
        caller = self._containers[container].workload
        service = self._services.get(target)
        if service is not None and service.networks:
            fix = f"add {service.networks[0]} to the networks of {caller}"
        elif service is not None:
            fix = f"give {caller} and {target} a network together: {target} is in none"
        else:
            fix = f"name what is meant in networks or x-metanode.egress of {caller}, and call it by its name"
        self._effects.append(WriteDown(self._now_ms, container, target, MeshRefusal.NOT_DECLARED, "MESH-3", fix))

    # --- a flow begins ----------------------------------------------------------------------------------------------

    def _begin(self, event: Called | Requested | Entered | Asked) -> None:
        assert event.flow not in self._flows, "a flow's number is never used again"
        if len(self._flows) >= FLOWS_MAX:
            self._say(event.flow, MeshRefusal.TOO_MANY_FLOWS, f"{FLOWS_MAX} of this node")
            return
        match event:
            case Called():
                self._called(event)
            case Requested():
                self._requested(event)
            case Entered():
                self._entered(event)
            case Asked():
                self._asked(event)
            case _:
                assert_never(event)

    def _say(self, flow: int, code: MeshRefusal, detail: str) -> None:
        self._effects.append(Refuse(flow, code, detail))

    def _called(self, event: Called) -> None:
        """MESH-3. An address that no name of the caller stands for leads nowhere."""
        table = self._table(event.container)
        name = table.names.get(event.address, "") if table is not None else ""
        if table is None or not name:
            if table is not None:
                self._write_down(event.container, event.address)
            self._say(event.flow, MeshRefusal.NOT_DECLARED, event.address)
            return
        if sum(flow.caller == event.container for flow in self._flows.values()) >= CONTAINER_FLOWS_MAX:
            self._say(event.flow, MeshRefusal.TOO_MANY_FLOWS, f"{CONTAINER_FLOWS_MAX} of {event.container}")
        elif name in table.services:
            self._choose(self._new(event.flow, event.container, name, event.port))
        elif event.port in table.hosts[name]:
            flow = self._new(event.flow, event.container, "", event.port, where=(name, OUTSIDE))
            self._wait(flow, "connecting")
            self._effects.append(Reach(event.flow, name, event.port))
        else:
            self._write_down(event.container, f"{name}:{event.port}")
            self._say(event.flow, MeshRefusal.NOT_DECLARED, f"{name}:{event.port}")

    def _requested(self, event: Requested) -> None:
        """MESH-9. An operator's call: no container, no networks."""
        service = self._services.get(event.service)
        if service is None or not service.ports:
            self._say(event.flow, MeshRefusal.UNKNOWN_SERVICE, event.service)
            return
        flow = self._new(event.flow, "", event.service, event.port or service.ports[0][1])
        flow.header, flow.body = event.header, event.body
        self._choose(flow)

    def _entered(self, event: Entered) -> None:
        """MESH-15. A published port leads to the replica of this node."""
        container = self._containers.get(event.container)
        if container is None:
            self._say(event.flow, MeshRefusal.NOT_HERE, event.container)
            return
        flow = self._new(event.flow, "", "", event.port, where=(container.workload, self._node))
        self._connect(flow, container)

    def _new(self, number: int, caller: str, service: str, port: int, where: tuple[str, str] = ("", "")) -> Flow:
        row = self._counters.row(*where) if where[0] else Row()
        flow = Flow(number, caller, service, port, row)
        self._flows[number] = flow
        return flow

    def _wait(self, flow: Flow, stage: str) -> None:
        flow.stage, flow.deadline_ms = stage, self._now_ms + TRY_MS

    def _connect(self, flow: Flow, container: Container) -> None:
        self._wait(flow, "connecting")
        self._effects.append(Connect(flow.number, container.name, flow.port))

    # --- which replica ----------------------------------------------------------------------------------------------

    def _choose(self, flow: Flow, last: MeshRefusal = MeshRefusal.NO_REPLICA) -> None:
        """MESH-5, MESH-6. The next replica, or a refusal at once."""
        service = self._services.get(flow.service)
        if service is None:
            self._end(flow, MeshRefusal.UNKNOWN_SERVICE, flow.service)
            return
        if not service.has_port(flow.port):
            self._end(flow, MeshRefusal.NO_SUCH_PORT, f"{service.name}:{flow.port}")
            return
        while len(flow.tried) < TRIES_MAX:
            replica = self._turns.pick(service, flow.tried, self._node, lambda one: self._load[service.name, one])
            if replica is None:
                break
            flow.tried |= {replica}
            code = self._try(flow, service, replica)
            if code is None:
                return
            last = code
        self._end(flow, last, service.name)

    def _try(self, flow: Flow, service: Served, replica: Replica) -> MeshRefusal | None:
        """One replica: here, or on another node. Why it cannot even be asked, or nothing."""
        here = replica.node == self._node
        node = None if here else self._nodes.get(replica.node)
        if here:
            container = self._containers.get(f"{self._cluster}.{service.name}.{replica.index}.{replica.attempt}")
            if container is None or flow.port not in container.ports:
                return MeshRefusal.NOT_HERE
            if flow.caller and not self._shares(flow.caller, container):
                return MeshRefusal.NOT_DECLARED
            self._connect(flow, container)
        elif node is None or not node.endpoint:
            return MeshRefusal.UNREACHABLE
        elif self._between(node, inbound=False) >= SESSION_FLOWS_MAX:
            return MeshRefusal.TOO_MANY_FLOWS
        else:
            self._wait(flow, "asking")
            self._effects.append(Ask(flow.number, node, self._opening(flow, service, replica)))
        flow.replica, flow.peer = replica, node
        flow.row = self._counters.row(service.name, replica.node)
        self._load[service.name, replica] += 1
        return None

    def _shares(self, caller: str, container: Container) -> bool:
        """MESH-9. By the specifications of both, whatever a chain node tells of them."""
        known = self._containers.get(caller)
        return known is not None and share(known.networks, container.networks)

    def _opening(self, flow: Flow, service: Served, replica: Replica) -> Opening:
        caller = self._containers.get(flow.caller)
        return Opening(
            version=VERSION,
            caller=caller.workload if caller is not None else "",
            revision=caller.revision if caller is not None else 0,
            service=service.name,
            port=flow.port,
            index=replica.index,
            attempt=replica.attempt,
            header=flow.header,
            body=flow.body,
        )

    def _between(self, node: Node, *, inbound: bool) -> int:
        return sum(flow.peer == node and flow.inbound == inbound for flow in self._flows.values())

    # --- asked by another node --------------------------------------------------------------------------------------

    def _asked(self, event: Asked) -> None:
        """MESH-9. First what is known here, then whether the caller is who the node says."""
        opening = event.opening
        node = next((one for one in self._nodes.values() if one.key == event.key), None)
        container = self._containers.get(
            f"{self._cluster}.{opening.service}.{opening.index}.{opening.attempt}",
        )
        if node is None:
            self._say(event.flow, MeshRefusal.NOT_PLACED, "no node of the cluster")
        elif container is None:
            self._say(event.flow, MeshRefusal.NOT_HERE, opening.service)
        elif opening.port not in container.ports:
            self._say(event.flow, MeshRefusal.NO_SUCH_PORT, f"{opening.service}:{opening.port}")
        elif self._between(node, inbound=True) >= SESSION_FLOWS_MAX:
            self._say(event.flow, MeshRefusal.TOO_MANY_FLOWS, f"{SESSION_FLOWS_MAX} from {node.name}")
        else:
            where = container.workload, node.name
            flow = self._new(event.flow, "", container.workload, opening.port, where)
            flow.inbound, flow.peer, flow.opening = True, node, opening
            self._wait(flow, "checking")
            self._effects.append(Check(event.flow, node, opening))

    def _checked(self, event: Checked) -> None:
        """MESH-9. The caller's networks by its terms on chain, against those of the container's specification."""
        flow = self._flows.get(event.flow)
        if flow is None or flow.stage != "checking" or flow.opening is None:
            return
        opening = flow.opening
        name = f"{self._cluster}.{opening.service}.{opening.index}.{opening.attempt}"
        container = self._containers.get(name)
        if event.code:
            self._end(flow, _known(event.code), opening.caller)
        elif container is None:
            self._end(flow, MeshRefusal.NOT_HERE, opening.service)
        elif not event.operator and not share(event.networks, container.networks):
            self._end(flow, MeshRefusal.NOT_DECLARED, f"{opening.caller} calls {opening.service}")
        else:
            self._connect(flow, container)

    # --- what becomes of it -----------------------------------------------------------------------------------------

    def _reached(self, number: int, code: str) -> None:
        """The other end is there, or another one is tried, as long as there is one."""
        flow = self._flows.get(number)
        if flow is None or flow.stage not in ("asking", "connecting"):
            return
        if not code:
            flow.stage = "open"
            flow.row.opened += 1
            flow.row.open += 1
            self._effects.append(Join(number))
            return
        reason = _known(code)
        if flow.replica is not None and reason in ELSEWHERE:
            self._again(flow, reason)
        else:
            self._end(flow, reason, flow.service)

    def _again(self, flow: Flow, reason: MeshRefusal) -> None:
        self._leave(flow)
        self._choose(flow, reason)

    def _leave(self, flow: Flow) -> None:
        """The replica that was tried has one flow less."""
        if flow.replica is not None:
            key = flow.service, flow.replica
            self._load[key] -= 1
            if not self._load[key]:
                del self._load[key]
        flow.replica, flow.peer = None, None if not flow.inbound else flow.peer

    def _end(self, flow: Flow, code: MeshRefusal, detail: str) -> None:
        """MESH-7. It never began, and is over."""
        self._leave(flow)
        del self._flows[flow.number]
        row = flow.row if flow.tried or flow.inbound or not flow.service else self._counters.row(flow.service, "")
        row.refused += 1
        self._say(flow.number, code, detail)

    def _over(self, event: Over) -> None:
        """MESH-7. The host ended it: counted, and forgotten."""
        flow = self._flows.pop(event.flow, None)
        if flow is None:
            return
        self._leave(flow)
        if flow.stage == "open":
            flow.row.open -= 1
            flow.row.sent_bytes += event.sent
            flow.row.received_bytes += event.received

    def _fell(self, event: Fell) -> None:
        """MESH-12. What had not begun is asked for again, of the same node where another session follows; flows that
        were open are reset by the host."""
        for flow in list(self._flows.values()):
            if flow.peer is None or flow.peer.key != event.key or flow.stage != "asking":
                continue
            if event.again and flow.replica is not None:
                flow.tried -= {flow.replica}
            self._again(flow, MeshRefusal.UNREACHABLE)

    def _tick(self) -> None:
        """MESH-6. Nobody is waited for without end."""
        for flow in list(self._flows.values()):
            if flow.stage in TRYING and self._now_ms >= flow.deadline_ms:
                self._effects.append(Abandon(flow.number))
                if flow.inbound:
                    self._end(flow, MeshRefusal.TOO_SLOW, flow.service)
                elif flow.replica is not None:
                    self._again(flow, MeshRefusal.TOO_SLOW)
                else:
                    self._end(flow, MeshRefusal.TOO_SLOW, flow.service)
