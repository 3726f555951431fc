"""Workloads: who may apply what, quotas, images, dependencies, revisions, jobs, updates, room that is made."""

import pytest
from msgspec.structs import replace
from tests.unit.docklock.cluster.town import SETTINGS, Town, apply, needs, terms
from tests.unit.ledger.world import address

from metanode.docklock.cluster.refusals import ClusterRefusal
from metanode.docklock.cluster.state import EARLIER_MAX
from metanode.records.cluster import ClusterSettings, Quota
from metanode.records.cluster_calls import (
    ClusterAdmitImage,
    ClusterConfigure,
    ClusterControl,
    ClusterRollBack,
    ClusterScale,
)
from metanode.records.cluster_events import ReplicaChanged, ReplicaPlaced, ReplicaWaits, WorkloadChanged
from metanode.records.demand import DemandRefusal
from metanode.records.workload import Job, SpecRefusal

IMAGE = b"\7" * 32


def control(workload: str, action: str) -> ClusterControl:
    return ClusterControl(cluster="shop", workload=workload, action=action)


def scale(replicas: int, workload: str = "web") -> ClusterScale:
    return ClusterScale(cluster="shop", workload=workload, replicas=replicas)


def settings(**changes: object) -> ClusterSettings:
    return replace(SETTINGS, **changes)


def job(workload: str, retries: int = 0, deadline_ms: int = 0):
    return terms(workload, kind="job", job=Job(retries=retries, deadline_ms=deadline_ms))


def test_who_may_do_what_with_workloads() -> None:
    town = Town()
    assert town.refuses("carol", apply(terms())) == ClusterRefusal.NOT_AN_OPERATOR
    assert town.refuses("bob", scale(1)) == ClusterRefusal.UNKNOWN_WORKLOAD
    town.does("bob", apply(terms()))
    assert town.refuses("carol", scale(2)) == ClusterRefusal.NOT_AN_OPERATOR
    assert town.refuses("carol", control("web", "stop")) == ClusterRefusal.NOT_AN_OPERATOR
    assert town.refuses("bob", control("web", "explode")) == DemandRefusal.UNKNOWN_WORD
    assert town.refuses("bob", control("web", "start")) == ClusterRefusal.WORKLOAD_PHASE
    assert town.refuses("bob", apply(job("web"))) == ClusterRefusal.OTHER_KIND
    assert town.refuses("bob", apply(terms(), spec=b"x" * 33)) == DemandRefusal.BAD_DIGEST
    rolled = ClusterRollBack(cluster="shop", workload="web")
    assert town.refuses("bob", rolled) == ClusterRefusal.NOTHING_EARLIER
    odd = terms(demand={"ports": (80,)})
    assert town.refuses("bob", apply(odd)) == SpecRefusal.CONTRADICTION


def test_a_quota_holds_for_all_workloads_of_an_account_together() -> None:
    quota = Quota(account=address("bob"), cpu_millicores=2_000, memory_kib=1 << 30, replicas=10)
    town = Town(settings=settings(quotas=(quota,)))
    town.does("bob", apply(terms("a"), 2))
    town.does("bob", apply(terms("b"), 2))
    assert town.refuses("bob", apply(terms("c"), 1)) == ClusterRefusal.QUOTA
    assert town.refuses("bob", scale(3, "a")) == ClusterRefusal.QUOTA
    town.does("bob", scale(1, "a"))
    town.does("bob", apply(terms("c"), 1))
    town.does("alice", apply(terms("d"), 9))
    tighter = replace(quota, cpu_millicores=500)
    town.does("alice", ClusterConfigure(cluster="shop", settings=settings(quotas=(tighter,))))
    town.does("bob", scale(1, "b"))


def test_where_images_are_listed_only_those_run() -> None:
    town = Town(settings=settings(images="listed"))
    town.does("bob", apply(terms("plain")))
    listed = terms("web", demand={"image": IMAGE})
    assert town.refuses("bob", apply(listed)) == ClusterRefusal.IMAGE_NOT_ADMITTED
    admit = ClusterAdmitImage(cluster="shop", image=IMAGE, admitted=True)
    assert town.refuses("carol", admit) == ClusterRefusal.NOT_AN_OPERATOR
    town.does("bob", admit)
    town.does("bob", apply(listed))
    town.lives(2)
    assert {one[1] for held in town.where().values() for one in held} == {"ready"}
    town.does("bob", replace(admit, admitted=False))
    town.does("bob", scale(2))
    town.lives(2)
    assert town.waiting() == 1, "what runs is not touched, what is new waits"
    town.does("bob", admit)
    town.lives(2)
    assert town.waiting() == 0


def test_dependencies_come_first_and_nobody_depends_on_himself() -> None:
    town = Town()
    assert town.refuses("bob", apply(terms("web", dependencies=needs("db")))) == ClusterRefusal.UNKNOWN_DEPENDENCY
    town.does("bob", apply(terms("db")))
    town.does("bob", apply(terms("web", dependencies=needs("db"))))
    assert town.where("web") == {}
    town.lives()
    town.lives()
    assert {one[1] for held in town.where("web").values() for one in held} <= {"placed", "ready"} != set()
    assert town.refuses("bob", apply(terms("db", dependencies=needs("web")))) == ClusterRefusal.CIRCLE
    assert town.refuses("bob", control("db", "delete")) == ClusterRefusal.NEEDED
    town.does("bob", apply(terms("web"), spec=b"2"))
    town.lives(4)
    town.does("bob", control("db", "delete"))
    town.lives(3)
    assert town.phase("db") == ""


def test_a_job_is_waited_for_until_it_is_completed() -> None:
    town = Town()
    town.does("bob", apply(job("migrate")))
    town.does("bob", apply(terms("web", dependencies=needs("migrate", condition="completed"))))
    town.lives(2)
    assert town.where("web") == {}
    town.ends["migrate"] = 0
    town.lives(4)
    assert town.phase("migrate") == "completed"
    assert {one[1] for held in town.where("web").values() for one in held} == {"ready"}


def test_a_job_is_tried_as_often_as_it_may_and_then_has_failed() -> None:
    town = Town()
    town.ends["import"] = 3
    town.does("bob", apply(job("import", retries=2)))
    town.lives(20)
    assert town.phase("import") == "failed"
    assert town.replica("import").attempts == 3
    assert [event.code for event in town.said(ReplicaChanged) if event.state == "exited"] == [3, 3, 3]
    del town.ends["import"]
    town.does("bob", control("import", "start"))
    town.ends["import"] = 0
    town.lives(4)
    assert town.phase("import") == "completed"


def test_a_job_that_takes_too_long_has_failed_and_is_stopped() -> None:
    town = Town()
    town.does("bob", apply(job("slow", deadline_ms=5_000)))
    town.lives(8)
    assert (town.phase("slow"), town.where("slow")) == ("failed", {})


def test_start_first_never_has_fewer_ready_than_asked_for() -> None:
    town = Town()
    rule = {"order": "start-first", "parallelism": 2}
    town.does("bob", apply(terms(update=rule), 4))
    town.lives(2)
    town.does("bob", apply(terms(update=rule), 4, spec=b"2"))
    most = 4
    for _ in range(15):
        town.lives()
        states = [one[1] for held in town.where().values() for one in held]
        assert states.count("ready") >= 4
        most = max(most, len(states))
    assert (town.phase(), most) == ("active", 6)


def test_the_next_replica_waits_for_the_delay_and_the_update_for_its_watch() -> None:
    town = Town()
    rule = {"delay_ms": 5_000, "monitor_ms": 4_000}
    town.does("bob", apply(terms(update=rule), 2))
    town.lives(2)
    town.does("bob", apply(terms(update=rule), 2, spec=b"2"))
    changes = []
    for second in range(25):
        town.lives()
        changes.append((second, sorted(one[2] for held in town.where().values() for one in held), town.phase()))
    first = next(second for second, held, _ in changes if held.count(2) == 1)
    both = next(second for second, held, _ in changes if held == [2, 2])
    over = next(second for second, _, phase in changes if phase == "active")
    assert both - first >= 5
    assert over - both >= 4


@pytest.mark.parametrize(("rule", "phase"), [("pause", "paused"), ("continue", "updating"), ("rollback", "active")])
def test_what_follows_a_failed_update_is_as_its_rule_says(rule: str, phase: str) -> None:
    town = Town()
    update = {"on_failure": rule}
    town.does("bob", apply(terms(update=update), 3))
    town.lives(2)
    town.broken.add(("web", 2))
    town.does("bob", apply(terms(update=update), 3, spec=b"2"))
    town.lives(12)
    assert town.phase() == phase
    ready = {one[2] for held in town.where().values() for one in held if one[1] == "ready"}
    assert ready == {1}, "at most one was renewed: the others run on"


def test_a_share_of_failures_is_put_up_with() -> None:
    town = Town()
    update = {"failures_max_bp": 5_000, "parallelism": 1}
    town.does("bob", apply(terms(update=update), 4))
    town.lives(2)
    town.broken.add(("web", 2))
    town.does("bob", apply(terms(update=update), 4, spec=b"2"))
    town.lives(3)
    assert town.phase() == "updating", "one of four"


def test_back_by_hand_and_no_further_than_is_kept() -> None:
    town = Town()
    for number in range(EARLIER_MAX + 2):
        town.does("bob", apply(terms(), 1, spec=bytes([number + 1])))
        town.lives(5)
    back = ClusterRollBack(cluster="shop", workload="web")
    for number in range(EARLIER_MAX + 1, 1, -1):
        town.does("bob", back)
        town.lives(5)
        assert town.workload().current.number == number
        assert {one[1:] for held in town.where().values() for one in held} == {("ready", number)}
    assert town.refuses("bob", back) == ClusterRefusal.NOTHING_EARLIER


def test_a_restart_renews_every_replica_with_the_same_specification() -> None:
    town = Town()
    town.does("bob", apply(terms(), 2))
    town.lives(2)
    town.does("bob", control("web", "restart"))
    town.lives(8)
    assert (town.phase(), town.workload().current.number, town.workload().current.spec[-1:]) == ("active", 2, b"1")
    assert [town.replica("web", index).attempts for index in (0, 1)] == [2, 2]


def test_room_is_made_for_who_may_push_others_out() -> None:
    town = Town(nodes=1)
    town.does("bob", apply(terms("low", demand={"cpu_millicores": 2_000, "priority": 10}), 2))
    town.lives(2)
    town.events.clear()
    urgent = terms("high", demand={"cpu_millicores": 1_500, "priority": 500, "preempts": True})
    town.does("bob", apply(urgent))
    events = town.said(ReplicaChanged)
    assert [event.state for event in events if event.workload == "low"] == ["preempted"]
    town.lives(3)
    assert {one[1] for held in town.where("high").values() for one in held} == {"ready"}
    assert town.waiting() == 1
    running = [one for one in town.share("node-1").assignments if one.run]
    assert sum(one.cpu_millicores for one in running) <= 4_000


def test_who_may_not_push_others_out_waits_and_is_told_why_once() -> None:
    town = Town(nodes=1)
    town.does("bob", apply(terms("low", demand={"cpu_millicores": 2_000, "priority": 10}), 2))
    town.does("bob", apply(terms("high", demand={"priority": 500})))
    town.lives(3)
    assert [event.reason for event in town.said(ReplicaWaits)] == ["PLACE-19"]
    assert town.waiting() == 1
    town.does("bob", scale(1, "low"))
    town.lives(2)
    assert town.waiting() == 0


def test_many_are_placed_over_several_blocks() -> None:
    town = Town(nodes=4)
    cpu = {"cpu_millicores": 10, "memory_kib": 4_096}
    town.does("bob", apply(terms(demand=cpu), 300))
    first = town.said(ReplicaPlaced)
    assert len(first) == 128
    town.lives(3)
    assert (len(first) + len(town.said(ReplicaPlaced)), town.waiting()) == (300, 0)


def test_everything_that_becomes_of_a_workload_is_said() -> None:
    town = Town()
    town.does("bob", apply(terms()))
    town.lives(2)
    town.does("bob", apply(terms(), spec=b"2"))
    town.lives(4)
    town.does("bob", control("web", "stop"))
    town.lives(2)
    town.does("bob", control("web", "delete"))
    town.lives(2)
    assert [(event.phase, event.revision) for event in town.said(WorkloadChanged)] == [
        ("active", 1), ("updating", 2), ("active", 2), ("stopping", 2), ("stopped", 2), ("deleting", 2), ("deleted", 2)
    ]  # fmt: skip
