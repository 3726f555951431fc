"""Workloads: what runs, where, why there, who waits, and what can be called."""

from typing import Annotated, TypeAlias

from msgspec import Meta

from metanode.api.shapes import (
    PAGE_DEFAULT,
    AddressText,
    Answer,
    CursorText,
    HashText,
    HexText,
    NameText,
    Number,
    PageSize,
    Plain,
    Request,
)

IndexNumber: TypeAlias = Annotated[int, Meta(ge=0, le=(1 << 32) - 1, description="A replica's index, from 0 on.")]
"""The index of a replica in a request."""
NetworkText: TypeAlias = Annotated[str, Meta(pattern="^[a-z0-9-]*$", max_length=32)]
"""A network's name, or nothing."""


class WorkloadList(Request):
    """A page of the workloads of a cluster in the order of their names."""

    cluster: NameText
    cursor: CursorText = ""
    limit: PageSize = PAGE_DEFAULT


class WorkloadGet(Request):
    """One workload."""

    cluster: NameText
    workload: NameText


class WorkloadReplicas(Request):
    """A page of the replicas of a workload, by index."""

    cluster: NameText
    workload: NameText
    cursor: CursorText = ""
    limit: PageSize = PAGE_DEFAULT


class PlacementQueue(Request):
    """A page of those who wait for a node, in turn."""

    cluster: NameText
    cursor: CursorText = ""
    limit: PageSize = PAGE_DEFAULT


class PlacementWhy(Request):
    """Why a replica waits, or where it would be placed if it were placed now. `limit`: most nodes shown."""

    cluster: NameText
    workload: NameText
    index: IndexNumber
    limit: PageSize = PAGE_DEFAULT


class PlacementInputs(Request):
    """Everything from which it is computed why a replica waits, or where it would be placed now."""

    cluster: NameText
    workload: NameText
    index: IndexNumber


class ServiceList(Request):
    """A page of what can be called in a cluster, by workload; `network`: only in that network."""

    cluster: NameText
    network: NetworkText = ""
    cursor: CursorText = ""
    limit: PageSize = PAGE_DEFAULT


class WorkloadLine(Answer):
    """A workload in a list. `replicas` are wanted; `placed` on a node, `ready`, `renewed` (ready and of the current
    revision), `done` (ended well)."""

    workload: str
    kind: str
    phase: str
    revision: Number
    spec: HashText
    image: HexText
    replicas: Number
    placed: Number
    ready: Number
    renewed: Number
    done: Number


class WorkloadPage(Answer):
    """Workloads, and where the next page begins (empty: nowhere)."""

    items: tuple[WorkloadLine, ...]
    next: str
    height: Number


class RevisionView(Answer):
    """A workload as it was applied once."""

    revision: Number
    spec: HashText
    terms: Plain


class UpdateView(Answer):
    """An update under way: replicas of the new revision that failed, when the next may begin, and whether it leads
    back to the revision before."""

    failed: Number
    next_ms: Number
    back: bool


class WorkloadView(Answer):
    """A workload at a height; the counts as in a list. `earlier`: revisions to return to, the latest first. `update`:
    none or one. `applied_ms`: time of the header that has its current revision."""

    cluster: str
    workload: str
    owner: AddressText
    kind: str
    phase: str
    current: RevisionView
    earlier: tuple[RevisionView, ...]
    replicas: Number
    placed: Number
    ready: Number
    renewed: Number
    done: Number
    applied_ms: Number
    update: tuple[UpdateView, ...]
    dependents: tuple[str, ...]
    height: Number


class InstanceView(Answer):
    """One attempt to run a replica; `node` is empty while it waits. `code`: exit status where it ended."""

    attempt: Number
    revision: Number
    node: str
    state: str
    code: Number
    since_ms: Number


class ReplicaView(Answer):
    """A replica. `failures` in a row; the next attempt begins not before `not_before_ms`. `refused`: nodes that may not
    run it. `done`: a job's replica that ended with 0."""

    index: Number
    instances: tuple[InstanceView, ...]
    attempts: Number
    failures: Number
    not_before_ms: Number
    done: bool
    stood: str
    refused: tuple[str, ...]


class ReplicaPage(Answer):
    """Replicas, and where the next page begins (empty: nowhere)."""

    items: tuple[ReplicaView, ...]
    next: str
    height: Number


class WaitingView(Answer):
    """An instance that waits for a node: since when, and tried how often in vain. `tried`: since something last
    changed in the cluster, so it is not tried again before something does."""

    workload: str
    index: Number
    attempt: Number
    priority: Number
    since_ms: Number
    vain: Number
    tried: bool


class WaitingPage(Answer):
    """Who waits, how many wait in all, and where the next page begins (empty: nowhere)."""

    items: tuple[WaitingView, ...]
    waiting: Number
    next: str
    height: Number


class WhyView(Answer):
    """PLACE-37. `state` of the instance, and its `node` (empty: it waits). `chosen`: the node it would be placed on
    now, empty for none. `reasons`: how many nodes each filter was the first to turn away. `nodes`: those that come
    closest first, `left_out` are not shown. `digest` names the whole explanation, `inputs` what it was computed from.
    """

    cluster: str
    workload: str
    index: Number
    attempt: Number
    state: str
    node: str
    chosen: str
    seed: HashText
    spec: HashText
    weights: Plain
    reasons: tuple[Plain, ...]
    nodes: tuple[Plain, ...]
    left_out: Number
    inputs: HashText
    digest: HashText
    height: Number


class InputsView(Answer):
    """PLACE-6. The inputs as bytes. Whoever computes the explanation from them compares its `digest`."""

    inputs: HexText
    digest: HashText
    height: Number


class EndpointView(Answer):
    """A ready instance, the node that runs it, and where and as whom that node answers other nodes (`mesh` is empty
    where it does not)."""

    index: Number
    attempt: Number
    node: str
    mesh: str
    transport_key: HexText


class ServiceView(Answer):
    """What can be called of a workload by its current revision: how replicas are chosen, its ports by name, and whoever
    is ready. Workloads that share a network with it may call."""

    workload: str
    revision: Number
    balance: str
    networks: tuple[str, ...]
    ports: tuple[Plain, ...]
    endpoints: tuple[EndpointView, ...]


class ServicePage(Answer):
    """Services, and where the next page begins (empty: nowhere)."""

    items: tuple[ServiceView, ...]
    next: str
    height: Number
