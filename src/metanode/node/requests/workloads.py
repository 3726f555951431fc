"""Workloads: what runs where, why there, who waits, what can be called."""

from typing import Final

from metanode.api.errors import ApiRefusal
from metanode.api.plain import plain
from metanode.api.workloads import (
    EndpointView,
    InputsView,
    InstanceView,
    PlacementInputs,
    PlacementQueue,
    PlacementWhy,
    ReplicaPage,
    ReplicaView,
    RevisionView,
    ServiceList,
    ServicePage,
    ServiceView,
    UpdateView,
    WaitingPage,
    WaitingView,
    WhyView,
    WorkloadGet,
    WorkloadLine,
    WorkloadList,
    WorkloadPage,
    WorkloadReplicas,
    WorkloadView,
)
from metanode.docklock.cluster.state import Cluster, Revision, read_replica, read_workload
from metanode.docklock.queries import (
    ReplicaDetails,
    cluster_of,
    explain,
    inputs_now,
    latest_of,
    names_after,
    queue_of,
    replicas_after,
    services_after,
    workload_details,
    workloads_after,
)
from metanode.docklock.scheduler import why_of
from metanode.node.desk import Desk
from metanode.node.requests.cluster import name_asked, no_cluster
from metanode.node.requests.finding import read_number
from metanode.primitives.codec import encode
from metanode.primitives.refusal import Rejected
from metanode.records.address import show_address
from metanode.records.placement import explanation_digest

INPUTS_SHOWN_MAX: Final = 4 << 20
"""Largest inputs that are shown: a thousand nodes with some five thousand replicas."""


def _cluster(desk: Desk, name: str) -> Cluster:
    cluster = cluster_of(desk.ledger, name_asked("cluster", name))
    if cluster is None:
        raise no_cluster(desk, name)
    return cluster


def _no_workload(desk: Desk, cluster: str, workload: str) -> Rejected:
    known = ", ".join(_cluster(desk, cluster).workloads[:8]) or "there is none yet"
    return Rejected(ApiRefusal.NOT_FOUND, f"no workload {workload[:40]!r} in {cluster}: {known}")


def workload_list(desk: Desk, asked: WorkloadList) -> WorkloadPage:
    """Workloads by name; a page ends early where they have many replicas. Raises `Rejected` with `NOT_FOUND`."""
    names = names_after(_cluster(desk, asked.cluster).workloads, asked.cursor, asked.limit + 1)
    found = workloads_after(desk.ledger, asked.cluster, names, asked.limit)
    items = tuple(
        WorkloadLine(
            workload=details.name,
            kind=details.workload.current.terms.kind,
            phase=details.workload.phase,
            revision=details.workload.current.number,
            spec=details.workload.current.spec.hex(),
            image=details.workload.current.terms.demand.image.hex(),
            replicas=details.workload.replicas,
            placed=details.placed,
            ready=details.ready,
            renewed=details.renewed,
            done=details.done,
        )
        for details in found
    )
    return WorkloadPage(items=items, next=items[-1].workload if len(items) < len(names) else "", height=desk.tip.height)


def _revision(revision: Revision) -> RevisionView:
    return RevisionView(revision=revision.number, spec=revision.spec.hex(), terms=plain(revision.terms))


def workload_get(desk: Desk, asked: WorkloadGet) -> WorkloadView:
    """One workload. Raises `Rejected` with `NOT_FOUND`."""
    _cluster(desk, asked.cluster)
    details = workload_details(desk.ledger, asked.cluster, name_asked("workload", asked.workload))
    if details is None:
        raise _no_workload(desk, asked.cluster, asked.workload)
    workload = details.workload
    return WorkloadView(
        cluster=asked.cluster,
        workload=details.name,
        owner=show_address(workload.owner),
        kind=workload.current.terms.kind,
        phase=workload.phase,
        current=_revision(workload.current),
        earlier=tuple(_revision(revision) for revision in workload.earlier),
        replicas=workload.replicas,
        placed=details.placed,
        ready=details.ready,
        renewed=details.renewed,
        done=details.done,
        applied_ms=workload.applied_ms,
        update=tuple(UpdateView(failed=one.failed, next_ms=one.next_ms, back=one.back) for one in workload.update),
        dependents=workload.dependents,
        height=desk.tip.height,
    )


def workload_replicas(desk: Desk, asked: WorkloadReplicas) -> ReplicaPage:
    """The replicas of a workload by index. Raises `Rejected`."""
    _cluster(desk, asked.cluster)
    workload = read_workload(desk.ledger, asked.cluster, name_asked("workload", asked.workload))
    if workload is None:
        raise _no_workload(desk, asked.cluster, asked.workload)
    first = read_number(asked.cursor) if asked.cursor else 0
    found = replicas_after(desk.ledger, asked.cluster, asked.workload, workload, first, asked.limit + 1)
    return ReplicaPage(
        items=tuple(_replica(details) for details in found[: asked.limit]),
        next=str(found[asked.limit].index) if len(found) > asked.limit else "",
        height=desk.tip.height,
    )


def _replica(details: ReplicaDetails) -> ReplicaView:
    replica = details.replica
    return ReplicaView(
        index=details.index,
        instances=tuple(
            InstanceView(
                attempt=one.attempt,
                revision=one.revision,
                node=one.node,
                state=one.state,
                code=one.code,
                since_ms=one.since_ms,
            )
            for one in replica.instances
        ),
        attempts=replica.attempts,
        failures=replica.failures,
        not_before_ms=replica.not_before_ms,
        done=replica.done,
        stood=replica.stood,
        refused=replica.refused,
    )


def placement_queue(desk: Desk, asked: PlacementQueue) -> WaitingPage:
    """PLACE-36. Who waits for a node, in turn; the cursor counts. Raises `Rejected`."""
    _cluster(desk, asked.cluster)
    waiting = queue_of(desk.ledger, asked.cluster)
    first = read_number(asked.cursor) if asked.cursor else 0
    last = first + asked.limit
    return WaitingPage(
        items=tuple(
            WaitingView(
                workload=one.workload,
                index=one.index,
                attempt=one.attempt,
                priority=one.priority,
                since_ms=one.since_ms,
                vain=one.vain,
                tried=one.tried,
            )
            for one in waiting[first:last]
        ),
        waiting=len(waiting),
        next=str(last) if last < len(waiting) else "",
        height=desk.tip.height,
    )


def placement_why(desk: Desk, asked: PlacementWhy) -> WhyView:
    """PLACE-37. By the state after the last block, and the seed that the next one has. Raises `Rejected`."""
    _cluster(desk, asked.cluster)
    name = name_asked("workload", asked.workload)
    if read_workload(desk.ledger, asked.cluster, name) is None:
        raise _no_workload(desk, asked.cluster, name)
    explanation = explain(desk.ledger, asked.cluster, name, asked.index, desk.tip.hash)
    instance = latest_of(read_replica(desk.ledger, asked.cluster, name, asked.index))
    if explanation is None or instance is None:
        raise Rejected(ApiRefusal.NOT_FOUND, f"nothing of {name} number {asked.index} waits or stands")
    shown = explanation.nodes[: asked.limit]
    return WhyView(
        cluster=asked.cluster,
        workload=name,
        index=asked.index,
        attempt=explanation.attempt,
        state=instance.state,
        node=instance.node,
        chosen=explanation.chosen,
        seed=explanation.seed.hex(),
        spec=explanation.spec.hex(),
        weights=plain(explanation.weights),
        reasons=tuple(plain(reason) for reason in explanation.reasons),
        nodes=tuple(plain(node) for node in shown),
        left_out=explanation.left_out + len(explanation.nodes) - len(shown),
        inputs=explanation.inputs.hex(),
        digest=explanation_digest(explanation).hex(),
        height=desk.tip.height,
    )


def placement_inputs(desk: Desk, asked: PlacementInputs) -> InputsView:
    """PLACE-6, PLACE-37. By the same state and seed as the explanation. Raises `Rejected`."""
    _cluster(desk, asked.cluster)
    name = name_asked("workload", asked.workload)
    inputs = inputs_now(desk.ledger, asked.cluster, name, asked.index, desk.tip.hash)
    if inputs is None:
        raise Rejected(ApiRefusal.NOT_FOUND, f"nothing of {name} number {asked.index} waits or stands")
    encoded = encode(inputs)
    if len(encoded) > INPUTS_SHOWN_MAX:
        raise Rejected(ApiRefusal.CONFLICT, f"{len(encoded)} bytes of inputs, at most {INPUTS_SHOWN_MAX} are shown")
    return InputsView(inputs=encoded.hex(), digest=explanation_digest(why_of(inputs)).hex(), height=desk.tip.height)


def service_list(desk: Desk, asked: ServiceList) -> ServicePage:
    """What can be called, by workload; of one network where it is named. Raises `Rejected` with `NOT_FOUND`."""
    cluster = _cluster(desk, asked.cluster)
    names = names_after(cluster.workloads, asked.cursor, len(cluster.workloads))
    found, last = services_after(desk.ledger, asked.cluster, names, asked.network, asked.limit)
    return ServicePage(
        items=tuple(
            ServiceView(
                workload=details.name,
                revision=details.revision,
                balance=details.terms.balance,
                networks=details.terms.networks,
                ports=tuple(plain(port) for port in details.terms.ports),
                endpoints=tuple(
                    EndpointView(
                        index=one.index,
                        attempt=one.attempt,
                        node=one.node,
                        mesh=one.mesh,
                        transport_key=one.transport_key.hex(),
                    )
                    for one in details.endpoints
                ),
            )
            for details in found
        ),
        next=last,
        height=desk.tip.height,
    )
