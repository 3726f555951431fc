"""One of every call that a cluster knows, for tests that want all of them."""

from typing import Final

from metanode.primitives.ed25519 import SigningKey
from metanode.records.calls import Call
from metanode.records.cluster import (
    SEALING_KEY_BYTES,
    ClusterSettings,
    Inventory,
    Label,
    Quota,
    ReceiptBatch,
    ReplicaReport,
)
from metanode.records.cluster_calls import (
    ClusterAdmit,
    ClusterAdmitImage,
    ClusterApply,
    ClusterConfigure,
    ClusterControl,
    ClusterCreate,
    ClusterJoin,
    ClusterMark,
    ClusterReport,
    ClusterRollBack,
    ClusterScale,
    ClusterSignImage,
)
from metanode.records.demand import Demand, Taint
from metanode.records.image_policy import ED25519, ImageKey, ImagePolicy, ImageSignature
from metanode.records.placement import Weights
from metanode.records.workload import Job, Port, Terms, Update

OPERATOR: Final = b"\x02" * 20
PUBLIC_KEY: Final = SigningKey(bytes(31) + b"\x01").public_key
SETTINGS: Final = ClusterSettings(
    operators=(OPERATOR,),
    executors=(),
    weights=Weights(),
    heartbeat_timeout_ms=5_000,
    quotas=(Quota(account=OPERATOR, cpu_millicores=4_000, memory_kib=65_536, replicas=8),),
    images="listed",
    policy=ImagePolicy(keys=(ImageKey(kind=ED25519, key=PUBLIC_KEY),), threshold=1),
)
OPEN: Final = ClusterSettings(
    operators=(),
    executors=(OPERATOR,),
    weights=Weights(),
    heartbeat_timeout_ms=5_000,
    quotas=(),
    images="any",
)
INVENTORY: Final = Inventory(
    architecture="x86_64",
    kernel="6.1",
    cpu_millicores=4_000,
    memory_kib=4 << 20,
    engines=("oci", "sandbox"),
    api="10.0.0.7:26700",
    mesh="10.0.0.7:26701",
    transport_key=bytes(32),
    sealing_key=bytes(SEALING_KEY_BYTES),
    images=(b"\x07" * 32,),
    volumes=("data",),
)
TERMS: Final = Terms(
    workload="web",
    kind="service",
    demand=Demand(
        image=b"",
        cpu_millicores=500,
        memory_kib=65_536,
        architecture="",
        engines=(),
        ports=(),
        volumes=(),
        constraints=(),
        tolerations=(),
        spread=(),
        affinity=(),
        anti_affinity=(),
        node_max=0,
        regions=(),
        data_class="public",
        strategy="",
        priority=100,
        preempts=False,
    ),
    update=Update(
        parallelism=1, order="stop-first", delay_ms=0, monitor_ms=0, failures_max_bp=0, on_failure="rollback"
    ),
    job=Job(retries=0, deadline_ms=0),
    dependencies=(),
    ports=(Port(name="http", container=8_080, published=0, protocol="tcp"),),
    networks=("default",),
    deterministic=False,
)

EVERY: Final[tuple[Call, ...]] = (
    ClusterCreate(cluster="shop", settings=SETTINGS),
    ClusterConfigure(cluster="shop", settings=OPEN),
    ClusterJoin(cluster="shop", node="node-1", inventory=INVENTORY),
    ClusterAdmit(
        cluster="shop",
        node="node-1",
        account=OPERATOR,
        labels=(Label(key="zone", value="a"),),
        taints=(Taint(key="gpu", value="yes", effect="no-schedule"),),
    ),
    ClusterMark(cluster="shop", node="node-1", mark="draining"),
    ClusterAdmitImage(cluster="shop", image=b"\x07" * 32, admitted=True),
    ClusterSignImage(
        cluster="shop", image=b"\x07" * 32, signatures=(ImageSignature(payload=b"", signature=bytes(64)),)
    ),
    ClusterApply(cluster="shop", spec=b"\x01" * 32, terms=TERMS, replicas=3),
    ClusterScale(cluster="shop", workload="web", replicas=6),
    ClusterRollBack(cluster="shop", workload="web"),
    ClusterControl(cluster="shop", workload="web", action="restart"),
    ClusterReport(
        cluster="shop",
        node="node-1",
        sequence=9,
        replicas=(ReplicaReport(workload="web", index=0, attempt=1, state="ready", code=0),),
        receipts=ReceiptBatch(first=0, count=2, root=b"\x09" * 32),
    ),
)
"""Each once, in the order of the union."""
