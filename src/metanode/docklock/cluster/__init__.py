"""The ENC cluster as a ledger module: nodes, workloads, placements."""

from metanode.docklock.cluster.could_run import could_run
from metanode.docklock.cluster.module import CLUSTER
from metanode.docklock.cluster.state import (
    cluster_key,
    image_key,
    image_signed_key,
    member_key,
    share_key,
    workload_key,
)

__all__ = [
    "CLUSTER",
    "cluster_key",
    "could_run",
    "image_key",
    "image_signed_key",
    "member_key",
    "share_key",
    "workload_key",
]
