"""Whoever waits in a cluster gets a node, or is told why not: what is known of the nodes, handed to the scheduler."""

from hashlib import sha256
from heapq import nsmallest
from typing import Final

from msgspec.structs import replace

from metanode.docklock.cluster.agenda import changed, keep_queue, queue_of
from metanode.docklock.cluster.books import Books
from metanode.docklock.cluster.instances import stop
from metanode.docklock.cluster.state import (
    AGENDA,
    Assignment,
    Queue,
    Waiting,
    read_agenda,
    write,
)
from metanode.docklock.cluster.views import fleet_of, newcomer_of, revision_of
from metanode.docklock.scheduler import Fleet, Newcomer, Placed, Preempted, Scheduler, Unplaced, preempt, turn
from metanode.primitives.codec import encode
from metanode.records.cluster_events import ReplicaPlaced, ReplicaWaits

PREEMPTIONS_A_BLOCK: Final = 4
"""Newcomers for which room is made in one block: each looks at all that stands."""


def place_waiting(books: Books) -> None:
    """CLUSTER-17. Those who wait and were not tried yet, in turn, at most `placements_per_block` in one block."""
    agenda = read_agenda(books.frame.view)
    write(books.frame.view, AGENDA, replace(agenda, placing=tuple(one for one in agenda.placing if one != books.name)))
    queue = queue_of(books)
    untried = [one for one in queue.waiting if not one.tried]
    chosen = nsmallest(
        books.frame.block.parameters.placements_per_block,
        untried,
        key=lambda one: turn(one.priority, one.since_ms, one.vain, one.workload, one.index, one.attempt),
    )
    if not chosen:
        return
    scheduler = Scheduler(fleet_of(books.frame.view, books.name, books.cluster()), books.frame.block.parent)
    placed: dict[str, list[Assignment]] = {}
    gone: set[Waiting] = set()
    again: dict[Waiting, Waiting] = {}
    preemptions = 0
    for one in chosen:
        newcomer = _newcomer(books, one)
        if newcomer is None:
            again[one] = replace(one, tried=True)
            continue
        answer: Placed | Unplaced | Preempted | None = scheduler.place(newcomer)
        if isinstance(answer, Unplaced) and newcomer.replica.demand.preempts and preemptions < PREEMPTIONS_A_BLOCK:
            preemptions += 1
            made = preempt(scheduler.fleet, newcomer)
            if made is not None:
                _push_out(books, scheduler.fleet, made)
                answer = made
        if isinstance(answer, Unplaced):
            again[one] = replace(one, vain=one.vain + 1, tried=True)
            if not one.vain:
                _say_why(books, one, answer)
            continue
        assert answer is not None, "who is not placed is unplaced"
        gone.add(one)
        scheduler.fleet.take(answer.node, newcomer.replica)
        placed.setdefault(answer.node, []).append(_settle(books, one, answer.node))
    for node, assignments in placed.items():
        share = books.share(node)
        books.keep_share(node, replace(share, assignments=(*share.assignments, *assignments)))
    left = tuple(again.get(one, one) for one in queue_of(books).waiting if one not in gone)
    keep_queue(books, Queue(waiting=left))


def _newcomer(books: Books, one: Waiting) -> Newcomer | None:
    """Who waits, with what it demands; `None` where it waits by an earlier revision and is about to be replaced."""
    current = books.workload(one.workload).current.number
    for instance in books.replica(one.workload, one.index).instances:
        if instance.attempt == one.attempt and instance.revision == current:
            return newcomer_of(books.frame.view, books.name, one.workload, one.index, instance)
    return None


def _settle(books: Books, one: Waiting, node: str) -> Assignment:
    """CLUSTER-7. The committee's decision is written down: the instance has a node, the node an assignment."""
    workload = books.workload(one.workload)
    replica = books.replica(one.workload, one.index)
    instance = next(other for other in replica.instances if other.attempt == one.attempt)
    revision = revision_of(workload, instance.revision)
    assert revision is not None, "only who is due is placed"
    settled = replace(instance, node=node, state="placed", since_ms=books.now_ms)
    books.keep_replica(
        one.workload,
        one.index,
        replace(replica, instances=tuple(settled if other is instance else other for other in replica.instances)),
    )
    books.say(
        ReplicaPlaced(
            cluster=books.name,
            workload=one.workload,
            index=one.index,
            attempt=one.attempt,
            revision=revision.number,
            node=node,
        )
    )
    demand = revision.terms.demand
    return Assignment(
        workload=one.workload,
        index=one.index,
        attempt=one.attempt,
        revision=revision.number,
        spec=revision.spec,
        terms=sha256(encode(revision.terms)).digest(),
        run=True,
        cpu_millicores=demand.cpu_millicores,
        memory_kib=demand.memory_kib,
        ports=demand.ports,
        priority=demand.priority,
    )


def _push_out(books: Books, fleet: Fleet, made: Preempted) -> None:
    """CLUSTER-18. Named victims leave; the newcomer is assigned at once, and its node starts it when they are gone."""
    for victim in made.victims:
        fleet.release(made.node, victim)
        replica = books.replica(victim.workload, victim.index)
        instance = next(one for one in replica.instances if one.attempt == victim.attempt)
        stop(books, victim.workload, victim.index, instance, "preempted")
        changed(books, victim.workload)


def _say_why(books: Books, one: Waiting, answer: Unplaced) -> None:
    """CLUSTER-17. Said once an attempt: the filter that turned away most nodes."""
    most = max(answer.reasons, key=lambda reason: (reason.nodes, -reason.rule), default=None)
    books.say(
        ReplicaWaits(
            cluster=books.name,
            workload=one.workload,
            index=one.index,
            attempt=one.attempt,
            reason=f"PLACE-{most.rule}" if most is not None else "no-nodes",
        )
    )
