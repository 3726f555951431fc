"""Instances: what becomes of one attempt to run a replica, wherever its life is told from."""

from collections.abc import Iterable, Sequence

from msgspec.structs import replace

from metanode.docklock.cluster.agenda import changed, freed, keep_queue, queue_of
from metanode.docklock.cluster.books import Books
from metanode.docklock.cluster.lifecycle import INSTANCE_LIFE
from metanode.docklock.cluster.state import WAITING_MAX, Instance, Queue, Replica, Waiting
from metanode.records.cluster import ENDED, ReplicaReport
from metanode.records.cluster_events import ReplicaChanged

REFUSED_MAX = 16
"""Most nodes remembered as having refused a replica; more than that is no fault of the nodes."""
STABLE_MS = 60_000
"""A service that was ready for so long has not failed in a row with what failed before."""
BACKOFF_MS = 1_000
"""After the first failure; doubled with each further one."""
BACKOFF_MS_MAX = 300_000
"""Longest wait between two attempts: five minutes."""


def backoff_ms(failures: int) -> int:
    """CLUSTER-11. How long a replica waits after so many failures in a row: 1, 2, 4 … 300 seconds."""
    return min(BACKOFF_MS << min(failures - 1, 9), BACKOFF_MS_MAX) if failures else 0


def said(books: Books, workload: str, index: int, instance: Instance) -> ReplicaChanged:
    """The event that an instance is in the state it is in."""
    return ReplicaChanged(
        cluster=books.name,
        workload=workload,
        index=index,
        attempt=instance.attempt,
        node=instance.node,
        state=instance.state,
        code=instance.code,
    )


def _unassign(books: Books, node: str, workload: str, index: int, attempt: int) -> None:
    share = books.share(node)
    left = tuple(
        one for one in share.assignments if (one.workload, one.index, one.attempt) != (workload, index, attempt)
    )
    books.keep_share(node, replace(share, assignments=left))
    freed(books)


def report_instance(books: Books, node: str, report: ReplicaReport) -> None:
    """CLUSTER-11. What a node says of an attempt that is assigned to it; of any other it is too late, and nothing."""
    replica = books.replica(report.workload, report.index)
    for instance in replica.instances:
        if (instance.attempt, instance.node) == (report.attempt, node):
            break
    else:
        return
    state = INSTANCE_LIFE.get((instance.state, report.state))
    if state is None or state == instance.state:
        return
    told = replace(instance, state=state, code=report.code, since_ms=books.now_ms)
    books.say(said(books, report.workload, report.index, told))
    changed(books, report.workload)
    if state in ENDED:
        ended(books, report.workload, report.index, replica, instance, told)
    else:
        others = tuple(told if one is instance else one for one in replica.instances)
        current, failures = books.workload(report.workload).current, replica.failures
        if state == "unready" and instance.revision == current.number:
            failures = _one_more(books, replica, instance, is_job=current.terms.kind == "job")
        books.keep_replica(report.workload, report.index, replace(replica, instances=others, failures=failures))


def _one_more(books: Books, replica: Replica, before: Instance, *, is_job: bool) -> int:
    """CLUSTER-11. Failures in a row with one more: a service that was ready for a minute begins a new row."""
    stable = not is_job and before.state == "ready" and books.now_ms - before.since_ms >= STABLE_MS
    return 1 if stable else replica.failures + 1


def ended(books: Books, workload: str, index: int, replica: Replica, before: Instance, instance: Instance) -> None:
    """CLUSTER-11. Nothing of an attempt runs any more: its place is free; what failed waits for its next attempt."""
    _unassign(books, instance.node, workload, index, instance.attempt)
    kept = tuple(one for one in replica.instances if one.attempt != instance.attempt)
    after = replace(replica, instances=kept, stood=instance.node)
    current = books.workload(workload).current
    match instance.state:
        case "exited" if instance.code == 0 and current.terms.kind == "job":
            after = replace(after, done=True, failures=0)
        case "exited" | "failed" | "refused" if instance.revision == current.number:
            failures = _one_more(books, replica, before, is_job=current.terms.kind == "job")
            after = replace(after, failures=failures, not_before_ms=books.now_ms + backoff_ms(failures))
        case _:
            pass
    if instance.state == "refused":
        after = replace(after, refused=tuple(sorted({*after.refused, instance.node}))[:REFUSED_MAX])
    books.keep_replica(workload, index, after)


def lose(books: Books, node: str, state: str) -> None:
    """CLUSTER-10. What was assigned to a node runs there no more as far as the cluster is concerned: it is placed again
    at once, and the node finds nothing in its share when it comes back."""
    for one in books.share(node).assignments:
        replica = books.replica(one.workload, one.index)
        kept = tuple(other for other in replica.instances if other.attempt != one.attempt)
        books.keep_replica(one.workload, one.index, replace(replica, instances=kept, stood=node))
        changed(books, one.workload)
        books.say(
            ReplicaChanged(
                cluster=books.name,
                workload=one.workload,
                index=one.index,
                attempt=one.attempt,
                node=node,
                state=state,
                code=0,
            )
        )
    books.keep_share(node, replace(books.share(node), assignments=()))
    freed(books)


def doubt_instance(books: Books, node: str, workload: str, index: int, attempt: int) -> None:
    """PROBE-7. An attempt of which enough probers found nothing counts as lost: it is placed again at once, and not on
    this node. A node that runs it all the same finds it no more in its share."""
    _unassign(books, node, workload, index, attempt)
    replica = books.replica(workload, index)
    instance = next(one for one in replica.instances if one.attempt == attempt)
    kept = tuple(one for one in replica.instances if one.attempt != attempt)
    refused = tuple(sorted({*replica.refused, node}))[:REFUSED_MAX]
    books.keep_replica(workload, index, replace(replica, instances=kept, refused=refused))
    changed(books, workload)
    books.say(said(books, workload, index, replace(instance, state="doubted")))


def wait(books: Books, workload: str, indices: Sequence[int], revision: int, priority: int) -> bool:
    """CLUSTER-12. New attempts of replicas wait for nodes. Whether there was room for all of them in the queue."""
    room = WAITING_MAX - len(queue_of(books).waiting)
    joining = []
    for index in indices[: max(room, 0)]:
        replica = books.replica(workload, index)
        attempt = replica.attempts + 1
        instance = Instance(attempt=attempt, revision=revision, node="", state="waiting", code=0, since_ms=books.now_ms)
        books.keep_replica(
            workload, index, replace(replica, instances=(*replica.instances, instance), attempts=attempt)
        )
        joining.append(
            Waiting(
                workload=workload,
                index=index,
                attempt=attempt,
                priority=priority,
                since_ms=books.now_ms,
                vain=0,
                tried=False,
            )
        )
    if joining:
        keep_queue(books, Queue(waiting=(*queue_of(books).waiting, *joining)))
    return len(joining) == len(indices)


def stop(books: Books, workload: str, index: int, instance: Instance, state: str = "stopping") -> None:
    """CLUSTER-12. An instance is to end: one that waits is gone at once, one on a node when the node says so."""
    stop_all(books, workload, ((index, instance),), state)


def stop_all(books: Books, workload: str, those: Iterable[tuple[int, Instance]], state: str = "stopping") -> None:
    """CLUSTER-12. The same for many: the queue, and the share of each node, is written once, however many they are."""
    gone: set[tuple[int, int]] = set()
    leaving: dict[str, set[tuple[int, int]]] = {}
    for index, instance in those:
        replica = books.replica(workload, index)
        if instance.node:
            ending = replace(instance, state="stopping", since_ms=books.now_ms)
            others = tuple(ending if one.attempt == instance.attempt else one for one in replica.instances)
            leaving.setdefault(instance.node, set()).add((index, instance.attempt))
            books.say(said(books, workload, index, replace(ending, state=state)))
        else:
            others = tuple(one for one in replica.instances if one.attempt != instance.attempt)
            gone.add((index, instance.attempt))
        books.keep_replica(workload, index, replace(replica, instances=others))
    for node, ended in leaving.items():
        share = books.share(node)
        assignments = tuple(
            replace(one, run=False) if one.workload == workload and (one.index, one.attempt) in ended else one
            for one in share.assignments
        )
        books.keep_share(node, replace(share, assignments=assignments))
    if gone:
        kept = tuple(
            one for one in queue_of(books).waiting if one.workload != workload or (one.index, one.attempt) not in gone
        )
        keep_queue(books, Queue(waiting=kept))
