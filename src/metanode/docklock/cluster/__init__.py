"""The ENC cluster as a ledger module: nodes, workloads, placements."""

from metanode.docklock.cluster.module import CLUSTER
from metanode.docklock.cluster.state import image_key, image_signed_key, share_key, workload_key

__all__ = ["CLUSTER", "image_key", "image_signed_key", "share_key", "workload_key"]
