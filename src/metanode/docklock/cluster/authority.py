"""Who may do what in a cluster, and how much of it."""

from typing import Final

from metanode.docklock.cluster.books import Books
from metanode.docklock.cluster.refusals import ClusterRefusal
from metanode.docklock.cluster.state import Cluster, Usage, read_usage, usage_key, write
from metanode.primitives.refusal import Rejected
from metanode.records.workload import Terms

NOTHING: Final = (0, 0, 0)
"""Cores, memory and replicas of what is not there."""


def check_owner(cluster: Cluster, sender: bytes) -> None:
    """CLUSTER-5. Settings are the owner's. Raises `Rejected`."""
    if sender != cluster.owner:
        raise Rejected(ClusterRefusal.NOT_THE_OWNER, "the sender does not own the cluster")


def check_operator(cluster: Cluster, sender: bytes) -> None:
    """CLUSTER-5. Nodes, images and workloads are for the owner and the operators. Raises `Rejected`."""
    if sender != cluster.owner and sender not in cluster.settings.operators:
        raise Rejected(ClusterRefusal.NOT_AN_OPERATOR, "the sender is neither owner nor operator of the cluster")


def demanded(terms: Terms, replicas: int) -> tuple[int, int, int]:
    """Cores in thousandths, memory in KiB and number of so many replicas."""
    return terms.demand.cpu_millicores * replicas, terms.demand.memory_kib * replicas, replicas


def use(
    books: Books, cluster: Cluster, account: bytes, before: tuple[int, int, int], after: tuple[int, int, int]
) -> None:
    """CLUSTER-19. What an account's workloads demand together, with one of them changed: within its quota, unless it
    becomes less. Raises `Rejected`."""
    view = books.frame.view
    held = read_usage(view, books.name, account)
    usage = Usage(
        cpu_millicores=held.cpu_millicores - before[0] + after[0],
        memory_kib=held.memory_kib - before[1] + after[1],
        replicas=held.replicas - before[2] + after[2],
    )
    for quota in cluster.settings.quotas:
        if quota.account == account:
            for what, was, due, most in (
                ("millicores", held.cpu_millicores, usage.cpu_millicores, quota.cpu_millicores),
                ("KiB of memory", held.memory_kib, usage.memory_kib, quota.memory_kib),
                ("replicas", held.replicas, usage.replicas, quota.replicas),
            ):
                if due > most and due > was:
                    raise Rejected(ClusterRefusal.QUOTA, f"{due} {what} would be demanded, the quota is {most}")
    write(view, usage_key(books.name, account), usage if usage.replicas else None)
