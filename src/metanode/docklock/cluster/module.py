"""The module `cluster`: its calls with their costs, and the bounded step after every block."""

from typing import Final

from msgspec.structs import replace

from metanode.docklock.cluster import nodes, workloads
from metanode.docklock.cluster.agenda import changed
from metanode.docklock.cluster.books import Books
from metanode.docklock.cluster.inspections import inspect
from metanode.docklock.cluster.nodes import look_for_silence
from metanode.docklock.cluster.placing import place_waiting
from metanode.docklock.cluster.reconcile import reconcile
from metanode.docklock.cluster.signed import sign_image
from metanode.docklock.cluster.state import AGENDA, read_agenda, read_cluster, read_workload, write
from metanode.ledger.frame import Frame
from metanode.ledger.module import Method, Module
from metanode.ledger.view import View
from metanode.records.cluster_calls import (
    ClusterAdmit,
    ClusterAdmitImage,
    ClusterApply,
    ClusterConfigure,
    ClusterControl,
    ClusterCreate,
    ClusterJoin,
    ClusterMark,
    ClusterReport,
    ClusterRollBack,
    ClusterScale,
    ClusterSignImage,
)
from metanode.records.genesis import Genesis

WORK_CREATE: Final = 300
"""A cluster stays for ever."""
WORK_SETTINGS: Final = 200
"""Rewrites the cluster's record."""
WORK_NODE: Final = 300
"""A node's record, its share and the cluster's record."""
WORK_WORKLOAD: Final = 400
"""A workload's record, what its owner uses, the cluster's record."""
WORK_IMAGE: Final = 60
"""One key."""
WORK_REPORT: Final = 120
"""A node's share; each replica it reports costs more."""

CLUSTERS_A_BLOCK: Final = 4
"""Clusters looked at for silence in one block: a thousand nodes each are some ten milliseconds."""
REPLICAS_A_BLOCK: Final = 6_000
"""Replicas looked at in one block, some twenty milliseconds; what is left waits for the next."""


def end_of_block(frame: Frame) -> None:
    """CLUSTER-22. Silence first, then workloads that changed, then those who wait: each so many, the rest later."""
    _look_at_clusters(frame)
    _look_at_workloads(frame)
    for cluster in read_agenda(frame.view).placing:
        place_waiting(Books(frame, cluster))


def _look_at_clusters(frame: Frame) -> None:
    looked = 0
    for name in read_agenda(frame.view).clusters:
        cluster = read_cluster(frame.view, name)
        assert cluster is not None, "the agenda names clusters that are there"
        if cluster.due_ms > frame.block.timestamp_ms:
            continue
        books = Books(frame, name)
        due = min(look_for_silence(books), inspect(books))
        for workload in cluster.workloads:
            kept = read_workload(frame.view, name, workload)
            assert kept is not None, "a cluster names workloads that are there"
            if kept.due_ms <= frame.block.timestamp_ms:
                changed(books, workload)
            else:
                due = min(due, kept.due_ms)
        books.keep_cluster(replace(books.cluster(), due_ms=due))
        looked += 1
        if looked == CLUSTERS_A_BLOCK:
            break


def _look_at_workloads(frame: Frame) -> None:
    """CLUSTER-22. Those that changed, in the order in which they did; what changes by that is looked at in the next
    block."""
    agenda = read_agenda(frame.view)
    if not agenda.changed:
        return
    looked, replicas = 0, 0
    for named in agenda.changed:
        workload = read_workload(frame.view, named.cluster, named.workload)
        replicas += workload.peak if workload is not None else 0
        if looked and replicas > REPLICAS_A_BLOCK:
            break
        looked += 1
    write(frame.view, AGENDA, replace(agenda, changed=agenda.changed[looked:]))
    for named in agenda.changed[:looked]:
        reconcile(Books(frame, named.cluster), named.workload)


def _genesis(_genesis: Genesis, _view: View) -> None:
    """A chain begins without clusters."""


CLUSTER: Final = Module(
    name="cluster",
    methods={
        ClusterCreate: Method(WORK_CREATE, workloads.create),
        ClusterConfigure: Method(WORK_SETTINGS, workloads.configure),
        ClusterJoin: Method(WORK_NODE, nodes.join),
        ClusterAdmit: Method(WORK_NODE, nodes.admit),
        ClusterMark: Method(WORK_NODE, nodes.mark),
        ClusterAdmitImage: Method(WORK_IMAGE, workloads.admit_image),
        ClusterSignImage: Method(WORK_IMAGE, sign_image),
        ClusterApply: Method(WORK_WORKLOAD, workloads.apply),
        ClusterScale: Method(WORK_WORKLOAD, workloads.scale),
        ClusterRollBack: Method(WORK_WORKLOAD, workloads.roll_back),
        ClusterControl: Method(WORK_WORKLOAD, workloads.control),
        ClusterReport: Method(WORK_REPORT, nodes.report),
    },
    genesis=_genesis,
    end_of_block=end_of_block,
)
"""ENC clusters: who runs what, where, under which rule."""
