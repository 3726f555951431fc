"""The chain as the mesh of an agent sees it: who the other nodes are and whom they may call for, proved."""

import threading
import time
from collections.abc import Sequence
from typing import Final

import msgspec

from metanode.api.shapes import PAGE_MAX
from metanode.api.workloads import ServiceView
from metanode.cli.bpi.agent_chain import MODULE, Line
from metanode.client import Client
from metanode.client.verify import LightClient
from metanode.docklock.cluster.state import (
    CLUSTERS,
    MEMBERS,
    SHARES,
    WORKLOADS,
    Cluster,
    cluster_key,
    member_key,
    share_key,
    workload_key,
)
from metanode.docklock.mesh.refusals import MeshRefusal
from metanode.docklock.mesh.services import Node, Replica, Served
from metanode.host.agent.chain import ChainUnreachable
from metanode.primitives.refusal import Rejected
from metanode.records.cluster import WORKLOADS_MAX
from metanode.records.genesis import Genesis

AGAIN_S: Final = 10.0
"""How long it is believed where a node answers, if nobody tells otherwise."""
CALLERS_MAX: Final = 1_024
"""Callers that are remembered: of each that a replica stands on a node, and its networks."""
CALLER_S: Final = 30.0
"""How long."""
LET_IN: Final = ("in", "lost")
"""Standings of nodes that are part of the cluster; one that is lost may only be slow."""


class MeshChain:
    """Implements `MeshPort` for one node of one cluster."""

    def __init__(self, urls: Sequence[str], genesis: Genesis, cluster: str, node: str) -> None:
        self._cluster: Final = cluster
        self._node: Final = node
        self._line: Final = Line(urls, genesis)
        self._checking: Final = Line(urls, genesis)
        self._record: Cluster | None = None
        self._nodes: Final[dict[str, tuple[float, Node]]] = {}
        self._told: dict[str, tuple[str, str]] = {}
        self._callers: Final[dict[tuple[str, int, str], tuple[float, tuple[str, ...]]]] = {}
        self._lock: Final = threading.Lock()

    def nodes(self) -> tuple[Node, ...]:
        """MESH-8. By the cluster's record at the head; one that is new, or said to have moved, or was not looked at for
        a while, is proved anew."""

        def question(_client: Client, light: LightClient) -> tuple[Node, ...]:
            proven = light.prove(MODULE, cluster_key(self._cluster))
            if proven.value is None:
                raise ChainUnreachable(f"there is no cluster {self._cluster}")
            record = CLUSTERS.decode(proven.value)
            self._record = record
            others = [name for name in record.nodes if name != self._node]
            for name in set(self._nodes) - set(others):
                del self._nodes[name]
            for name in others:
                self._look(light, name, proven.header.height)
            return tuple(node for _, node in self._nodes.values())

        return self._line.ask(question)

    def _look(self, light: LightClient, name: str, height: int) -> None:
        at, known = self._nodes.get(name, (0.0, None))
        told = self._told.get(name)
        moved = known is not None and told is not None and told != (known.endpoint, known.key.hex())
        if known is not None and not moved and time.monotonic() - at < AGAIN_S:
            return
        value = light.prove(MODULE, member_key(self._cluster, name), height).value
        member = MEMBERS.decode(value) if value is not None else None
        if member is None or member.standing not in LET_IN or not member.inventory:
            self._nodes.pop(name, None)
            return
        has = member.inventory[0]
        self._nodes[name] = time.monotonic(), Node(name, has.transport_key, has.mesh)

    def services(self) -> tuple[int, tuple[Served, ...]]:
        """MESH-4. As the chain node tells them."""

        def question(client: Client, _light: LightClient) -> tuple[int, tuple[Served, ...]]:
            found: list[Served] = []
            told: dict[str, tuple[str, str]] = {}
            cursor, height = "", 0
            while True:
                page = client.workload.services(self._cluster, "", cursor, PAGE_MAX)
                found += [_served(one) for one in page.items]
                if len(found) > WORKLOADS_MAX:
                    raise Rejected(MeshRefusal.MALFORMED, f"more than {WORKLOADS_MAX} services")
                told |= {end.node: (end.mesh, end.transport_key) for one in page.items for end in one.endpoints}
                height, cursor = height or page.height, page.next
                if not cursor:
                    self._told = told
                    return height, tuple(found)

        return self._line.ask(question)

    def caller(self, workload: str, revision: int, node: str) -> tuple[str, ...]:
        """MESH-9. The share of a node and the terms of a workload, proved."""
        key = workload, revision, node
        with self._lock:
            at, networks = self._callers.get(key, (0.0, ()))
        if time.monotonic() - at < CALLER_S and at:
            return networks

        def question(_client: Client, light: LightClient) -> tuple[str, ...] | None:
            share = light.prove(MODULE, share_key(self._cluster, node)).value
            there = () if share is None else SHARES.decode(share).assignments
            if not any(one.workload == workload and one.revision == revision for one in there):
                return None
            value = light.prove(MODULE, workload_key(self._cluster, workload)).value
            kept = () if value is None else (WORKLOADS.decode(value).current, *WORKLOADS.decode(value).earlier)
            return next((one.terms.networks for one in kept if one.number == revision), None)

        found = self._checking.ask(question)
        if found is None:
            raise Rejected(MeshRefusal.NOT_PLACED, f"{workload} by revision {revision} is not on {node}")
        with self._lock:
            self._callers.pop(key, None)
            while len(self._callers) >= CALLERS_MAX:
                del self._callers[next(iter(self._callers))]
            self._callers[key] = time.monotonic(), found
        return found

    def may_ask(self, account: bytes) -> bool:
        """MESH-9. By the record as last proved."""
        record = self._record
        return record is not None and account in (record.owner, *record.settings.operators)


class _Port(msgspec.Struct):
    """What is looked at of a port."""

    name: str
    container: int
    protocol: str


def _served(view: ServiceView) -> Served:
    """A service as a chain node tells it. Raises `Rejected` where it is none."""
    try:
        ports = msgspec.convert(view.ports, tuple[_Port, ...])
    except msgspec.ValidationError as error:
        raise Rejected(MeshRefusal.MALFORMED, f"ports of {view.workload}: {error}") from None
    return Served(
        name=view.workload,
        revision=view.revision,
        balance=view.balance,
        networks=view.networks,
        ports=tuple((port.name, port.container) for port in ports if port.protocol == "tcp"),
        replicas=tuple(sorted(Replica(one.index, one.attempt, one.node) for one in view.endpoints)),
    )
