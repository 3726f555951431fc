"""Nodes: who lets them in, what their operators want of them, what becomes of what runs there."""

import pytest
from msgspec.structs import replace
from tests.unit.docklock.cluster.town import SETTINGS, Town, apply, inventory, terms
from tests.unit.ledger.world import address

from metanode.docklock.cluster.lifecycle import INSTANCE_LIFE, NODE_LIFE, WORKLOAD_LIFE
from metanode.docklock.cluster.refusals import ClusterRefusal
from metanode.records.calls import Call
from metanode.records.cluster import ENDED, STATES, ClusterValueRefusal, Label, ReplicaReport
from metanode.records.cluster_calls import (
    ClusterAdmit,
    ClusterConfigure,
    ClusterCreate,
    ClusterJoin,
    ClusterMark,
)
from metanode.records.cluster_events import NodeChanged
from metanode.records.demand import DemandRefusal, Taint, Toleration


def admit(node: str, account: str = "", **changes: object) -> ClusterAdmit:
    usual = ClusterAdmit(cluster="shop", node=node, account=address(account or node), labels=(), taints=())
    return replace(usual, **changes)


def mark(node: str, wanted: str) -> ClusterMark:
    return ClusterMark(cluster="shop", node=node, mark=wanted)


def test_the_tables_name_nothing_that_is_not_known() -> None:
    assert {before for before, _ in NODE_LIFE} - {""} == set(NODE_LIFE.values()) == {"invited", "joining", "in", "lost"}
    assert {event for _, event in INSTANCE_LIFE} == set(STATES)
    assert {after for (_, event), after in INSTANCE_LIFE.items() if event in ENDED} == set(ENDED)
    phases = {"active", "updating", "paused", "stopping", "stopped", "deleting", "completed", "failed"}
    assert {before for before, _ in WORKLOAD_LIFE} - {""} == set(WORKLOAD_LIFE.values()) - {""} == phases


@pytest.mark.parametrize("first", ["join", "admit"])
def test_a_node_is_in_when_it_joined_and_was_admitted_in_any_order(first: str) -> None:
    town = Town(nodes=0)
    calls: dict[str, tuple[str, Call]] = {
        "join": ("n1", ClusterJoin(cluster="shop", node="n1", inventory=inventory())),
        "admit": ("bob", admit("n1")),
    }
    second = "admit" if first == "join" else "join"
    town.does(*calls[first])
    assert town.node("n1") == {"join": "joining", "admit": "invited"}[first]
    town.does(*calls[second])
    assert town.node("n1") == "active"
    assert [event.state for event in town.said(NodeChanged)] == [
        {"join": "joining", "admit": "invited"}[first],
        "active",
    ]


def test_who_may_do_what_with_nodes() -> None:
    town = Town(nodes=1)
    joins = ClusterJoin(cluster="shop", node="node-1", inventory=inventory())
    assert town.refuses("carol", joins) == ClusterRefusal.OTHER_NODE
    assert town.refuses("carol", admit("node-9")) == ClusterRefusal.NOT_AN_OPERATOR
    assert town.refuses("bob", admit("node-1", account="carol")) == ClusterRefusal.OTHER_NODE
    assert town.refuses("carol", mark("node-1", "cordoned")) == ClusterRefusal.NOT_AN_OPERATOR
    assert town.refuses("bob", mark("node-9", "cordoned")) == ClusterRefusal.UNKNOWN_NODE
    assert town.refuses("bob", mark("node-1", "asleep")) == DemandRefusal.UNKNOWN_WORD
    assert town.refuses("bob", ClusterConfigure(cluster="shop", settings=SETTINGS)) == ClusterRefusal.NOT_THE_OWNER
    assert town.refuses("bob", ClusterCreate(cluster="shop", settings=SETTINGS)) == ClusterRefusal.EXISTS
    assert town.refuses("bob", replace(joins, cluster="none")) == ClusterRefusal.UNKNOWN
    assert town.refuses("carol", town.report("node-1")) == ClusterRefusal.OTHER_NODE


def test_what_a_node_says_of_itself_is_within_bounds() -> None:
    town = Town(nodes=0)

    def joins(**changes: object) -> ClusterJoin:
        return ClusterJoin(cluster="shop", node="n1", inventory=inventory(**changes))

    assert town.refuses("n1", joins(cpu_millicores=0)) == DemandRefusal.OUT_OF_RANGE
    assert town.refuses("n1", joins(api="nowhere")) == ClusterValueRefusal.BAD_ENDPOINT
    assert town.refuses("n1", joins(transport_key=b"short")) == ClusterValueRefusal.BAD_KEY
    assert town.refuses("n1", joins(kernel="x" * 65)) == ClusterValueRefusal.BAD_COUNT
    assert town.refuses("n1", joins(engines=("oci", "docker"))) == DemandRefusal.NOT_ASCENDING
    assert town.refuses("n1", joins(architecture="")) == DemandRefusal.UNKNOWN_WORD
    assert town.refuses("n1", ClusterJoin(cluster="shop", node="N 1", inventory=inventory())) == DemandRefusal.BAD_NAME
    labels = (Label(key="b", value="1"), Label(key="a", value="1"))
    assert town.refuses("bob", admit("n1", labels=labels)) == DemandRefusal.NOT_ASCENDING


def test_reports_are_in_order_and_only_of_a_node_that_is_in() -> None:
    town = Town(nodes=1)
    town.does("node-1", replace(town.report("node-1"), sequence=5))
    assert town.refuses("node-1", replace(town.report("node-1"), sequence=5)) == ClusterRefusal.STALE_REPORT
    town.does("bob", admit("node-2"))
    assert town.refuses("node-2", town.report("node-2")) == ClusterRefusal.NODE_STATE


def test_a_cordoned_node_keeps_what_it_has_and_gets_nothing_new() -> None:
    town = Town(nodes=2)
    town.does("bob", apply(terms(), 2))
    town.lives()
    town.does("bob", mark("node-1", "cordoned"))
    town.does("bob", apply(terms("db"), 4))
    town.lives(2)
    assert {node for ((node, _, _),) in town.where("db").values()} == {"node-2"}
    assert {node for ((node, _, _),) in town.where("web").values()} == {"node-1", "node-2"}


def test_a_drained_node_is_left_without_a_gap() -> None:
    """The successor is ready before the old one stops."""
    town = Town(nodes=3)
    town.does("bob", apply(terms(update={"order": "start-first"}), 3))
    town.lives(2)
    town.does("bob", mark("node-1", "draining"))
    for _ in range(6):
        town.lives()
        ready = sum(1 for held in town.where().values() for one in held if one[1] == "ready")
        assert ready >= 3
    assert town.share("node-1").assignments == ()
    assert {node for ((node, _, _),) in town.where().values()} == {"node-2", "node-3"}


def test_a_taint_that_does_not_execute_moves_only_those_who_do_not_tolerate_it() -> None:
    town = Town(nodes=2)
    town.does("bob", apply(terms("patient", demand={"tolerations": (Toleration(key="hot", value="", effect=""),)}), 2))
    town.does("bob", apply(terms("tender"), 2))
    town.lives(2)
    town.does("bob", admit("node-1", taints=(Taint(key="hot", value="", effect="no-execute"),)))
    town.lives(6)
    assert {node for ((node, _, _),) in town.where("tender").values()} == {"node-2"}
    assert {node for ((node, _, _),) in town.where("patient").values()} == {"node-1", "node-2"}


def test_a_removed_node_is_forgotten_and_its_replicas_run_elsewhere() -> None:
    town = Town(nodes=2)
    town.does("bob", apply(terms(), 2))
    town.lives(2)
    town.does("bob", mark("node-1", "removed"))
    town.names.remove("node-1")
    town.lives(2)
    assert town.node("node-1") == ""
    assert {node for ((node, _, _),) in town.where().values()} == {"node-2"}
    assert [key for key, _ in town.ledger.scan(b"kn") if key.endswith(b"node-1")] == []


def test_what_a_lost_node_says_of_old_attempts_is_too_late() -> None:
    town = Town(nodes=2)
    town.does("bob", apply(terms(), 2))
    town.lives(2)
    said = town.share("node-1").assignments
    town.silent.add("node-1")
    town.lives(7)
    before = town.where()
    late = [
        ReplicaReport(workload=one.workload, index=one.index, attempt=one.attempt, state="exited", code=1)
        for one in said
    ]
    town.does("node-1", town.report("node-1", *late))
    assert town.where() == before
    assert town.node("node-1") == "active"


def test_no_node_is_given_more_than_it_has() -> None:
    town = Town(nodes=2)
    town.does("bob", apply(terms(demand={"cpu_millicores": 1_500}), 6))
    town.lives(2)
    assert town.waiting() == 2
    for name in town.names:
        assert sum(one.cpu_millicores for one in town.share(name).assignments) <= 4_000
    town.enter("node-3")
    town.lives(2)
    assert town.waiting() == 0
