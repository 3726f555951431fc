"""What the scheduler is told of a cluster, out of the state alone: the same for a block and for whoever asks why."""

from collections.abc import Iterator
from typing import Final

from metanode.docklock.cluster.signed import read_about_image, why_not
from metanode.docklock.cluster.state import (
    ASSIGNMENTS_MAX,
    Assignment,
    Cluster,
    Instance,
    Member,
    Revision,
    Workload,
    read_member,
    read_replica,
    read_share,
    read_workload,
)
from metanode.docklock.scheduler import Fleet, Newcomer, NodeView, Replica
from metanode.ledger.view import Readable
from metanode.records.demand import Demand

FULL: Final = "full"
"""Why a node that has as many replicas as a share may hold takes no more."""


def node_view(node: str, member: Member, state: Readable, cluster: str) -> NodeView | None:
    """PLACE-6. What the scheduler is told of a node; nothing of one that never said what it has."""
    if not member.inventory:
        return None
    has = member.inventory[0]
    barred = "" if member.state == "active" else member.state
    if not barred and len(read_share(state, cluster, node).assignments) >= ASSIGNMENTS_MAX:
        barred = FULL
    return NodeView(
        name=node,
        identity=member.account,
        architecture=has.architecture,
        engines=has.engines,
        labels=tuple((label.key, label.value) for label in member.labels),
        taints=member.taints,
        cpu_millicores=has.cpu_millicores,
        memory_kib=has.memory_kib,
        images=has.images,
        volumes=has.volumes,
        barred=barred,
        leaving=member.mark == "draining",
    )


def revision_of(workload: Workload | None, number: int) -> Revision | None:
    """A revision that is still kept."""
    if workload is None:
        return None
    return next((one for one in (workload.current, *workload.earlier) if one.number == number), None)


def _standing(state: Readable, cluster: str, node: str) -> Iterator[Replica]:
    """What stands on a node, with what it demands; of a revision that is forgotten only the numbers are known."""
    for one in read_share(state, cluster, node).assignments:
        revision = revision_of(read_workload(state, cluster, one.workload), one.revision)
        yield Replica(
            workload=one.workload,
            index=one.index,
            attempt=one.attempt,
            demand=revision.terms.demand if revision is not None else _bare(one),
            protected=not one.run,
        )


def _bare(one: Assignment) -> Demand:
    return Demand(
        image=b"",
        cpu_millicores=one.cpu_millicores,
        memory_kib=one.memory_kib,
        architecture="",
        engines=(),
        ports=one.ports,
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
        priority=one.priority,
        preempts=False,
    )


def fleet_of(state: Readable, name: str, cluster: Cluster, without: tuple[str, int, int] | None = None) -> Fleet:
    """PLACE-6. The nodes of a cluster and all that stands on them, but for the instance (workload, index, attempt)
    `without`: to ask where it would be placed now."""
    members = [(node, member) for node in cluster.nodes if (member := read_member(state, name, node)) is not None]
    views = [view for node, member in members if (view := node_view(node, member, state, name))]
    standing = [
        (view.name, replica)
        for view in views
        for replica in _standing(state, name, view.name)
        if replica.name != without
    ]

    def image_rule(image: bytes) -> str:
        return why_not(cluster.settings, image, read_about_image(state, name, image))

    return Fleet(views, standing, cluster.settings.weights, image_rule)


def newcomer_of(state: Readable, cluster: str, workload: str, index: int, instance: Instance) -> Newcomer | None:
    """PLACE-6. An instance as somebody who needs a node; `None` where its revision is forgotten."""
    revision = revision_of(read_workload(state, cluster, workload), instance.revision)
    if revision is None:
        return None
    replica = read_replica(state, cluster, workload, index)
    return Newcomer(
        replica=Replica(workload=workload, index=index, attempt=instance.attempt, demand=revision.terms.demand),
        spec=revision.spec,
        stood=replica.stood,
        refused=replica.refused,
    )
