"""What the state says about clusters, for the public API. Reads only, each bounded by the asker."""

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final, Protocol, TypeAlias

from metanode.docklock.cluster.lifecycle import RUNNING
from metanode.docklock.cluster.state import (
    Cluster,
    Instance,
    Member,
    Replica,
    Share,
    Usage,
    Waiting,
    Workload,
    image_key,
    read_agenda,
    read_cluster,
    read_member,
    read_queue,
    read_replica,
    read_share,
    read_usage,
    read_workload,
)
from metanode.docklock.cluster.views import fleet_of, newcomer_of
from metanode.docklock.scheduler import Inputs, inputs_of, turn, why_of
from metanode.ledger.view import Readable
from metanode.records.cluster import Quota
from metanode.records.placement import Explanation
from metanode.records.workload import Terms

REPLICAS_READ_MAX: Final = 5_000
"""Replicas looked at for one page, some 40 ms: as many as one workload has. A page ends before the one that would be
too many, but always shows one."""


class Source(Readable, Protocol):
    """What queries read from: the ledger at its tip."""

    def scan(self, prefix: bytes, after: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        """Keys with `prefix`, greater than `after`, ascending, with their values."""
        ...


Counts: TypeAlias = tuple[tuple[str, int], ...]
"""How many are in which state, by the state's word."""


@dataclass(frozen=True, slots=True)
class ClusterDetails:
    """A cluster; its nodes by state, its workloads by phase, how many replicas wait for a node, and what each account
    with a quota demands."""

    name: str
    cluster: Cluster
    nodes: Counts
    workloads: Counts
    waiting: int
    quotas: tuple[tuple[Quota, Usage], ...]


@dataclass(frozen=True, slots=True)
class NodeDetails:
    """A node, its share, and what that takes of it."""

    name: str
    member: Member
    share: Share
    cpu_millicores: int
    memory_kib: int


@dataclass(frozen=True, slots=True)
class WorkloadDetails:
    """A workload. Of its replicas: `placed` have an instance on a node, `ready` a ready one, `renewed` a ready one of
    the current revision, `done` have ended well."""

    name: str
    workload: Workload
    placed: int
    ready: int
    renewed: int
    done: int


@dataclass(frozen=True, slots=True)
class ReplicaDetails:
    """A replica by its index."""

    index: int
    replica: Replica


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An instance that can be called: where it runs, and where and as whom its node answers other nodes."""

    index: int
    attempt: int
    node: str
    mesh: str
    transport_key: bytes


@dataclass(frozen=True, slots=True)
class ServiceDetails:
    """What can be called of a workload: its terms name ports and networks, as of a revision."""

    name: str
    revision: int
    terms: Terms
    endpoints: tuple[Endpoint, ...]


def cluster_names(source: Source) -> tuple[str, ...]:
    """All clusters, ascending."""
    return read_agenda(source).clusters


def names_after(names: Sequence[str], after: str, limit: int) -> Sequence[str]:
    """At most `limit` of ascending names above `after`."""
    first = bisect_right(names, after)
    return names[first : first + limit]


def cluster_of(source: Source, name: str) -> Cluster | None:
    """A cluster, `None` if there is none of this name."""
    return read_cluster(source, name)


def cluster_details(source: Source, name: str) -> ClusterDetails | None:
    """A cluster with its counts: at most 1,024 nodes and 1,024 workloads are read."""
    cluster = read_cluster(source, name)
    if cluster is None:
        return None
    members = (read_member(source, name, node) for node in cluster.nodes)
    workloads = (read_workload(source, name, workload) for workload in cluster.workloads)
    return ClusterDetails(
        name=name,
        cluster=cluster,
        nodes=_counts(member.state for member in members if member is not None),
        workloads=_counts(workload.phase for workload in workloads if workload is not None),
        waiting=len(read_queue(source, name).waiting),
        quotas=tuple((quota, read_usage(source, name, quota.account)) for quota in cluster.settings.quotas),
    )


def _counts(words: Iterator[str]) -> Counts:
    return tuple(sorted(Counter(words).items()))


def node_details(source: Source, cluster: str, node: str) -> NodeDetails | None:
    """A node of a cluster, `None` if there is none of this name."""
    member = read_member(source, cluster, node)
    if member is None:
        return None
    share = read_share(source, cluster, node)
    return NodeDetails(
        name=node,
        member=member,
        share=share,
        cpu_millicores=sum(one.cpu_millicores for one in share.assignments),
        memory_kib=sum(one.memory_kib for one in share.assignments),
    )


def images_after(source: Source, cluster: str, after: bytes, limit: int) -> list[bytes]:
    """At most `limit` images that operators admitted, with digests above `after`, ascending."""
    prefix = image_key(cluster, b"")
    found = source.scan(prefix, image_key(cluster, after) if after else b"")
    return [key[len(prefix) :] for key, _ in islice(found, limit)]


def workload_details(source: Source, cluster: str, name: str) -> WorkloadDetails | None:
    """A workload and how its replicas are: at most `REPLICAS_READ_MAX` of them are read."""
    workload = read_workload(source, cluster, name)
    if workload is None:
        return None
    placed = ready = renewed = done = 0
    for index in range(workload.replicas):
        replica = read_replica(source, cluster, name, index)
        placed += any(one.state in RUNNING for one in replica.instances)
        ready += any(one.state == "ready" for one in replica.instances)
        renewed += any(one.state == "ready" and one.revision == workload.current.number for one in replica.instances)
        done += replica.done
    return WorkloadDetails(name, workload, placed, ready, renewed, done)


def workloads_after(source: Source, cluster: str, names: Sequence[str], limit: int) -> list[WorkloadDetails]:
    """At most `limit` of these workloads, in turn; fewer where they have many replicas."""
    found: list[WorkloadDetails] = []
    left = REPLICAS_READ_MAX
    for name in names[:limit]:
        workload = read_workload(source, cluster, name)
        assert workload is not None, "a cluster names workloads that are there"
        left -= workload.replicas
        if found and left < 0:
            break
        details = workload_details(source, cluster, name)
        assert details is not None, "it was there a moment ago"
        found.append(details)
    return found


def replicas_after(
    source: Source, cluster: str, name: str, workload: Workload, first: int, limit: int
) -> list[ReplicaDetails]:
    """At most `limit` replicas of a workload from an index on; those of which nothing is left are not among them."""
    last = min(max(workload.peak, workload.replicas), first + REPLICAS_READ_MAX)
    known = (ReplicaDetails(index, read_replica(source, cluster, name, index)) for index in range(first, last))
    return list(islice((one for one in known if one.index < workload.replicas or one.replica.instances), limit))


def queue_of(source: Source, cluster: str) -> list[Waiting]:
    """Who waits for a node, in turn: those not tried since something changed first."""
    waiting = read_queue(source, cluster).waiting
    return sorted(
        waiting,
        key=lambda one: (
            one.tried,
            turn(one.priority, one.since_ms, one.vain, one.workload, one.index, one.attempt),
        ),
    )


def latest_of(replica: Replica) -> Instance | None:
    """The instance that is meant where none is named: the newest that is to stay, else the newest."""
    return max(replica.instances, key=lambda one: (one.state != "stopping", one.attempt), default=None)


def inputs_now(source: Source, name: str, workload: str, index: int, seed: bytes) -> Inputs | None:
    """PLACE-6. What a replica's placement would be computed from if it were placed now with this seed: the nodes and
    all that stands on them, itself left out. `None` where nothing of it waits or stands."""
    cluster = read_cluster(source, name)
    instance = latest_of(read_replica(source, name, workload, index))
    if cluster is None or instance is None:
        return None
    newcomer = newcomer_of(source, name, workload, index, instance)
    if newcomer is None:
        return None
    fleet = fleet_of(source, name, cluster, without=(workload, index, instance.attempt))
    return inputs_of(fleet, newcomer, seed)


def explain(source: Source, name: str, workload: str, index: int, seed: bytes) -> Explanation | None:
    """PLACE-37. Why a replica waits, or where it would be placed now; `None` as of its inputs. A thousand nodes take
    a tenth of a second."""
    inputs = inputs_now(source, name, workload, index, seed)
    return why_of(inputs) if inputs is not None else None


def services_after(
    source: Source, cluster: str, names: Sequence[str], network: str, limit: int
) -> tuple[list[ServiceDetails], str]:
    """At most `limit` of these workloads that have ports (in this network, if one is named), in turn, with everything
    of them that can be called; and the last workload that was looked at, empty where it was the last of all."""
    found: list[ServiceDetails] = []
    left, last = REPLICAS_READ_MAX, ""
    for name in names:
        workload = read_workload(source, cluster, name)
        assert workload is not None, "a cluster names workloads that are there"
        terms = workload.current.terms
        if terms.ports and (not network or network in terms.networks):
            left -= workload.peak
            if found and (left < 0 or len(found) == limit):
                return found, last
            endpoints = _endpoints(source, cluster, name, workload)
            found.append(ServiceDetails(name, workload.current.number, terms, endpoints))
        last = name
    return found, ""


def _endpoints(source: Source, cluster: str, name: str, workload: Workload) -> tuple[Endpoint, ...]:
    """CLUSTER-11. Only what its node said is ready: a replica that was never well is never called."""
    found = []
    for index in range(workload.peak):
        for instance in read_replica(source, cluster, name, index).instances:
            member = read_member(source, cluster, instance.node) if instance.state == "ready" else None
            if member is not None and member.inventory:
                has = member.inventory[0]
                found.append(Endpoint(index, instance.attempt, instance.node, has.mesh, has.transport_key))
    return tuple(found)
