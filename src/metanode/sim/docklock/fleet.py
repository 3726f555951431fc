"""A pretend cluster as a whole: a chain, nodes, specifications, and whoever applies workloads."""

from collections.abc import Callable, Iterable
from typing import Final

from metanode.docklock.cluster.state import read_cluster
from metanode.ledger.view import Readable
from metanode.records.calls import Call
from metanode.records.cluster import SEALING_KEY_BYTES, ClusterSettings, Inventory, Label
from metanode.records.cluster_calls import (
    ClusterAdmit,
    ClusterApply,
    ClusterCreate,
    ClusterJoin,
)
from metanode.records.placement import Weights
from metanode.records.workload import WorkloadSpec, spec_digest
from metanode.sim.docklock.chain import Block, Chain
from metanode.sim.docklock.clock import Time
from metanode.sim.docklock.node import Node
from metanode.sim.docklock.oracle import Oracle
from metanode.sim.founding import Client, Founding

TIMEOUT_MS: Final = 2_000
"""After so long a silent node is lost, in pretend clusters."""
CPU_MILLICORES: Final = 4_000
MEMORY_KIB: Final = 4 << 20
"""What a pretend node has."""
SETTINGS: Final = ClusterSettings(
    operators=(),
    executors=(),
    weights=Weights(),
    heartbeat_timeout_ms=TIMEOUT_MS,
    quotas=(),
    images="any",
)


class Fleet:
    """Nodes by name, ascending; the cluster is called `shop`. `liars`: by name, whoever does not follow the rules."""

    def __init__(self, clock: Time, chain: Chain, founding: Founding) -> None:
        self.clock: Final = clock
        self.chain: Final = chain
        self.owner: Final[Client] = founding.clients[0]
        self.nodes: Final[dict[str, Node]] = {}
        self.specs: Final[dict[bytes, WorkloadSpec]] = {}
        self.refused: Final[list[str]] = []
        self.state: Readable | None = None
        self.apart: set[tuple[str, str]] = set()
        self.oracle: Final = Oracle(self)
        chain.listeners.append(self._hear)

    def _hear(self, block: Block) -> None:
        self.state = block.state
        self.oracle.look(block)

    def found(self, count: int, make: Callable[[int], type[Node]] = lambda _: Node, owners: Iterable[str] = ()) -> None:
        """Create the cluster with so many nodes, and start them."""
        self.does(ClusterCreate(cluster="shop", settings=SETTINGS))
        named = list(owners)
        for number in range(count):
            node = make(number)(self, f"node-{number:02}", CPU_MILLICORES, MEMORY_KIB)
            self.nodes[node.name] = node
            labels = (Label(key="owner", value=named[number]),) if named else ()
            admitted = ClusterAdmit(
                cluster="shop", node=node.name, account=node.client.address, labels=labels, taints=()
            )
            self.does(admitted)
            join = ClusterJoin(cluster="shop", node=node.name, inventory=_inventory(node))
            self.chain.submit(node.client, join, self._done)
            self.clock.at(self.clock.random.randrange(50), node.boot)

    def does(self, *calls: Call) -> None:
        """The owner of the cluster asks for something; it must not be refused."""
        for call in calls:
            self.chain.submit(self.owner, call, self._done)

    def _done(self, _height: int, code: str) -> None:
        if code:
            self.refused.append(code)

    def apply(self, spec: WorkloadSpec, replicas: int) -> None:
        """Hand in a specification, and have it run."""
        digest = spec_digest(spec)
        self.specs[digest] = spec
        self.does(ClusterApply(cluster="shop", spec=digest, terms=spec.terms, replicas=replicas))

    @property
    def workloads(self) -> tuple[str, ...]:
        """All that are there."""
        cluster = read_cluster(self.state, "shop") if self.state is not None else None
        return cluster.workloads if cluster is not None else ()

    def reached(self, who: Node, name: str) -> Node | None:
        """A node as another one reaches it: `None` where no wire leads there, or nobody answers."""
        other = self.nodes.get(name)
        cut = (who.name, name) in self.apart or (name, who.name) in self.apart
        return other if other is not None and other.alive and other.reachable and who.reachable and not cut else None


def _inventory(node: Node) -> Inventory:
    cpu, memory = node.offered
    return Inventory(
        architecture="x86_64",
        kernel="6.1",
        cpu_millicores=cpu,
        memory_kib=memory,
        engines=("sandbox",),
        api="10.0.0.1:26700",
        mesh="",
        transport_key=node.key.public_key,
        sealing_key=bytes(SEALING_KEY_BYTES),
        images=(),
        volumes=(),
    )
