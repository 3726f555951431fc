"""What people and nodes say of a cluster: its settings, a node's inventory, what a node reports of its replicas."""

import re
from typing import Final

from metanode.primitives.codec import Wire
from metanode.primitives.names import NO_HASH
from metanode.primitives.refusal import Refusal, Rejected
from metanode.records.address import ADDRESS_BYTES
from metanode.records.demand import (
    ARCHITECTURES,
    CPU_MILLICORES_MAX,
    ENGINES,
    LISTED_MAX,
    MEMORY_KIB_MAX,
    MEMORY_KIB_MIN,
    Taint,
    check_ascending,
    check_count,
    check_digest,
    check_label,
    check_name,
    check_range,
    check_taint,
    check_word,
)
from metanode.records.image_policy import ImagePolicy
from metanode.records.placement import Weights, check_weights

NODES_MAX: Final = 1_024
"""Most nodes of a cluster: a placement looks at each of them."""
WORKLOADS_MAX: Final = 1_024
"""Most workloads of a cluster."""
OPERATORS_MAX: Final = 16
"""Most operators of a cluster, and most of its quotas: more belong behind one policy account."""
IMAGES_SHOWN_MAX: Final = 128
"""Most images and volumes that a node tells of: hints for a better place, nothing more."""
SIGHTINGS_MAX: Final = 64
"""Most sightings in one report: as many inspections as a cluster has under way."""
REPORTED_MAX: Final = 128
"""Most replicas in one report; what is left goes into the next."""
RECEIPTS_MAX: Final = 1_024
"""Most receipts that one report pins: a path in their tree has ten nodes. What is left goes into the next."""
HEARTBEAT_MS_MIN: Final = 500
"""Least time after which a silent node counts as lost."""
HEARTBEAT_MS_MAX: Final = 3_600_000
"""Greatest time after which a silent node counts as lost: an hour."""
SEALING_KEY_BYTES: Final = 32 + 1_184
"""A node's key for secrets: X25519 and ML-KEM-768."""
ENDPOINT_BYTES_MAX: Final = 255
"""Longest `host:port`."""

STATES: Final = ("starting", "started", "ready", "unready", "exited", "failed", "refused", "stopped")
"""What a node says of a replica: nothing of it runs (again) yet; it runs; it is well; it is not; it ended by itself; it
could not be started, or ended too often; the node may not run it; it was stopped as asked."""
ENDED: Final = ("exited", "failed", "refused", "stopped")
"""States after which nothing of it runs any more."""
MARKS: Final = ("active", "cordoned", "draining", "removed")
"""What the owner says of a node: it takes replicas; nothing new; nothing at all, what runs moves; it is gone."""
ACTIONS: Final = ("stop", "start", "restart", "delete")
"""What can be done to a workload as a whole."""

SIGHTS: Final = ("seen", "unwell", "unseen")
"""What a prober says: it runs and is well; its node itself says that it is not well; nothing was found of it."""

_ENDPOINT: Final = re.compile(r"(?:[A-Za-z0-9.-]{1,249}|\[[0-9A-Fa-f:.]{2,45}\]):[0-9]{1,5}", re.ASCII)


class ClusterValueRefusal(Refusal):
    """Why a value that is meant for a cluster is none."""

    BAD_ENDPOINT = "cluster.bad-endpoint"
    """Not `host:port`."""
    BAD_KEY = "cluster.bad-key"
    """A key or address of another width."""
    BAD_COUNT = "cluster.bad-count"
    """Counters that contradict each other."""


class Quota(Wire):
    """What the workloads that one account applied may demand together; 0 is nothing."""

    account: bytes
    cpu_millicores: int
    memory_kib: int
    replicas: int


class ClusterSettings(Wire):
    """CLUSTER-1. What the owner of a cluster chooses. `operators` may apply workloads and admit nodes, `executors` may
    start commands in running replicas, both ascending. Accounts without a quota have no limit of their own.

    `images`: `any`, or `listed`: only images that an operator admitted. `policy`: which images may run besides, and who
    must have signed them. A node that was not heard for `heartbeat_timeout_ms` of header time is lost.
    """

    operators: tuple[bytes, ...]
    executors: tuple[bytes, ...]
    weights: Weights
    heartbeat_timeout_ms: int
    quotas: tuple[Quota, ...]
    images: str
    policy: ImagePolicy = ImagePolicy()


class Label(Wire):
    """A label of a node, given by the cluster's owner: nodes do not name their own region."""

    key: str
    value: str


class Inventory(Wire):
    """CLUSTER-2. What a node says it is and has, signed by its own account. `api` and `mesh`: where it answers people
    and other nodes; `transport_key` (Ed25519) what it proves there, `sealing_key` what secrets for it are sealed to.
    `images` (digests of manifests) and `volumes` are what it holds."""

    architecture: str
    kernel: str
    cpu_millicores: int
    memory_kib: int
    engines: tuple[str, ...]
    api: str
    mesh: str
    transport_key: bytes
    sealing_key: bytes
    images: tuple[bytes, ...]
    volumes: tuple[str, ...]


class ReplicaReport(Wire):
    """What a node says of one attempt to run a replica. `code`: exit status where it `exited` or `failed`, else 0."""

    workload: str
    index: int
    attempt: int
    state: str
    code: int


class Sighting(Wire):
    """PROBE-4. What a node saw of an attempt of a replica on another node. `statement`: SHA-256 of what that node
    signed about it; zeroes where it signed nothing."""

    node: str
    workload: str
    index: int
    attempt: int
    sight: str
    statement: bytes


class Said(Wire):
    """What one prober said in an inspection."""

    prober: str
    sight: str
    statement: bytes


class ReceiptBatch(Wire):
    """CLUSTER-9. Receipts of a node, counted from 0 without gaps: the number of the first, how many, the root of their
    tree. `count` 0: none, and a root of zeroes."""

    first: int
    count: int
    root: bytes


NO_RECEIPTS: Final = ReceiptBatch(first=0, count=0, root=NO_HASH)
"""What a node reports that has written none."""


def check_settings(settings: ClusterSettings) -> None:
    """CLUSTER-1. Settings within their bounds. Raises `Rejected`."""
    quotas = tuple(quota.account for quota in settings.quotas)
    for what, accounts in (("operators", settings.operators), ("executors", settings.executors), ("quotas", quotas)):
        check_count(what, len(accounts), OPERATORS_MAX)
        check_ascending(what, accounts)
        for account in accounts:
            check_account(f"an account of the {what}", account)
    for quota in settings.quotas:
        check_range("the cores of a quota, in thousandths", quota.cpu_millicores, 0, CPU_MILLICORES_MAX * NODES_MAX)
        check_range("the memory of a quota, in KiB", quota.memory_kib, 0, MEMORY_KIB_MAX * NODES_MAX)
        check_range("the replicas of a quota", quota.replicas, 0, 1 << 20)
    check_weights(settings.weights)
    check_range("heartbeat_timeout_ms", settings.heartbeat_timeout_ms, HEARTBEAT_MS_MIN, HEARTBEAT_MS_MAX)
    check_word("the rule about images", settings.images, ("any", "listed"))


def check_labels(labels: tuple[Label, ...]) -> None:
    """CLUSTER-3. Labels of a node, ascending by key. Raises `Rejected`."""
    check_count("labels", len(labels))
    check_ascending("labels", tuple(label.key for label in labels))
    for label in labels:
        check_label("the key of a label", label.key)
        check_label("the value of a label", label.value)


def check_taints(taints: tuple[Taint, ...]) -> None:
    """CLUSTER-3. Taints of a node, ascending. Raises `Rejected`."""
    check_count("taints", len(taints))
    check_ascending("taints", tuple(f"{one.key} {one.value} {one.effect}" for one in taints))
    for taint in taints:
        check_taint(taint)


def check_account(what: str, account: bytes) -> None:
    """An address of 20 bytes. Raises `Rejected`."""
    _check_width(what, account, ADDRESS_BYTES)


def _check_width(what: str, data: bytes, width: int) -> None:
    if len(data) != width:
        raise Rejected(ClusterValueRefusal.BAD_KEY, f"{what}: {len(data)} bytes, must be {width}")


def _check_endpoint(what: str, endpoint: str) -> None:
    if len(endpoint) > ENDPOINT_BYTES_MAX or not _ENDPOINT.fullmatch(endpoint):
        raise Rejected(ClusterValueRefusal.BAD_ENDPOINT, f"{what} {endpoint[:80]!r}: like 10.0.0.7:26700")


def check_inventory(inventory: Inventory) -> None:
    """CLUSTER-2. An inventory that could be true. Raises `Rejected`."""
    check_word("the architecture", inventory.architecture, ARCHITECTURES[1:])
    if len(inventory.kernel.encode()) > LISTED_MAX * 2 or not inventory.kernel.isprintable():
        raise Rejected(ClusterValueRefusal.BAD_COUNT, "the kernel's version: at most 64 printable bytes")
    check_range("cpu_millicores", inventory.cpu_millicores, 1, CPU_MILLICORES_MAX)
    check_range("memory_kib", inventory.memory_kib, MEMORY_KIB_MIN, MEMORY_KIB_MAX)
    check_ascending("engines", inventory.engines)
    for engine in inventory.engines:
        check_word("an engine", engine, ENGINES)
    for what, endpoint in (("api", inventory.api), ("mesh", inventory.mesh)):
        if endpoint:
            _check_endpoint(what, endpoint)
    _check_width("transport_key", inventory.transport_key, 32)
    _check_width("sealing_key", inventory.sealing_key, SEALING_KEY_BYTES)
    check_count("images", len(inventory.images), IMAGES_SHOWN_MAX)
    check_ascending("images", inventory.images)
    for image in inventory.images:
        check_digest("an image", image)
    check_count("volumes", len(inventory.volumes), IMAGES_SHOWN_MAX)
    check_ascending("volumes", inventory.volumes)
    for volume in inventory.volumes:
        check_name("volume", volume)


def check_report(replicas: tuple[ReplicaReport, ...], receipts: ReceiptBatch) -> None:
    """CLUSTER-8. A report within its bounds: each attempt at most once. Raises `Rejected`."""
    check_count("replicas in a report", len(replicas), REPORTED_MAX)
    for report in replicas:
        check_word("the state of a replica", report.state, STATES)
        check_range("an exit status", report.code, 0, 255)
    if len({(one.workload, one.index, one.attempt) for one in replicas}) < len(replicas):
        raise Rejected(ClusterValueRefusal.BAD_COUNT, "a replica is reported twice")
    check_digest("the root of the receipts", receipts.root)
    check_range("the number of receipts in a report", receipts.count, 0, RECEIPTS_MAX)
    if receipts.first < 0 or (receipts.count == 0) != (receipts.root == bytes(32)):
        raise Rejected(ClusterValueRefusal.BAD_COUNT, "receipts: no root without a count, no count without a root")


def check_sightings(sightings: tuple[Sighting, ...]) -> None:
    """PROBE-5. What a report says of other nodes, within its bounds: each attempt once. Raises `Rejected`."""
    check_count("sightings in a report", len(sightings), SIGHTINGS_MAX)
    for one in sightings:
        check_word("a sight", one.sight, SIGHTS)
        check_digest("the digest of a statement", one.statement)
    if len({(one.node, one.workload, one.index, one.attempt) for one in sightings}) < len(sightings):
        raise Rejected(ClusterValueRefusal.BAD_COUNT, "an attempt is sighted twice")
