"""What the chain remembers of clusters: nodes, workloads, replicas, who waits, and when somebody must look again."""

from functools import lru_cache
from typing import Final

from metanode.ledger.view import Readable, View
from metanode.primitives.codec import Decoder, Wire, encode
from metanode.records.cluster import (
    NO_RECEIPTS,
    NODES_MAX,
    ClusterSettings,
    Inventory,
    Label,
    ReceiptBatch,
    Said,
)
from metanode.records.demand import Taint
from metanode.records.workload import Terms

CLUSTER: Final = b"kc"
MEMBER: Final = b"km"
SHARE: Final = b"kn"
WORKLOAD: Final = b"kw"
REPLICA: Final = b"kr"
QUEUE: Final = b"kq"
USAGE: Final = b"ku"
IMAGE: Final = b"ki"
IMAGE_SIGNED: Final = b"kg"
AGENDA: Final = b"ka"
INSPECTIONS: Final = b"kp"

CLUSTERS_MAX: Final = 256
"""Most clusters of a chain: the agenda names each of them."""
ASSIGNMENTS_MAX: Final = 256
"""Most replicas on one node: its share is one value, so that one proof shows all of it."""
WAITING_MAX: Final = 8_192
"""Most replicas of a cluster that wait for a node."""
EARLIER_MAX: Final = 4
"""Revisions kept to return to."""
DEPENDENTS_MAX: Final = 64
"""Most workloads that depend on one."""
NEVER: Final = 1 << 62
"""A time that does not come."""


class Cluster(Wire):
    """A security domain: its owner's settings, its nodes and workloads by name, ascending, and when it is to be looked
    at again although nobody called (a node may be silent, a delay over)."""

    owner: bytes
    settings: ClusterSettings
    nodes: tuple[str, ...]
    workloads: tuple[str, ...]
    due_ms: int


class Doubt(Wire):
    """PROBE-7. How often a node was doubted, and until when it takes nothing new; 0 once that is over."""

    times: int
    until_ms: int


class Member(Wire):
    """A node. `standing`: invited, joining, in, lost; `mark`: what its operators want of it. `inventory`: none, one;
    `doubt`: none, one."""

    account: bytes
    standing: str
    mark: str
    inventory: tuple[Inventory, ...]
    labels: tuple[Label, ...]
    taints: tuple[Taint, ...]
    doubt: tuple[Doubt, ...] = ()

    @property
    def state(self) -> str:
        """What people are shown: the mark of a node that is in, unless it is doubted, else its standing."""
        if self.standing != "in":
            return self.standing
        doubted = self.mark == "active" and any(one.until_ms for one in self.doubt)
        return "doubted" if doubted else self.mark


class Assignment(Wire):
    """One attempt of a replica that a node is to run, or (`run` false) to stop. `spec`: digest of the specification,
    `terms`: SHA-256 of the terms. The numbers are what it takes of the node."""

    workload: str
    index: int
    attempt: int
    revision: int
    spec: bytes
    terms: bytes
    run: bool
    cpu_millicores: int
    memory_kib: int
    ports: tuple[int, ...]
    priority: int


class Duty(Wire):
    """PROBE-3. An attempt of a replica on another node that is to be looked at, since when: whose node it is, where its
    agent answers, which specification it runs by."""

    node: str
    account: bytes
    api: str
    workload: str
    index: int
    attempt: int
    revision: int
    spec: bytes
    since_ms: int


class Share(Wire):
    """CLUSTER-7. All that one node is to do, in one value: what is not here may not run there. `sequence` and
    `heard_ms` of its last report, the number of its next receipt, and the last batch that was `pinned`. `duties`: what
    it is to look at elsewhere."""

    sequence: int
    heard_ms: int
    receipts: int
    pinned: ReceiptBatch
    assignments: tuple[Assignment, ...]
    duties: tuple[Duty, ...] = ()


class Inspection(Wire):
    """PROBE-3. An attempt that is looked at: by whom, until when, and what they said so far."""

    duty: Duty
    probers: tuple[str, ...]
    until_ms: int
    verdicts: tuple[Said, ...]


class Inspections(Wire):
    """PROBE-1. The inspections of a cluster under way, when the next round begins, and the last node of this one."""

    next_ms: int
    last: str
    open: tuple[Inspection, ...]


class Revision(Wire):
    """A workload as it was applied once."""

    number: int
    spec: bytes
    terms: Terms


class Progress(Wire):
    """An update under way: replicas of the new revision that failed, when the next may begin, whether it leads back."""

    failed: int
    next_ms: int
    back: bool


class Workload(Wire):
    """A workload. `update` none or one; `numbers` counts revisions; `peak`: most replicas it ever had; `begun`: the
    revision for which failures count, 0 where all are to be forgotten first; `dependents` wait for it; `due_ms`: look
    again."""

    owner: bytes
    phase: str
    current: Revision
    earlier: tuple[Revision, ...]
    numbers: int
    replicas: int
    peak: int
    begun: int
    applied_ms: int
    update: tuple[Progress, ...]
    dependents: tuple[str, ...]
    due_ms: int


class Instance(Wire):
    """One attempt to run a replica; `node` empty while it waits. `looked_ms`: when it was last to be looked at."""

    attempt: int
    revision: int
    node: str
    state: str
    code: int
    since_ms: int
    looked_ms: int = 0


class Replica(Wire):
    """A replica: at most two instances, an old and a new one. `done`: a job's replica that ended with 0. `failures` in
    a row, and when the next attempt may begin. `stood`: the last node. `refused`: nodes that may not run it."""

    instances: tuple[Instance, ...]
    attempts: int
    failures: int
    not_before_ms: int
    done: bool
    stood: str
    refused: tuple[str, ...]


class Waiting(Wire):
    """An instance that waits for a node: tried so often in `vain`; `tried` since something last changed."""

    workload: str
    index: int
    attempt: int
    priority: int
    since_ms: int
    vain: int
    tried: bool


class Queue(Wire):
    """Who waits, in the order of coming."""

    waiting: tuple[Waiting, ...]


class Usage(Wire):
    """What the workloads of one account demand together."""

    cpu_millicores: int
    memory_kib: int
    replicas: int


class Named(Wire):
    """A workload of a cluster."""

    cluster: str
    workload: str


class Agenda(Wire):
    """What the end of a block looks at: all clusters; workloads that changed; clusters in which somebody is to be
    tried."""

    clusters: tuple[str, ...]
    changed: tuple[Named, ...]
    placing: tuple[str, ...]


CLUSTERS: Final = Decoder[Cluster](Cluster, 1 << 20)
MEMBERS: Final = Decoder[Member](Member, 65_536)
SHARES: Final = Decoder[Share](Share, 1 << 18)
WORKLOADS: Final = Decoder[Workload](Workload, 65_536)
_REPLICAS: Final = Decoder[Replica](Replica, 4_096)
_QUEUES: Final = Decoder[Queue](Queue, 1 << 20)
_USAGES: Final = Decoder[Usage](Usage, 64)
_AGENDAS: Final = Decoder[Agenda](Agenda, 1 << 20)
_INSPECTIONS: Final = Decoder[Inspections](Inspections, 1 << 17)

_cluster = lru_cache(maxsize=64)(CLUSTERS.decode)
_member = lru_cache(maxsize=4 * NODES_MAX)(MEMBERS.decode)
_share = lru_cache(maxsize=4 * NODES_MAX)(SHARES.decode)
_queue = lru_cache(maxsize=16)(_QUEUES.decode)
_workload = lru_cache(maxsize=4_096)(WORKLOADS.decode)
_inspections = lru_cache(maxsize=16)(_INSPECTIONS.decode)

NOTHING_DUE: Final = Agenda(clusters=(), changed=(), placing=())
NO_SHARE: Final = Share(sequence=0, heard_ms=0, receipts=0, pinned=NO_RECEIPTS, assignments=())
NO_INSPECTIONS: Final = Inspections(next_ms=0, last="", open=())
NO_QUEUE: Final = Queue(waiting=())
NO_USAGE: Final = Usage(cpu_millicores=0, memory_kib=0, replicas=0)
NO_REPLICA: Final = Replica(instances=(), attempts=0, failures=0, not_before_ms=0, done=False, stood="", refused=())


def cluster_key(cluster: str) -> bytes:
    """Where a cluster is kept."""
    return CLUSTER + cluster.encode()


def _named(kind: bytes, cluster: str, name: str) -> bytes:
    return kind + cluster.encode() + b"\0" + name.encode()


def member_key(cluster: str, node: str) -> bytes:
    """Where a node is kept."""
    return _named(MEMBER, cluster, node)


def share_key(cluster: str, node: str) -> bytes:
    """CLUSTER-7. Where everything is kept that a node is to do: what an agent asks the proof of."""
    return _named(SHARE, cluster, node)


def workload_key(cluster: str, workload: str) -> bytes:
    """Where a workload is kept."""
    return _named(WORKLOAD, cluster, workload)


def replica_key(cluster: str, workload: str, index: int) -> bytes:
    """Where a replica is kept; those of a workload ascend by index."""
    return _named(REPLICA, cluster, workload) + b"\0" + index.to_bytes(4, "big")


def usage_key(cluster: str, account: bytes) -> bytes:
    """Where is kept what an account's workloads demand together."""
    return USAGE + cluster.encode() + b"\0" + account


def image_key(cluster: str, image: bytes) -> bytes:
    """Where is kept that an image was admitted."""
    return IMAGE + cluster.encode() + b"\0" + image


def image_signed_key(cluster: str, image: bytes) -> bytes:
    """Where signatures of an image are kept."""
    return IMAGE_SIGNED + cluster.encode() + b"\0" + image


def read_cluster(state: Readable, cluster: str) -> Cluster | None:
    """A cluster, `None` if there is none of this name."""
    data = state.get(cluster_key(cluster))
    return _cluster(data) if data is not None else None


def read_member(state: Readable, cluster: str, node: str) -> Member | None:
    """A node of a cluster."""
    data = state.get(member_key(cluster, node))
    return _member(data) if data is not None else None


def read_share(state: Readable, cluster: str, node: str) -> Share:
    """What a node is to do; an empty share where nothing was ever written."""
    data = state.get(share_key(cluster, node))
    return _share(data) if data is not None else NO_SHARE


def read_workload(state: Readable, cluster: str, workload: str) -> Workload | None:
    """A workload of a cluster."""
    data = state.get(workload_key(cluster, workload))
    return _workload(data) if data is not None else None


def read_replica(state: Readable, cluster: str, workload: str, index: int) -> Replica:
    """A replica; an empty one where there is none."""
    data = state.get(replica_key(cluster, workload, index))
    return _REPLICAS.decode(data) if data is not None else NO_REPLICA


def read_queue(state: Readable, cluster: str) -> Queue:
    """Who waits in a cluster."""
    data = state.get(QUEUE + cluster.encode())
    return _queue(data) if data is not None else NO_QUEUE


def inspections_key(cluster: str) -> bytes:
    """Where a cluster's inspections are kept."""
    return INSPECTIONS + cluster.encode()


def read_inspections(state: Readable, cluster: str) -> Inspections:
    """PROBE-1. A cluster's inspections."""
    data = state.get(inspections_key(cluster))
    return _inspections(data) if data is not None else NO_INSPECTIONS


def read_usage(state: Readable, cluster: str, account: bytes) -> Usage:
    """What an account's workloads demand together."""
    data = state.get(usage_key(cluster, account))
    return _USAGES.decode(data) if data is not None else NO_USAGE


def read_agenda(state: Readable) -> Agenda:
    """What the end of the block looks at."""
    data = state.get(AGENDA)
    return _AGENDAS.decode(data) if data is not None else NOTHING_DUE


def write(view: View, key: bytes, value: Wire | None) -> None:
    """Keep a value, or forget it."""
    view.put(key, encode(value) if value is not None else None)


def queue_key(cluster: str) -> bytes:
    """Where a cluster's queue is kept."""
    return QUEUE + cluster.encode()
