"""Whoever waits in a cluster gets a node, or is told why not: what is known of the nodes, handed to the scheduler."""

from collections.abc import Iterator
from hashlib import sha256
from heapq import nsmallest
from typing import Final

from msgspec.structs import replace

from metanode.docklock.cluster.agenda import changed, keep_queue, queue_of
from metanode.docklock.cluster.books import Books
from metanode.docklock.cluster.instances import stop
from metanode.docklock.cluster.state import (
    AGENDA,
    ASSIGNMENTS_MAX,
    Assignment,
    Member,
    Queue,
    Revision,
    Waiting,
    Workload,
    image_admitted,
    read_agenda,
    read_share,
    read_workload,
    write,
)
from metanode.docklock.scheduler import (
    Fleet,
    Newcomer,
    NodeView,
    Placed,
    Preempted,
    Replica,
    Scheduler,
    Unplaced,
    preempt,
    turn,
)
from metanode.ledger.view import Readable
from metanode.primitives.codec import encode
from metanode.records.cluster_events import ReplicaPlaced, ReplicaWaits
from metanode.records.demand import Demand

PREEMPTIONS_A_BLOCK: Final = 16
"""Newcomers for which room is made in one block: each looks at all that stands."""
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


def _standing(books: Books, node: str) -> Iterator[Replica]:
    """What stands on a node, with what it demands; of a revision that is forgotten only the numbers are known."""
    for one in books.share(node).assignments:
        revision = revision_of(read_workload(books.frame.view, books.name, one.workload), one.revision)
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


def fleet_of(books: Books) -> Fleet:
    """PLACE-6. The nodes of a cluster and all that stands on them."""
    cluster = books.cluster()
    members = [(node, books.member(node)) for node in cluster.nodes]
    views = [view for node, member in members if (view := node_view(node, member, books.frame.view, books.name))]
    standing = [(view.name, replica) for view in views for replica in _standing(books, view.name)]

    def image_rule(image: bytes) -> str:
        listed = cluster.settings.images == "listed" and image
        return "not listed" if listed and not image_admitted(books.frame.view, books.name, image) else ""

    return Fleet(views, standing, cluster.settings.weights, image_rule)


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
    scheduler = Scheduler(fleet_of(books), books.frame.block.parent)
    placed: dict[str, list[Assignment]] = {}
    gone: set[Waiting] = set()
    again: dict[Waiting, Waiting] = {}
    preemptions = 0
    for one in chosen:
        newcomer = _newcomer(books, one)
        if newcomer is None:
            gone.add(one)
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
    """Who waits, with what it demands; `None` where it is not due any more."""
    workload = read_workload(books.frame.view, books.name, one.workload)
    replica = books.replica(one.workload, one.index)
    for instance in replica.instances:
        if instance.attempt == one.attempt and not instance.node:
            revision = revision_of(workload, instance.revision)
            if revision is not None:
                return Newcomer(
                    replica=Replica(
                        workload=one.workload, index=one.index, attempt=one.attempt, demand=revision.terms.demand
                    ),
                    spec=revision.spec,
                    stood=replica.stood,
                    refused=replica.refused,
                )
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
