"""The mesh of one agent, put together: its machine, its sessions, its containers, and what it learns of the chain."""

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from metanode.docklock.cluster.state import Assignment
from metanode.docklock.mesh import Mesh, MeshRefusal
from metanode.docklock.mesh.events import Check, Checked, Learned, Members, WriteDown
from metanode.docklock.mesh.frames import Opening
from metanode.docklock.mesh.names import cluster_id
from metanode.docklock.mesh.services import Replica
from metanode.host.agent.chain import ChainUnreachable
from metanode.host.agent.mesh.asking import PATH, Answer, Collector, read_call
from metanode.host.agent.mesh.chain import MeshPort
from metanode.host.agent.mesh.feet import Feet, refused_where_taken
from metanode.host.agent.mesh.outside import connect_outside
from metanode.host.agent.mesh.relay import Relay, Reply
from metanode.host.agent.mesh.sessions import Sessions, now_ms
from metanode.host.runtimes.driver import Driver
from metanode.network.bpci import BpciSettings
from metanode.primitives import ed25519
from metanode.primitives.refusal import Rejected
from metanode.records.agent_request import asker_of
from metanode.records.workload import WorkloadSpec

AGAIN_S: Final = 0.5
"""Between two tries to reach the chain."""
REASON_MAX: Final = 200
"""Longest reason of a refusal that is written down: it fits a receipt."""
REFUSALS_SHOWN: Final = 64
"""Latest refusals that are shown."""


@dataclass(frozen=True, slots=True)
class MeshSettings:
    """Which chain, cluster and node; where it listens for other agents (port 0: any that is free), what they dial
    (empty: the same), and where published ports listen."""

    chain_id: bytes
    cluster: str
    node: str
    host: str
    port: int
    advertise: str
    address: str


@dataclass(frozen=True, slots=True)
class Given:
    """An answer, and the replica that gave it."""

    service: str
    port: int
    index: int
    attempt: int
    node: str
    answer: Answer


class _Steps:
    """Containers of this node as the agent's deeds see the mesh; flows with names that meet nobody are not begun."""

    def __init__(self, relay: Relay, feet: Feet) -> None:
        self.called: Final = relay.called
        self.entered: Final = relay.entered
        self.tell: Final = relay.tell
        self._relay: Final = relay
        self._feet: Final = feet

    def named(self, container: str, name: str, reply: Reply) -> None:
        """A name, unless the container would meet itself there."""
        self._relay.named(container, name, refused_where_taken(self._feet, container, reply))


class NodeMesh:
    """One agent's. `wait(above)`: the head of the chain, once it is above a height; `refused` hears what is to be
    written down."""

    def __init__(
        self,
        settings: MeshSettings,
        key: ed25519.SigningKey,
        driver: Driver,
        chain: MeshPort,
        wait: Callable[[int], int],
    ) -> None:
        self._settings: Final = settings
        self._chain: Final = chain
        self._wait: Final = wait
        self._machine: Final = Mesh(settings.cluster, settings.node)
        self._sessions: Final = Sessions(
            BpciSettings(settings.chain_id, key.public_key, cluster_id(settings.cluster)), key
        )
        self._feet: Final = Feet(driver, settings.address)
        self._relay: Final = Relay(
            self._machine, self._sessions, self._feet.connect, connect_outside, self._check, self._refused
        )
        self._threads: Final = ThreadPoolExecutor(3, "mesh")
        self._refusals: Final[list[WriteDown]] = []
        self._log: Final = logging.getLogger("metanode.agent")
        self._feet.flows = _Steps(self._relay, self._feet)
        self._feet.places = self._places
        self.write_down: Callable[[Rejected, str], None] = lambda *_: None

    async def open(self) -> str:
        """Listen for other agents; what they dial. Raises `OSError`."""
        port = await self._sessions.listen(self._settings.host, self._settings.port)
        host = f"[{self._settings.host}]" if ":" in self._settings.host else self._settings.host
        return self._settings.advertise or f"{host}:{port}"

    async def close(self) -> None:
        """End flows and sessions, leave the containers."""
        self._feet.close()
        self._relay.stop()
        await self._sessions.stop()
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def run(self) -> None:
        """Follow the chain and the clock, until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._relay.run())
            group.create_task(self._follow())

    # --- what the agent does with its containers --------------------------------------------------------------------

    async def knows(self, name: str, one: Assignment, spec: WorkloadSpec) -> None:
        """A container's specification is here and checked; one that runs already is adopted."""
        await self._feet.knows(name, one, spec)

    async def look(self, name: str) -> None:
        """A container was started."""
        await self._feet.look(name)

    def gone(self, name: str) -> None:
        """A container is removed."""
        self._feet.gone(name)

    # --- what is learned --------------------------------------------------------------------------------------------

    async def _in_thread(self, call: Callable[..., Any], *arguments: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._threads, partial(call, *arguments))

    async def _follow(self) -> None:
        """MESH-4, MESH-8. At every new head: who the other nodes are, and what can be called."""
        height = 0
        while True:
            try:
                head = await self._in_thread(self._wait, height)
                nodes = await self._in_thread(self._chain.nodes)
                told, services = await self._in_thread(self._chain.services)
            except ChainUnreachable:
                await asyncio.sleep(AGAIN_S)
                continue
            height = max(head, height)
            self._relay.tell(Members(now_ms(), nodes))
            self._relay.tell(Learned(now_ms(), told, services))
            await self._feet.refresh()

    def _places(self, container: str) -> set[tuple[str, int]]:
        """What a container may call, as addresses and ports."""
        found = {
            (address, number)
            for address, service in self._machine.services(container).values()
            for _, number in service.ports
        }
        return found | {(address, port) for address, ports in self._machine.hosts(container).values() for port in ports}

    async def _check(self, effect: Check) -> Checked:
        """MESH-9. A caller that another node names."""
        opening = effect.opening
        try:
            if opening.caller:
                arguments = opening.caller, opening.revision, effect.node.name
                networks = await self._in_thread(self._chain.caller, *arguments)
                return Checked(now_ms(), effect.flow, "", networks, operator=False)
            self._check_operator(opening)
        except ChainUnreachable:
            return Checked(now_ms(), effect.flow, MeshRefusal.UNREACHABLE.value, (), operator=False)
        except Rejected as rejected:
            extra = {"code": str(rejected.reason), "why": f"{effect.node.name}: {rejected.detail}"}
            self._log.warning("mesh: not believed", extra=extra)
            return Checked(now_ms(), effect.flow, MeshRefusal.NOT_PLACED.value, (), operator=False)
        return Checked(now_ms(), effect.flow, "", (), operator=True)

    def _check_operator(self, opening: Opening) -> None:
        """MESH-9. The request that an operator signed, for this service. Raises `Rejected`."""
        asked, _ = read_call(opening.body)
        if asked.service != opening.service:
            raise Rejected(MeshRefusal.NOT_PLACED, "a request for another service")
        asker = asker_of(opening.header, self._settings.cluster, "POST", PATH, opening.body, now_ms())
        if not self._chain.may_ask(asker.account):
            raise Rejected(MeshRefusal.NOT_PLACED, "the account does not operate the cluster")

    def _refused(self, effect: WriteDown) -> None:
        """MESH-3. Said in the log, shown among the routes, and a receipt."""
        self._refusals.append(effect)
        del self._refusals[:-REFUSALS_SHOWN]
        why = f"{effect.target}: {effect.rule}; {effect.fix}"
        self._log.warning("call refused", extra={"container": effect.container, "code": effect.code.value, "why": why})
        self.write_down(Rejected(effect.code, why[:REASON_MAX]), effect.container)

    # --- what is asked at the agent's port --------------------------------------------------------------------------

    async def call(self, header: str, body: bytes) -> Given:
        """MESH-9. An operator's call, which the port has checked. Raises `Rejected`."""
        asked, data = read_call(body)
        reached: list[tuple[Replica, int]] = []

        def joined(number: int) -> None:
            flow = self._machine.flow(number)
            if flow is not None and flow.replica is not None:
                reached.append((flow.replica, flow.port))

        collector = Collector(data, joined, end=asked.end)
        self._relay.request(asked, header, body, collector)
        answer = await collector.answer()
        replica, port = reached[0]
        return Given(asked.service, port, replica.index, replica.attempt, replica.node, answer)

    def routes(self) -> dict[str, Any]:
        """MESH-16. What each container here may call, who would answer, and what was carried."""
        moving = self._relay.moving()
        live: dict[tuple[str, str], list[int]] = {}
        rows = self._machine.counters.rows()
        by_row = {id(row): key for key, row in rows.items()}
        for number, (sent, received) in moving.items():
            flow = self._machine.flow(number)
            if flow is not None:
                total = live.setdefault(by_row[id(flow.row)], [0, 0])
                total[0] += sent
                total[1] += received
        return {
            "node": self._settings.node,
            "height": self._machine.height,
            "lacks": MeshRefusal.NO_PRIVILEGE.value if self._feet.lacks else "",
            "containers": [
                {"container": name, "steered": steered, "routes": self._routes_of(name)}
                for name, steered in sorted(self._feet.entered.items())
            ],
            "counters": [
                {
                    "service": service,
                    "node": node,
                    "opened": row.opened,
                    "refused": row.refused,
                    "open": row.open,
                    "sent": row.sent_bytes + live.get((service, node), [0, 0])[0],
                    "received": row.received_bytes + live.get((service, node), [0, 0])[1],
                }
                for (service, node), row in sorted(rows.items())
            ],
            "refusals": [
                {
                    "container": one.container,
                    "target": one.target,
                    "code": one.code.value,
                    "rule": one.rule,
                    "fix": one.fix,
                    "time_ms": one.now_ms,
                }
                for one in self._refusals
            ],
        }

    def _routes_of(self, container: str) -> list[dict[str, Any]]:
        services = [
            {
                "name": name,
                "address": address,
                "ports": [number for _, number in service.ports],
                "balance": service.balance,
                "revision": service.revision,
                "replicas": [
                    {"index": one.index, "attempt": one.attempt, "node": one.node} for one in service.replicas
                ],
            }
            for name, (address, service) in sorted(self._machine.services(container).items())
        ]
        hosts = [
            {"name": name, "address": address, "ports": list(ports), "balance": "", "revision": 0, "replicas": []}
            for name, (address, ports) in sorted(self._machine.hosts(container).items())
        ]
        return services + hosts
