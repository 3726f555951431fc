"""What happened in a cluster: events of the module `cluster`."""

from typing import TypeAlias

from metanode.primitives.codec import Wire
from metanode.records.cluster import Said


class ClusterCreated(Wire, tag="cluster.created"):
    """A cluster came to be."""

    cluster: str
    owner: bytes


class ClusterConfigured(Wire, tag="cluster.configured"):
    """A cluster has other settings."""

    cluster: str


class NodeChanged(Wire, tag="cluster.node-changed"):
    """A node has joined, was admitted, marked, lost, or is back: its state now."""

    cluster: str
    node: str
    state: str


class ImageAdmitted(Wire, tag="cluster.image-admitted"):
    """An image may be placed, or no longer."""

    cluster: str
    image: bytes
    admitted: bool


class ImageSigned(Wire, tag="cluster.image-signed"):
    """CLUSTER-23. So many keys of the cluster's policy have signed an image now; `needed` of them must have."""

    cluster: str
    image: bytes
    signers: int
    needed: int


class WorkloadChanged(Wire, tag="cluster.workload-changed"):
    """A workload is in another phase, or has another revision: its number and the digest of its specification."""

    cluster: str
    workload: str
    phase: str
    revision: int
    spec: bytes


class ReplicaWaits(Wire, tag="cluster.replica-waits"):
    """No node can take a replica now, said once: the code of what most nodes lack."""

    cluster: str
    workload: str
    index: int
    attempt: int
    reason: str


class ReplicaPlaced(Wire, tag="cluster.replica-placed"):
    """The committee's decision: this attempt of this replica runs on this node, under this revision."""

    cluster: str
    workload: str
    index: int
    attempt: int
    revision: int
    node: str


class ReplicaChanged(Wire, tag="cluster.replica-changed"):
    """A replica's attempt is in another state: reported by its node, or decided (`stopping`, `preempted`, `lost`)."""

    cluster: str
    workload: str
    index: int
    attempt: int
    node: str
    state: str
    code: int


class ReceiptsPinned(Wire, tag="cluster.receipts-pinned"):
    """CLUSTER-9. A node's receipts number `first` … `first + count - 1` have this root. `account`: the node's; the
    key whose address it is has signed them."""

    cluster: str
    node: str
    account: bytes
    first: int
    count: int
    root: bytes


class NodeDoubted(Wire, tag="cluster.node-doubted"):
    """PROBE-7. A node says that an attempt is ready, and so many probers found nothing of it: who said what."""

    cluster: str
    node: str
    workload: str
    index: int
    attempt: int
    verdicts: tuple[Said, ...]


class ProbersDiffer(Wire, tag="cluster.probers-differ"):
    """PROBE-8. Probers differ about an attempt from each other, or from what its node reports: who said what."""

    cluster: str
    node: str
    workload: str
    index: int
    attempt: int
    verdicts: tuple[Said, ...]


ClusterEvent: TypeAlias = (
    ClusterCreated
    | ClusterConfigured
    | NodeChanged
    | ImageAdmitted
    | ImageSigned
    | WorkloadChanged
    | ReplicaWaits
    | ReplicaPlaced
    | ReplicaChanged
    | ReceiptsPinned
    | NodeDoubted
    | ProbersDiffer
)
