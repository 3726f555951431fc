"""The ENC cluster as a ledger module: nodes, workloads, placements."""

from metanode.docklock.cluster.module import CLUSTER

__all__ = ["CLUSTER"]
