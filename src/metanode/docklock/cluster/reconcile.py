"""What a workload that changed needs next: replicas that are missing, too many, of an old revision, or on a node that
is to be left. Pure bookkeeping: who waits here is placed elsewhere."""

from dataclasses import dataclass, field
from typing import Final

from msgspec.structs import replace

from metanode.docklock.cluster.agenda import changed, look_again
from metanode.docklock.cluster.authority import NOTHING, demanded, use
from metanode.docklock.cluster.books import Books
from metanode.docklock.cluster.instances import stop, stop_all, wait
from metanode.docklock.cluster.lifecycle import RUNNING, RUNS, WORKLOAD_LIFE
from metanode.docklock.cluster.state import NEVER, Instance, Replica, Workload, read_workload, replica_key
from metanode.docklock.cluster.views import node_view
from metanode.docklock.cluster.workloads import keep, led_back
from metanode.docklock.scheduler import must_leave
from metanode.primitives.refusal import Rejected
from metanode.records.workload import BASIS_POINTS

QUEUE_FULL_MS: Final = 1_000
"""After so long a workload is looked at again of which not everybody could join the queue."""


@dataclass(slots=True)
class Look:
    """One look at a workload: its replicas by index, who shall wait, and when to look again."""

    books: Books
    name: str
    workload: Workload
    replicas: list[Replica]
    waiting: list[int] = field(default_factory=list)
    due_ms: int = NEVER

    def later(self, due_ms: int) -> None:
        """Look again then, at the latest."""
        self.due_ms = min(self.due_ms, due_ms)

    @property
    def number(self) -> int:
        """The revision that is due."""
        return self.workload.current.number


def reconcile(books: Books, name: str) -> None:
    """CLUSTER-12. Look at a workload that changed, and do what is due now."""
    workload = read_workload(books.frame.view, books.name, name)
    if workload is None:
        return
    replicas = [books.replica(name, index) for index in range(workload.peak)]
    look = Look(books, name, workload, replicas)
    if workload.begun != workload.current.number:
        _begin_anew(look)
    if workload.phase in RUNS:
        _run(look)
    else:
        _end(look)


def _begin_anew(look: Look) -> None:
    """CLUSTER-15. For another revision, and after a start, what jobs have done, how often replicas failed and who
    refused them is forgotten; attempts go on being counted."""
    for index, replica in enumerate(look.replicas):
        fresh = replace(replica, failures=0, not_before_ms=0, done=False, refused=())
        if fresh != replica:
            look.replicas[index] = fresh
            look.books.keep_replica(look.name, index, fresh)
    look.workload = replace(look.workload, begun=look.number)
    look.books.keep_workload(look.name, look.workload)


def _run(look: Look) -> None:
    _stop_surplus(look)
    _drop_superfluous(look)
    if look.workload.current.terms.kind == "job" and _job_ended(look):
        return
    if look.workload.phase == "updating" and _update_failed(look):
        return
    if not _dependencies_met(look):
        _finish(look)
        return
    _fill(look)
    _renew(look)
    priority = look.workload.current.terms.demand.priority
    if not wait(look.books, look.name, sorted(look.waiting), look.number, priority):
        look.later(look.books.now_ms + QUEUE_FULL_MS)
    if look.workload.phase == "updating" and _updated(look):
        return
    _finish(look)


def _finish(look: Look) -> None:
    """Remember when to look again, and let those look who depend on this one."""
    current = look.books.workload(look.name)
    if current.due_ms != look.due_ms:
        look.books.keep_workload(look.name, replace(current, due_ms=look.due_ms))
    if look.due_ms != NEVER:
        look_again(look.books, look.due_ms)
    _tell_dependents(look, current)


def _tell_dependents(look: Look, workload: Workload) -> None:
    """CLUSTER-16. Whoever depends on this one looks whether it may go on."""
    for dependent in workload.dependents:
        if condition_met(look.books, look.name, "started"):
            changed(look.books, dependent)


def _not_stopping(look: Look, first: int = 0) -> list[tuple[int, Instance]]:
    """Every instance that was not told to end yet, of the replicas from an index on."""
    return [
        (index, instance)
        for index in range(first, len(look.replicas))
        for instance in look.replicas[index].instances
        if instance.state != "stopping"
    ]


def _end(look: Look) -> None:
    """CLUSTER-12. A workload that shall not run: everything of it stops; what has stopped is gone."""
    stop_all(look.books, look.name, _not_stopping(look))
    left = any(look.books.replica(look.name, index).instances for index in range(look.workload.peak))
    after = WORKLOAD_LIFE.get((look.workload.phase, "gone"))
    if left or after is None:
        _finish(look)
    elif after:
        keep(look.books, look.name, replace(look.workload, phase=after, due_ms=NEVER))
    else:
        _forget(look)


def _forget(look: Look) -> None:
    """CLUSTER-6. A deleted workload of which nothing runs any more: its records go, and so does what it demanded."""
    books, workload = look.books, look.workload
    for index in range(workload.peak):
        books.frame.view.put(replica_key(books.name, look.name, index), None)
    for dependency in workload.current.terms.dependencies:
        needed = read_workload(books.frame.view, books.name, dependency.workload)
        if needed is not None:
            left = tuple(one for one in needed.dependents if one != look.name)
            books.keep_workload(dependency.workload, replace(needed, dependents=left))
    cluster = books.cluster()
    use(books, cluster, workload.owner, demanded(workload.current.terms, workload.replicas), NOTHING)
    books.keep_cluster(replace(cluster, workloads=tuple(one for one in cluster.workloads if one != look.name)))
    keep(books, look.name, replace(workload, phase="deleted"))
    books.keep_workload(look.name, None)


# --- too many, too few -----------------------------------------------------------------------------------------------


def _stop_surplus(look: Look) -> None:
    """CLUSTER-12. Replicas beyond the number asked for stop, highest index first in the order of the list."""
    stop_all(look.books, look.name, _not_stopping(look, look.workload.replicas))


def _drop_superfluous(look: Look) -> None:
    """CLUSTER-13. Of a replica at most one old and one new instance are needed. Who still waits for a node by an
    earlier revision waits in vain; of two that were on their way when another revision came, or a node was to be left
    and then was not, the one that is well stays, else the earlier one."""
    for index, replica in enumerate(look.replicas[: look.workload.replicas]):
        for kind in (True, False):
            alike = [one for one in replica.instances if one.state != "stopping" and _is_old(look, one) == kind]
            needed = [one for one in alike if one.node or one.revision == look.number]
            best = min(needed, key=lambda one: (one.state != "ready", one.attempt), default=None)
            for one in alike:
                if one is not best:
                    stop(look.books, look.name, index, one)
        look.replicas[index] = look.books.replica(look.name, index)


def _fill(look: Look) -> None:
    """CLUSTER-12. A replica of which nothing runs and nothing waits gets a new attempt, after its wait for failures."""
    for index in range(look.workload.replicas):
        replica = look.replicas[index]
        if replica.done or any(one.state != "stopping" for one in replica.instances):
            continue
        if replica.instances and look.workload.current.terms.update.order == "stop-first":
            continue  # its place is taken until the old one is gone
        if len(replica.instances) > 1:
            continue
        if look.books.now_ms < replica.not_before_ms:
            look.later(replica.not_before_ms)
        else:
            look.waiting.append(index)


# --- old revisions, nodes to be left ----------------------------------------------------------------------------------


def _misplaced(look: Look, instance: Instance) -> bool:
    """CLUSTER-21. Whether it stands on a node that is to be left, by its mark or by a taint it does not tolerate."""
    if not instance.node:
        return False
    view = node_view(instance.node, look.books.member(instance.node), look.books.frame.view, look.books.name)
    return view is not None and bool(must_leave(view, look.workload.current.terms.demand))


def _renew(look: Look) -> None:
    """CLUSTER-13. Old instances give way to new ones, at most `parallelism` replicas at a time, each by the order of
    the update rule; those of nodes to be left likewise. A workload on pause renews nothing."""
    rule = look.workload.current.terms.update
    busy = [index for index in range(look.workload.replicas) if index in look.waiting or _under_way(look, index)]
    room = rule.parallelism - len(busy)
    update = look.workload.update[0] if look.workload.update else None
    for index in sorted(range(look.workload.replicas), key=lambda index: _is_well(look.replicas[index])):
        replica = look.replicas[index]
        old = [one for one in replica.instances if one.state != "stopping" and _is_old(look, one)]
        new = [one for one in replica.instances if one.state != "stopping" and not _is_old(look, one)]
        if old and any(one.state == "ready" for one in new):
            for one in old:
                stop(look.books, look.name, index, one)
            _pause_before_next(look)
        elif old and not new and index not in look.waiting and look.workload.phase != "paused":
            if room <= 0 or replica.done or look.books.now_ms < replica.not_before_ms:
                look.later(max(replica.not_before_ms, look.books.now_ms + 1) if room > 0 else NEVER)
                continue
            if update is not None and look.books.now_ms < look.books.workload(look.name).update[0].next_ms:
                look.later(look.books.workload(look.name).update[0].next_ms)
                continue
            room -= 1
            if rule.order == "stop-first":
                for one in old:
                    stop(look.books, look.name, index, one)
                _pause_before_next(look)
            elif len(replica.instances) < 2:
                look.waiting.append(index)


def _is_well(replica: Replica) -> bool:
    return any(one.state == "ready" for one in replica.instances)


def _is_old(look: Look, instance: Instance) -> bool:
    return instance.revision != look.number or _misplaced(look, instance)


def _under_way(look: Look, index: int) -> bool:
    """CLUSTER-13. Whether a replica is being renewed right now: it has a new instance that is not ready yet, or an old
    one beside it, or nothing but one that stops. An old instance that is not well is not under way: it is renewed."""
    instances = look.replicas[index].instances
    new = [one for one in instances if one.state != "stopping" and not _is_old(look, one)]
    return (
        len(instances) > 1
        or any(one.state != "ready" for one in new)
        or all(one.state == "stopping" for one in instances)
    )


def _pause_before_next(look: Look) -> None:
    """CLUSTER-13. After one replica was renewed the next waits for the delay of the update rule."""
    current = look.books.workload(look.name)
    delay = current.current.terms.update.delay_ms
    if current.update and delay:
        progress = replace(current.update[0], next_ms=look.books.now_ms + delay)
        look.books.keep_workload(look.name, replace(current, update=(progress,)))
        look.later(progress.next_ms)


def _update_failed(look: Look) -> bool:
    """CLUSTER-14. More than the tolerated share of the new revision's replicas failed: the committee itself leads the
    workload back, or stops the update, as its rule says."""
    progress, rule = look.workload.update[0], look.workload.current.terms.update
    failed = sum(1 for one in look.replicas[: look.workload.replicas] if one.failures)
    if failed > progress.failed:
        look.workload = replace(look.workload, update=(replace(progress, failed=failed),))
        look.books.keep_workload(look.name, look.workload)
    most = rule.failures_max_bp * max(look.workload.replicas, 1) // BASIS_POINTS
    if look.workload.update[0].failed <= most or progress.back or rule.on_failure == "continue":
        return False
    if rule.on_failure == "pause" or not look.workload.earlier:
        keep(look.books, look.name, replace(look.workload, phase=WORKLOAD_LIFE["updating", "pause"]))
        return True
    try:
        back = led_back(look.books, look.workload, "updating")
    except Rejected:  # the quota became smaller meanwhile: what runs goes on running
        keep(look.books, look.name, replace(look.workload, phase=WORKLOAD_LIFE["updating", "pause"]))
        return True
    keep(look.books, look.name, back)
    return True


def _updated(look: Look) -> bool:
    """CLUSTER-13. Every replica runs the new revision, is ready, and was watched long enough: the update is over."""
    monitor = look.workload.current.terms.update.monitor_ms
    until = 0
    for index in range(look.workload.replicas):
        instances = look.books.replica(look.name, index).instances
        done = look.replicas[index].done
        if not done and (len(instances) != 1 or instances[0].state != "ready" or _is_old(look, instances[0])):
            return False
        until = max([until, *(one.since_ms + monitor for one in instances)])
    if look.books.now_ms < until:
        look.later(until)
        return False
    current = look.books.workload(look.name)
    keep(look.books, look.name, replace(current, phase=WORKLOAD_LIFE["updating", "updated"], update=(), due_ms=NEVER))
    return True


# --- jobs and dependencies --------------------------------------------------------------------------------------------


def _job_ended(look: Look) -> bool:
    """CLUSTER-15. A job is completed when all its replicas ended with 0; it failed when one has used up its retries or
    the deadline has passed. What still runs of it then is stopped."""
    job, asked = look.workload.current.terms.job, look.replicas[: look.workload.replicas]
    deadline = look.workload.applied_ms + job.deadline_ms if job.deadline_ms else NEVER
    if all(one.done for one in asked):
        event = "completed"
    elif look.books.now_ms >= deadline or any(one.failures > job.retries for one in asked):
        event = "failed"
    else:
        look.later(deadline)
        return False
    stop_all(look.books, look.name, _not_stopping(look))
    after = replace(look.workload, phase=WORKLOAD_LIFE[look.workload.phase, event], update=(), due_ms=NEVER)
    keep(look.books, look.name, after)
    _tell_dependents(look, after)
    return True


def condition_met(books: Books, name: str, condition: str) -> bool:
    """CLUSTER-16. Whether a workload is `started` (each replica runs or has ended well), `healthy` (each is ready) or
    `completed` (a job that ended well)."""
    workload = read_workload(books.frame.view, books.name, name)
    if workload is None:
        return False
    if condition == "completed" or workload.phase == "completed":
        return workload.phase == "completed"
    states = ("ready",) if condition == "healthy" else RUNNING[1:]
    return workload.replicas > 0 and all(
        replica.done or any(one.state in states for one in replica.instances)
        for replica in (books.replica(name, index) for index in range(workload.replicas))
    )


def _dependencies_met(look: Look) -> bool:
    """CLUSTER-16. Nothing of a workload is placed before those it depends on have reached what it asks of them; what
    runs already is not stopped when they fall back."""
    return all(
        condition_met(look.books, one.workload, one.condition) for one in look.workload.current.terms.dependencies
    )
