"""Workloads run: placed, reported, scaled, stopped, deleted."""

from tests.unit.docklock.cluster.town import Town, apply, terms

from metanode.records.cluster import ReplicaReport
from metanode.records.cluster_calls import ClusterControl, ClusterScale
from metanode.records.cluster_events import ReplicaPlaced


def test_what_is_applied_is_placed_in_the_same_block_and_runs_in_the_next() -> None:
    town = Town()
    town.does("bob", apply(terms(), 3))
    assert sorted(node for ((node, state, _),) in town.where().values() if state == "placed") == [
        "node-1", "node-2", "node-3"
    ]  # fmt: skip
    assert len(town.said(ReplicaPlaced)) == 3
    town.lives()
    assert {state for ((_, state, _),) in town.where().values()} == {"ready"}
    assert town.phase() == "active"


def test_more_and_fewer() -> None:
    town = Town()
    town.does("bob", apply(terms(), 1))
    town.lives()
    town.does("bob", ClusterScale(cluster="shop", workload="web", replicas=6))
    town.lives(2)
    assert sorted(town.where()) == [0, 1, 2, 3, 4, 5]
    town.does("bob", ClusterScale(cluster="shop", workload="web", replicas=2))
    town.lives(2)
    assert sorted(town.where()) == [0, 1]
    assert sum(len(town.share(node).assignments) for node in town.names) == 2


def test_stopped_started_deleted() -> None:
    town = Town()
    town.does("bob", apply(terms(), 2))
    town.lives()
    town.does("bob", ClusterControl(cluster="shop", workload="web", action="stop"))
    assert town.phase() == "stopping"
    town.lives(2)
    assert (town.phase(), town.where()) == ("stopped", {})
    town.does("bob", ClusterControl(cluster="shop", workload="web", action="start"))
    town.lives(2)
    assert {state for ((_, state, _),) in town.where().values()} == {"ready"}
    town.does("bob", ClusterControl(cluster="shop", workload="web", action="delete"))
    town.lives(3)
    assert town.phase() == ""
    assert not [key for key, _ in town.ledger.scan(b"kr")]
    assert not [key for key, _ in town.ledger.scan(b"ku")]


def test_a_node_that_is_silent_is_lost_and_its_replicas_run_elsewhere() -> None:
    town = Town()
    town.does("bob", apply(terms(), 3))
    town.lives(2)
    town.silent.add("node-1")
    town.lives(7)
    assert town.node("node-1") == "lost"
    assert {node for ((node, _, _),) in town.where().values()} == {"node-2", "node-3"}
    assert town.share("node-1").assignments == ()
    town.silent.clear()
    town.lives(2)
    assert town.node("node-1") == "active"
    assert {state for ((_, state, _),) in town.where().values()} == {"ready"}


def test_an_update_replaces_one_after_the_other() -> None:
    town = Town()
    town.does("bob", apply(terms(), 3))
    town.lives(2)
    town.does("bob", apply(terms(), 3, spec=b"2"))
    assert town.phase() == "updating"
    least = 3
    for _ in range(20):
        town.lives()
        ready = sum(1 for held in town.where().values() for one in held if one[1] == "ready")
        least = min(least, ready)
        if town.phase() == "active":
            break
    assert town.phase() == "active"
    assert {revision for held in town.where().values() for _, _, revision in held} == {2}
    assert least == 2


def test_a_broken_update_leads_back_by_itself() -> None:
    town = Town()
    town.does("bob", apply(terms(), 3))
    town.lives(2)
    town.broken.add(("web", 2))
    town.does("bob", apply(terms(), 3, spec=b"2"))
    town.lives(12)
    assert (town.phase(), town.workload().current.number) == ("active", 1)
    assert {one[1:] for held in town.where().values() for one in held} == {("ready", 1)}


def test_a_workload_that_never_ran_is_mended_by_applying_it_again() -> None:
    """What failed before says nothing of the revision that comes after it, and does not hold it up."""
    town = Town()
    town.broken.add(("web", 1))
    town.does("bob", apply(terms(), 3))
    town.lives(5)
    assert town.replica("web", 0).failures
    town.does("bob", apply(terms(), 3, spec=b"2"))
    town.lives(8)
    assert (town.phase(), town.workload().current.number) == ("active", 2)
    assert {one[1:] for held in town.where().values() for one in held} == {("ready", 2)}


def test_what_is_unwell_is_renewed_and_does_not_count_as_under_way() -> None:
    town = Town()
    town.unwell.add(("web", 1))
    town.does("bob", apply(terms(), 3))
    town.lives(3)
    assert {one[1:] for held in town.where().values() for one in held} == {("unready", 1)}
    town.does("bob", apply(terms(), 3, spec=b"2"))
    town.lives(12)
    assert {one[1:] for held in town.where().values() for one in held} == {("ready", 2)}


def test_a_node_that_refused_a_replica_is_not_asked_again_for_this_revision() -> None:
    town = Town(nodes=2)
    town.does("bob", apply(terms(), 1))
    for refused in range(1, 3):
        ((node, _, _),) = town.where()[0]
        one = town.replica().instances[0]
        said = ReplicaReport(workload="web", index=0, attempt=one.attempt, state="refused", code=125)
        town.does(node, town.report(node, said))
        town.lives(3)
        assert len(town.replica().refused) == refused
    assert [node for (node, _, _) in town.where()[0]] == [""], "both have refused: it waits"
    town.does("bob", apply(terms(), 1, spec=b"2"))
    town.lives(3)
    assert town.where()[0][0][:2] in {("node-1", "ready"), ("node-2", "ready")}
