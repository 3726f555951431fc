"""What is remembered of a flow, of what a container may call, and of what was written down."""

from dataclasses import dataclass, field
from typing import Final

from metanode.docklock.mesh.counters import Row
from metanode.docklock.mesh.frames import Opening
from metanode.docklock.mesh.names import addresses
from metanode.docklock.mesh.services import Container, Node, Replica, Served

FLOWS_MAX: Final = 2_048
"""Most flows of a node: two sockets each."""
SESSION_FLOWS_MAX: Final = 192
"""Most flows that each of two nodes opens to the other (see `window.WINDOW`)."""
CONTAINER_FLOWS_MAX: Final = 256
"""Most flows that one container opens: no container takes all places."""
TRIES_MAX: Final = 3
"""Most replicas asked for one flow."""
TRY_MS: Final = 5_000
"""How long one of them may take to answer."""
WRITTEN_MAX: Final = 256
"""Refusals remembered, so that the same is not written down again."""
WRITTEN_MS: Final = 60_000
"""…within a minute."""
TRYING: Final = ("asking", "checking", "connecting")
"""Stages in which somebody is waited for."""


@dataclass(slots=True)
class Flow:
    """One flow. `stage`: asking, checking, connecting, open. `service` empty: a destination outside. `peer`: the node
    it goes to, or (`inbound`) comes from; nothing where it stays here."""

    number: int
    caller: str
    service: str
    port: int
    row: Row
    stage: str = "asking"
    deadline_ms: int = 0
    replica: Replica | None = None
    peer: Node | None = None
    inbound: bool = False
    tried: frozenset[Replica] = frozenset()
    header: str = ""
    body: bytes = b""
    opening: Opening | None = None


@dataclass(slots=True)
class Reachable:
    """MESH-1, MESH-3. What one container may call, by the names it says and the addresses they stand for."""

    services: dict[str, Served]
    hosts: dict[str, frozenset[int]]
    addresses: dict[str, str]
    names: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.names = {address: name for name, address in self.addresses.items()}


def reachable(cluster: str, container: Container, services: dict[str, Served]) -> Reachable:
    """What a container may call, of these services and outside."""
    may = {name: service for name, service in services.items() if container.may_call(service)}
    ports: dict[str, set[int]] = {}
    for host, port in container.egress:
        ports.setdefault(host.lower(), set()).add(port)
    hosts = {host: frozenset(found) for host, found in ports.items() if host not in may}
    return Reachable(may, hosts, addresses(cluster, (*may, *hosts)))
