"""A small cluster on a real ledger, with nodes that do what their shares say, and can be told not to."""

from collections.abc import Callable, Iterable
from typing import Any

from msgspec.structs import replace
from tests.unit.ledger.world import World, address, key, known
from tests.unit.ledger.world import changed as with_fields

from metanode.docklock.cluster.state import (
    Duty,
    Replica,
    Share,
    Workload,
    read_member,
    read_queue,
    read_replica,
    read_share,
    read_workload,
)
from metanode.ledger import Execution
from metanode.primitives.names import NO_HASH
from metanode.records.block import KnownTransaction
from metanode.records.calls import Call
from metanode.records.cluster import (
    SEALING_KEY_BYTES,
    ClusterSettings,
    Inventory,
    Label,
    ReceiptBatch,
    ReplicaReport,
    Sighting,
)
from metanode.records.cluster_calls import ClusterAdmit, ClusterApply, ClusterCreate, ClusterJoin, ClusterReport
from metanode.records.cluster_events import ReplicaChanged, ReplicaPlaced, WorkloadChanged
from metanode.records.demand import Taint
from metanode.records.placement import Weights
from metanode.records.receipt import Event
from metanode.records.workload import Dependency, Job, Terms
from metanode.sim.docklock.samples import DEMAND, UPDATE

OWNER, OPERATOR = "alice", "bob"
TIMEOUT_MS = 5_000
SETTINGS = ClusterSettings(
    operators=(address(OPERATOR),),
    executors=(),
    weights=Weights(),
    heartbeat_timeout_ms=TIMEOUT_MS,
    quotas=(),
    images="any",
)
NO_RECEIPTS = ReceiptBatch(first=0, count=0, root=NO_HASH)
NO_JOB = Job(retries=0, deadline_ms=0)


def inventory(**changes: Any) -> Inventory:
    """A node of four cores and 4 GiB."""
    usual = Inventory(
        architecture="x86_64",
        kernel="6.1",
        cpu_millicores=4_000,
        memory_kib=4 << 20,
        engines=("sandbox",),
        api="127.0.0.1:26700",
        mesh="127.0.0.1:26701",
        transport_key=key("transport"),
        sealing_key=bytes(SEALING_KEY_BYTES),
        images=(),
        volumes=(),
    )
    return replace(usual, **changes)


def terms(workload: str = "web", **changes: Any) -> Terms:
    """A service of half a core; `demand` and others by name."""
    demand = changes.pop("demand", {})
    update = changes.pop("update", {})
    usual = Terms(
        workload=workload,
        kind="service",
        demand=replace(DEMAND, **demand),
        update=replace(UPDATE, **update),
        job=NO_JOB,
        dependencies=(),
        ports=(),
        networks=("default",),
        deterministic=False,
    )
    return replace(usual, **changes)


def needs(*names: str, condition: str = "healthy") -> tuple[Dependency, ...]:
    return tuple(Dependency(workload=name, condition=condition) for name in names)


def apply(what: Terms, replicas: int = 1, spec: bytes = b"1", cluster: str = "shop") -> ClusterApply:
    return ClusterApply(cluster=cluster, spec=spec.rjust(32, b"\0"), terms=what, replicas=replicas)


class Town(World):
    """The cluster `shop` of `alice`, operated by `bob` too; nodes `node-1` … live unless they are in `silent`.

    `broken`, `unwell`: (workload, revision) of which every attempt fails to start, or is never well.
    `asleep`: nodes that report, but start and stop nothing. `sees`: what a prober says of a duty (empty: nothing yet).
    """

    def __init__(self, nodes: int = 3, settings: ClusterSettings = SETTINGS) -> None:
        super().__init__()
        self.silent: set[str] = set()
        self.asleep: set[str] = set()
        self.broken: set[tuple[str, int]] = set()
        self.unwell: set[tuple[str, int]] = set()
        self.ends: dict[str, int] = {}
        self.sees: Callable[[str, Duty], str] | None = None
        self.sequence = 0
        self.events: list[Event] = []
        self.names = [f"node-{number}" for number in range(1, nodes + 1)]
        self.does(OWNER, ClusterCreate(cluster="shop", settings=settings))
        for name in self.names:
            self.enter(name)

    def enter(self, name: str, labels: Iterable[Label] = (), taints: Iterable[Taint] = (), **has: Any) -> None:
        """A node joins and is admitted."""
        if name not in self.names:
            self.names.append(name)
        self.does(name, ClusterJoin(cluster="shop", node=name, inventory=inventory(**has)))
        admitted = ClusterAdmit(
            cluster="shop", node=name, account=address(name), labels=tuple(labels), taints=tuple(taints)
        )
        self.does(OWNER, admitted)

    def with_work(self, sender: str, *calls: Call) -> KnownTransaction:
        made = self.transaction(sender, *calls)
        return known(with_fields(made.signed.transaction, work_limit=100_000), (key(sender),))

    def does(self, sender: str, *calls: Call, later_ms: int = 100) -> Execution:
        """One transaction in a block of its own; the nodes are not asked."""
        done = self.commit(self.with_work(sender, *calls), later_ms=later_ms)
        self.events += [event for receipt in done.receipts for event in receipt.events]
        assert [receipt.code for receipt in done.receipts if receipt.code] == [], done.receipts
        return done

    def refuses(self, sender: str, *calls: Call) -> str:
        """The code with which a transaction fails."""
        done = self.commit(self.with_work(sender, *calls))
        return next(receipt.code for receipt in done.receipts if receipt.code)

    def answers(self, node: str) -> tuple[ReplicaReport, ...]:
        """What an honest node says of its share: started and ready at once, stopped as asked."""
        said = []
        for one in self.share(node).assignments:
            instance = next(i for i in self.replica(one.workload, one.index).instances if i.attempt == one.attempt)
            state, code = "ready", 0
            if not one.run:
                state = "stopped"
            elif (one.workload, one.revision) in self.broken:
                state, code = "failed", 1
            elif (one.workload, one.revision) in self.unwell:
                state = "unready"
            elif one.workload in self.ends and instance.state == "ready":
                state, code = "exited", self.ends[one.workload]
            if instance.state != state:
                said.append(
                    ReplicaReport(workload=one.workload, index=one.index, attempt=one.attempt, state=state, code=code)
                )
        return tuple(said)

    def report(
        self,
        node: str,
        *said: ReplicaReport,
        receipts: ReceiptBatch = NO_RECEIPTS,
        sightings: tuple[Sighting, ...] = (),
    ) -> ClusterReport:
        self.sequence += 1
        return ClusterReport(
            cluster="shop",
            node=node,
            sequence=self.sequence,
            replicas=said,
            receipts=receipts,
            sightings=sightings,
        )

    def looks(self, node: str) -> tuple[Sighting, ...]:
        """What a node says of what it was asked to look at; nothing where nobody says what it sees."""
        found = [(duty, self.sees(node, duty)) for duty in self.share(node).duties] if self.sees is not None else []
        return tuple(
            Sighting(
                node=duty.node,
                workload=duty.workload,
                index=duty.index,
                attempt=duty.attempt,
                sight=sight,
                statement=bytes(32),
            )
            for duty, sight in found
            if sight
        )

    def lives(self, blocks: int = 1, later_ms: int = 1_000) -> None:
        """So many blocks, before each of which every node reports."""
        for _ in range(blocks):
            reports = [
                self.with_work(
                    name,
                    self.report(name, *(() if name in self.asleep else self.answers(name)), sightings=self.looks(name)),
                )
                for name in self.names
                if name not in self.silent
            ]
            done = self.commit(*reports, later_ms=later_ms)
            assert not [receipt for receipt in done.receipts if receipt.code], done.receipts
            self.events += [event for receipt in done.receipts for event in receipt.events]

    # --- what the state says --------------------------------------------------------------------------------------

    def share(self, node: str) -> Share:
        return read_share(self.ledger, "shop", node)

    def node(self, node: str) -> str:
        member = read_member(self.ledger, "shop", node)
        return member.state if member is not None else ""

    def workload(self, name: str = "web") -> Workload:
        found = read_workload(self.ledger, "shop", name)
        assert found is not None
        return found

    def phase(self, name: str = "web") -> str:
        found = read_workload(self.ledger, "shop", name)
        return found.phase if found is not None else ""

    def replica(self, workload: str = "web", index: int = 0) -> Replica:
        return read_replica(self.ledger, "shop", workload, index)

    def where(self, name: str = "web") -> dict[int, list[tuple[str, str, int]]]:
        """Node, state and revision of every instance, by index."""
        found = {index: self.replica(name, index).instances for index in range(self.workload(name).peak)}
        return {index: [(i.node, i.state, i.revision) for i in held] for index, held in found.items() if held}

    def waiting(self) -> int:
        return len(read_queue(self.ledger, "shop").waiting)

    def said(self, kind: type[Event]) -> list[Any]:
        """The events of a kind since they were last asked for."""
        found = [event for event in self.events if isinstance(event, kind)]
        self.events.clear()
        return found


__all__ = ["ReplicaChanged", "ReplicaPlaced", "WorkloadChanged"]
