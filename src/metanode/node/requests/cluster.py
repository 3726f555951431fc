"""Clusters and their nodes; proofs of what one node is to do."""

import re
from collections.abc import Sequence
from typing import Final

from metanode.api.blocks import StateProof
from metanode.api.cluster import (
    AssignmentView,
    ClusterGet,
    ClusterImages,
    ClusterLine,
    ClusterList,
    ClusterNode,
    ClusterNodeLine,
    ClusterNodePage,
    ClusterNodes,
    ClusterNodeView,
    ClusterPage,
    ClusterShare,
    ClusterTerms,
    ClusterView,
    ImagePage,
    QuotaView,
)
from metanode.api.errors import ApiRefusal
from metanode.api.plain import plain
from metanode.docklock.cluster.state import share_key, workload_key
from metanode.docklock.queries import (
    NodeDetails,
    cluster_details,
    cluster_names,
    cluster_of,
    images_after,
    names_after,
    node_details,
)
from metanode.node.desk import Desk
from metanode.node.requests.proofs import prove
from metanode.primitives.refusal import Rejected
from metanode.records.address import show_address
from metanode.records.demand import check_name

_DIGEST: Final = re.compile(r"[0-9a-f]{64}", re.ASCII)


def name_asked(what: str, name: str) -> str:
    """A name that could be one; any other names nothing. Raises `Rejected` with `NOT_FOUND`."""
    try:
        check_name(what, name)
    except Rejected as rejected:
        raise Rejected(ApiRefusal.NOT_FOUND, f"no {rejected.detail}") from None
    return name


def following(names: Sequence[str], limit: int) -> str:
    """Where the page after one goes on, of which one name more than `limit` was asked."""
    return names[limit - 1] if len(names) > limit else ""


def cluster_list(desk: Desk, asked: ClusterList) -> ClusterPage:
    """Clusters by name."""
    names = names_after(cluster_names(desk.ledger), asked.cursor, asked.limit + 1)
    items = []
    for name in names[: asked.limit]:
        cluster = cluster_of(desk.ledger, name)
        assert cluster is not None, "the agenda names clusters that are there"
        items.append(
            ClusterLine(
                cluster=name,
                owner=show_address(cluster.owner),
                nodes=len(cluster.nodes),
                workloads=len(cluster.workloads),
            )
        )
    return ClusterPage(items=tuple(items), next=following(names, asked.limit), height=desk.tip.height)


def no_cluster(desk: Desk, name: str) -> Rejected:
    """There is none of this name; which there are instead."""
    known = ", ".join(cluster_names(desk.ledger)[:8]) or "there is none yet"
    return Rejected(ApiRefusal.NOT_FOUND, f"no cluster {name[:40]!r}: {known}")


def cluster_get(desk: Desk, asked: ClusterGet) -> ClusterView:
    """One cluster, with its counts. Raises `Rejected` with `NOT_FOUND`."""
    details = cluster_details(desk.ledger, name_asked("cluster", asked.cluster))
    if details is None:
        raise no_cluster(desk, asked.cluster)
    return ClusterView(
        cluster=details.name,
        owner=show_address(details.cluster.owner),
        settings=plain(details.cluster.settings),
        nodes=dict(details.nodes),
        workloads=dict(details.workloads),
        waiting=details.waiting,
        quotas=tuple(
            QuotaView(
                account=show_address(quota.account),
                cpu_millicores=quota.cpu_millicores,
                memory_kib=quota.memory_kib,
                replicas=quota.replicas,
                used_cpu_millicores=usage.cpu_millicores,
                used_memory_kib=usage.memory_kib,
                used_replicas=usage.replicas,
            )
            for quota, usage in details.quotas
        ),
        height=desk.tip.height,
    )


def cluster_nodes(desk: Desk, asked: ClusterNodes) -> ClusterNodePage:
    """The nodes of a cluster by name. Raises `Rejected` with `NOT_FOUND`."""
    cluster = cluster_of(desk.ledger, name_asked("cluster", asked.cluster))
    if cluster is None:
        raise no_cluster(desk, asked.cluster)
    names = names_after(cluster.nodes, asked.cursor, asked.limit + 1)
    found = [node_details(desk.ledger, asked.cluster, node) for node in names[: asked.limit]]
    items = tuple(_line(details) for details in found if details is not None)
    return ClusterNodePage(items=items, next=following(names, asked.limit), height=desk.tip.height)


def _line(details: NodeDetails) -> ClusterNodeLine:
    has = details.member.inventory[0] if details.member.inventory else None
    cpu, memory = (has.cpu_millicores, has.memory_kib) if has is not None else (0, 0)
    return ClusterNodeLine(
        node=details.name,
        account=show_address(details.member.account),
        state=details.member.state,
        heard_ms=details.share.heard_ms,
        engines=has.engines if has is not None else (),
        cpu_millicores=cpu,
        memory_kib=memory,
        free_cpu_millicores=max(0, cpu - details.cpu_millicores),
        free_memory_kib=max(0, memory - details.memory_kib),
        replicas=len(details.share.assignments),
        api=has.api if has is not None else "",
    )


def cluster_node(desk: Desk, asked: ClusterNode) -> ClusterNodeView:
    """One node, its inventory and its share. Raises `Rejected` with `NOT_FOUND`."""
    if cluster_of(desk.ledger, name_asked("cluster", asked.cluster)) is None:
        raise no_cluster(desk, asked.cluster)
    details = node_details(desk.ledger, asked.cluster, name_asked("node", asked.node))
    if details is None:
        raise Rejected(ApiRefusal.NOT_FOUND, f"no node {asked.node!r} in {asked.cluster}")
    member, share, line = details.member, details.share, _line(details)
    has = member.inventory[0] if member.inventory else None
    return ClusterNodeView(
        cluster=asked.cluster,
        node=details.name,
        account=line.account,
        state=member.state,
        mark=member.mark,
        labels={label.key: label.value for label in member.labels},
        taints=tuple(plain(taint) for taint in member.taints),
        heard_ms=share.heard_ms,
        reports=share.sequence,
        receipts=share.receipts,
        architecture=has.architecture if has is not None else "",
        kernel=has.kernel if has is not None else "",
        engines=line.engines,
        cpu_millicores=line.cpu_millicores,
        memory_kib=line.memory_kib,
        free_cpu_millicores=line.free_cpu_millicores,
        free_memory_kib=line.free_memory_kib,
        api=line.api,
        mesh=has.mesh if has is not None else "",
        transport_key=has.transport_key.hex() if has is not None else "",
        sealing_key=has.sealing_key.hex() if has is not None else "",
        images=tuple(image.hex() for image in has.images) if has is not None else (),
        volumes=has.volumes if has is not None else (),
        assignments=tuple(
            AssignmentView(
                workload=one.workload,
                index=one.index,
                attempt=one.attempt,
                revision=one.revision,
                spec=one.spec.hex(),
                run=one.run,
                cpu_millicores=one.cpu_millicores,
                memory_kib=one.memory_kib,
                ports=one.ports,
                priority=one.priority,
            )
            for one in share.assignments
        ),
        height=desk.tip.height,
    )


def cluster_images(desk: Desk, asked: ClusterImages) -> ImagePage:
    """Admitted images by digest. Raises `Rejected`."""
    if cluster_of(desk.ledger, name_asked("cluster", asked.cluster)) is None:
        raise no_cluster(desk, asked.cluster)
    if asked.cursor and not _DIGEST.fullmatch(asked.cursor):
        raise Rejected(ApiRefusal.INVALID_ARGUMENTS, f"cursor {asked.cursor!r} is not of this list")
    images = [
        image.hex() for image in images_after(desk.ledger, asked.cluster, bytes.fromhex(asked.cursor), asked.limit + 1)
    ]
    return ImagePage(items=tuple(images[: asked.limit]), next=following(images, asked.limit), height=desk.tip.height)


def cluster_share(desk: Desk, asked: ClusterShare) -> StateProof:
    """CLUSTER-7. Everything a node is to do, or that it has nothing to do, proved. Raises `Rejected`."""
    key = share_key(name_asked("cluster", asked.cluster), name_asked("node", asked.node))
    return prove(desk, "cluster", key, asked.height)


def cluster_terms(desk: Desk, asked: ClusterTerms) -> StateProof:
    """PLACE-2. A workload's record, or that there is none, proved. Raises `Rejected`."""
    key = workload_key(name_asked("cluster", asked.cluster), name_asked("workload", asked.workload))
    return prove(desk, "cluster", key, asked.height)
