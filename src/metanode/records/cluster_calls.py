"""What a transaction can ask of the module `cluster`."""

from typing import TypeAlias

from metanode.primitives.codec import Wire
from metanode.records.cluster import ClusterSettings, Inventory, Label, ReceiptBatch, ReplicaReport, Sighting
from metanode.records.demand import Taint
from metanode.records.image_policy import ImageSignature
from metanode.records.workload import Terms


class ClusterCreate(Wire, tag="cluster.create"):
    """A cluster with the sender as owner."""

    cluster: str
    settings: ClusterSettings


class ClusterConfigure(Wire, tag="cluster.configure"):
    """Other settings; the owner may."""

    cluster: str
    settings: ClusterSettings


class ClusterJoin(Wire, tag="cluster.join"):
    """The sender is a node and wants to be, or is, part of the cluster: what it is and has. Again when it changed."""

    cluster: str
    node: str
    inventory: Inventory


class ClusterAdmit(Wire, tag="cluster.admit"):
    """An operator lets a node in, by its name and account, with labels and taints; again to change those."""

    cluster: str
    node: str
    account: bytes
    labels: tuple[Label, ...]
    taints: tuple[Taint, ...]


class ClusterMark(Wire, tag="cluster.mark"):
    """An operator says what is to become of a node: `active`, `cordoned`, `draining` or `removed`."""

    cluster: str
    node: str
    mark: str


class ClusterAdmitImage(Wire, tag="cluster.admit-image"):
    """An operator admits an image, by the SHA-256 of its manifest, or withdraws it."""

    cluster: str
    image: bytes
    admitted: bool


class ClusterSignImage(Wire, tag="cluster.sign-image"):
    """CLUSTER-23. An operator hands in signatures of an image by keys of the cluster's policy."""

    cluster: str
    image: bytes
    signatures: tuple[ImageSignature, ...]


class ClusterApply(Wire, tag="cluster.apply"):
    """A workload comes to be, or gets a new revision: the digest of its specification, the terms, how many replicas."""

    cluster: str
    spec: bytes
    terms: Terms
    replicas: int


class ClusterScale(Wire, tag="cluster.scale"):
    """So many replicas of a workload."""

    cluster: str
    workload: str
    replicas: int


class ClusterRollBack(Wire, tag="cluster.roll-back"):
    """The workload returns to the revision before."""

    cluster: str
    workload: str


class ClusterControl(Wire, tag="cluster.control"):
    """Stop, start, restart or delete a workload as a whole."""

    cluster: str
    workload: str
    action: str


class ClusterReport(Wire, tag="cluster.report"):
    """A node lives: what changed with its replicas, its new receipts, and what it saw of others' replicas where it was
    asked to look. `sequence` grows with every report."""

    cluster: str
    node: str
    sequence: int
    replicas: tuple[ReplicaReport, ...]
    receipts: ReceiptBatch
    sightings: tuple[Sighting, ...] = ()


ClusterCall: TypeAlias = (
    ClusterCreate
    | ClusterConfigure
    | ClusterJoin
    | ClusterAdmit
    | ClusterMark
    | ClusterAdmitImage
    | ClusterSignImage
    | ClusterApply
    | ClusterScale
    | ClusterRollBack
    | ClusterControl
    | ClusterReport
)
