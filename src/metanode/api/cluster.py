"""Clusters: who owns and operates them, their nodes, and what one node is to do, with its proof."""

from typing import Annotated, TypeAlias

from msgspec import Meta

from metanode.api.shapes import (
    PAGE_DEFAULT,
    AddressText,
    Answer,
    CursorText,
    HashText,
    HeightOrLast,
    HexText,
    NameText,
    Number,
    PageSize,
    Plain,
    Request,
)

Counts: TypeAlias = Annotated[
    dict[str, Number], Meta(description="How many are in which state; states that nobody is in are left out.")
]
"""Numbers by the word of a state."""


class ClusterList(Request):
    """A page of clusters in the order of their names."""

    cursor: CursorText = ""
    limit: PageSize = PAGE_DEFAULT


class ClusterGet(Request):
    """One cluster."""

    cluster: NameText


class ClusterNodes(Request):
    """A page of the nodes of a cluster in the order of their names."""

    cluster: NameText
    cursor: CursorText = ""
    limit: PageSize = PAGE_DEFAULT


class ClusterNode(Request):
    """One node of a cluster."""

    cluster: NameText
    node: NameText


class ClusterImages(Request):
    """A page of the images that operators of a cluster admitted, in the order of their digests."""

    cluster: NameText
    cursor: CursorText = ""
    limit: PageSize = PAGE_DEFAULT


class ClusterShare(Request):
    """CLUSTER-7. Prove everything that a node is to do: the value of the key `kn` ‖ cluster ‖ 0 ‖ node, or that it has
    none."""

    cluster: NameText
    node: NameText
    height: HeightOrLast = 0


class ClusterTerms(Request):
    """Prove a workload's terms, of this revision and those before that are kept: the value of the key `kw` ‖ cluster ‖
    0 ‖ workload, or that there is none."""

    cluster: NameText
    workload: NameText
    height: HeightOrLast = 0


class ClusterLine(Answer):
    """A cluster in a list."""

    cluster: str
    owner: AddressText
    nodes: Number
    workloads: Number


class ClusterPage(Answer):
    """Clusters, and where the next page begins (empty: nowhere)."""

    items: tuple[ClusterLine, ...]
    next: str
    height: Number


class QuotaView(Answer):
    """What the workloads of an account demand together (`used_…`), and the most that they may."""

    account: AddressText
    cpu_millicores: Number
    memory_kib: Number
    replicas: Number
    used_cpu_millicores: Number
    used_memory_kib: Number
    used_replicas: Number


class ClusterView(Answer):
    """A cluster at a height. `settings`: as its owner chose them. `nodes` by state, `workloads` by phase; `waiting`:
    replicas without a node."""

    cluster: str
    owner: AddressText
    settings: Plain
    nodes: Counts
    workloads: Counts
    waiting: Number
    quotas: tuple[QuotaView, ...]
    height: Number


class AssignmentView(Answer):
    """One attempt of a replica that a node is to run, or (`run` false) to stop."""

    workload: str
    index: Number
    attempt: Number
    revision: Number
    spec: HashText
    run: bool
    cpu_millicores: Number
    memory_kib: Number
    ports: tuple[int, ...]
    priority: Number


class ClusterNodeView(Answer):
    """A node at a height. `state`: active, cordoned, draining; or invited, joining, lost. `heard_ms`: time of the
    header with its last report, 0 for never. `free_…`: what is left for others. `receipts`: how many it has pinned."""

    cluster: str
    node: str
    account: AddressText
    state: str
    mark: str
    labels: dict[str, str]
    taints: tuple[Plain, ...]
    heard_ms: Number
    reports: Number
    receipts: Number
    architecture: str
    kernel: str
    engines: tuple[str, ...]
    cpu_millicores: Number
    memory_kib: Number
    free_cpu_millicores: Number
    free_memory_kib: Number
    api: str
    mesh: str
    transport_key: HexText
    sealing_key: HexText
    images: tuple[HashText, ...]
    volumes: tuple[str, ...]
    assignments: tuple[AssignmentView, ...]
    height: Number


class ClusterNodeLine(Answer):
    """A node in a list."""

    node: str
    account: AddressText
    state: str
    heard_ms: Number
    engines: tuple[str, ...]
    cpu_millicores: Number
    memory_kib: Number
    free_cpu_millicores: Number
    free_memory_kib: Number
    replicas: Number
    api: str


class ClusterNodePage(Answer):
    """Nodes, and where the next page begins (empty: nowhere)."""

    items: tuple[ClusterNodeLine, ...]
    next: str
    height: Number


class ImagePage(Answer):
    """Digests of admitted images, and where the next page begins (empty: nowhere)."""

    items: tuple[HashText, ...]
    next: str
    height: Number
