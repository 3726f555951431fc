"""Thousands of replicas at once: no step is too long for a receipt, and none rewrites its queue for each of them."""

from tests.unit.docklock.cluster.town import Town, apply, needs, terms
from tests.unit.ledger.world import START_MS

from metanode.docklock.cluster import agenda, instances, module
from metanode.docklock.cluster.refusals import ClusterRefusal
from metanode.docklock.cluster.state import DEPENDENTS_MAX, WAITING_MAX, Queue, Waiting
from metanode.ledger.execution import EVENTS_OF_STEP_MAX
from metanode.primitives.codec import encode
from metanode.records.cluster_calls import ClusterControl, ClusterScale
from metanode.records.cluster_events import ReplicaChanged, ReplicaPlaced, ReplicaWaits, WorkloadChanged
from metanode.records.receipt import RECEIPT_BYTES_MAX, Receipt, Status, SystemOrigin, receipt_bytes

LONG = "w" * 32


def full(replicas: int) -> Town:
    """So many replicas of a workload with the longest name, placed on a few nodes."""
    town = Town(nodes=9)
    town.does("alice", apply(terms(LONG, demand={"cpu_millicores": 1, "memory_kib": 1_024}), replicas))
    while town.waiting():
        town.lives()
        town.events.clear()
    return town


def test_a_step_with_more_events_than_a_receipt_takes_leaves_several() -> None:
    town = full(2_200)
    done = town.does("alice", ClusterControl(cluster="shop", workload=LONG, action="delete"))
    steps = [one for one in done.receipts if isinstance(one.origin, SystemOrigin)]
    assert [len(one.events) for one in steps] == [
        EVENTS_OF_STEP_MAX,
        EVENTS_OF_STEP_MAX,
        2_200 - 2 * EVENTS_OF_STEP_MAX,
    ]
    assert [one.origin.sequence for one in steps if isinstance(one.origin, SystemOrigin)] == [0, 1, 2]
    stopping = [event for one in steps for event in one.events if isinstance(event, ReplicaChanged)]
    assert len({event.index for event in stopping}) == 2_200


def test_a_receipt_full_of_the_longest_events_is_not_too_long() -> None:
    most = 1 << 63
    longest = (
        ReplicaChanged(cluster=LONG, workload=LONG, index=most, attempt=most, node=LONG, state="preempted", code=255),
        WorkloadChanged(cluster=LONG, workload=LONG, phase="completed", revision=most, spec=bytes(32)),
        ReplicaPlaced(cluster=LONG, workload=LONG, index=most, attempt=most, revision=most, node=LONG),
        ReplicaWaits(cluster=LONG, workload=LONG, index=most, attempt=most, reason="PLACE-100"),
    )
    for event in longest:
        receipt = Receipt(
            version=1,
            height=most,
            index=most,
            origin=SystemOrigin(module="cluster", sequence=most),
            status=Status.SUCCEEDED,
            code="",
            work=0,
            events=(event,) * EVENTS_OF_STEP_MAX,
            results=(),
        )
        assert len(receipt_bytes(receipt)) <= RECEIPT_BYTES_MAX


def test_the_queue_is_bounded_and_who_did_not_fit_joins_later() -> None:
    town = Town(nodes=1)
    wide = {"cpu_millicores": 5_000}
    town.does("alice", apply(terms("first", demand=wide), 5_000))
    town.does("alice", apply(terms("second", demand=wide), 5_000))
    assert town.waiting() == WAITING_MAX
    town.does("alice", ClusterScale(cluster="shop", workload="first", replicas=1_000))
    town.lives(3)
    assert town.waiting() == 6_000
    assert len(encode(Queue(waiting=(LONGEST,) * WAITING_MAX))) < 1 << 20, "whatever they are called, it can be read"


LONGEST = Waiting(
    workload=LONG, index=5_000, attempt=1 << 32, priority=1_000, since_ms=1 << 42, vain=1 << 32, tried=True
)


def test_thousands_who_wait_are_dismissed_in_one_writing_of_the_queue(monkeypatch) -> None:
    town = Town(nodes=1)
    town.does("alice", apply(terms("wide", demand={"cpu_millicores": 5_000}), 3_000))
    assert (town.waiting(), town.now_ms > START_MS) == (3_000, True)
    written = []

    def keep(books, queue):
        written.append(len(queue.waiting))
        agenda.keep_queue(books, queue)

    monkeypatch.setattr(instances, "keep_queue", keep)
    town.does("alice", ClusterScale(cluster="shop", workload="wide", replicas=10))
    assert (written, town.waiting()) == ([10], 10)
    town.does("alice", ClusterControl(cluster="shop", workload="wide", action="delete"))
    assert (written, town.waiting(), town.phase("wide")) == ([10, 0], 0, "")


def test_no_more_depend_on_one_than_are_told_of_it() -> None:
    town = Town(nodes=1)
    town.does("alice", apply(terms("base"), 0))
    for number in range(DEPENDENTS_MAX):
        town.does("alice", apply(terms(f"w{number}", dependencies=needs("base")), 0), later_ms=10)
    assert town.refuses("alice", apply(terms("one-more", dependencies=needs("base")), 0)) == ClusterRefusal.TOO_MANY
    town.does("alice", ClusterControl(cluster="shop", workload="w0", action="delete"))
    town.does("alice", apply(terms("one-more", dependencies=needs("base")), 0))


def test_workloads_that_changed_together_are_looked_at_in_as_many_blocks_as_they_need(monkeypatch) -> None:
    monkeypatch.setattr(module, "REPLICAS_A_BLOCK", 3)
    town = Town(nodes=3)
    town.does("alice", *(apply(terms(name), 2) for name in ("ant", "bee", "cat")))
    looked = []
    for _ in range(4):
        looked.append(sorted({one.workload for name in town.names for one in town.share(name).assignments}))
        town.lives()
    assert [len(names) for names in looked] == [1, 2, 3, 3]
