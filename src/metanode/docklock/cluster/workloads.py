"""Workloads of a cluster: applied, scaled, led back, stopped, started, restarted, deleted."""

from msgspec.structs import replace

from metanode.docklock.cluster.agenda import changed, freed
from metanode.docklock.cluster.authority import NOTHING, check_operator, check_owner, demanded, use
from metanode.docklock.cluster.books import Books
from metanode.docklock.cluster.lifecycle import WORKLOAD_LIFE
from metanode.docklock.cluster.refusals import ClusterRefusal
from metanode.docklock.cluster.signed import check_image, read_about_image
from metanode.docklock.cluster.state import (
    AGENDA,
    CLUSTERS_MAX,
    DEPENDENTS_MAX,
    EARLIER_MAX,
    NEVER,
    Cluster,
    Progress,
    Revision,
    Workload,
    image_key,
    read_agenda,
    read_cluster,
    read_workload,
    write,
)
from metanode.docklock.images.policy import check_policy
from metanode.ledger.execution import WORK_AUTHORIZATION
from metanode.ledger.frame import Frame
from metanode.primitives.refusal import Rejected
from metanode.records.cluster import ACTIONS, WORKLOADS_MAX, check_settings
from metanode.records.cluster_calls import (
    ClusterAdmitImage,
    ClusterApply,
    ClusterConfigure,
    ClusterControl,
    ClusterCreate,
    ClusterRollBack,
    ClusterScale,
)
from metanode.records.cluster_events import ClusterConfigured, ClusterCreated, ImageAdmitted, WorkloadChanged
from metanode.records.demand import check_digest, check_name, check_range, check_word
from metanode.records.workload import REPLICAS_MAX, check_terms

WORK_A_DEPENDENCY = 30
"""One more workload is read for each, and one written."""
CHAIN_MAX = 64
"""Most workloads looked at for a circle of dependencies."""


def create(call: ClusterCreate, frame: Frame) -> None:
    """CLUSTER-1. A cluster of a free name, owned by the sender."""
    check_name("cluster", call.cluster)
    check_settings(call.settings)
    check_policy(call.settings.policy)
    if read_cluster(frame.view, call.cluster) is not None:
        raise Rejected(ClusterRefusal.EXISTS, call.cluster)
    agenda = read_agenda(frame.view)
    if len(agenda.clusters) >= CLUSTERS_MAX:
        raise Rejected(ClusterRefusal.TOO_MANY, f"a chain has at most {CLUSTERS_MAX} clusters")
    write(frame.view, AGENDA, replace(agenda, clusters=tuple(sorted((*agenda.clusters, call.cluster)))))
    cluster = Cluster(owner=frame.sender, settings=call.settings, nodes=(), workloads=(), due_ms=NEVER)
    Books(frame, call.cluster).keep_cluster(cluster)
    frame.events.append(ClusterCreated(cluster=call.cluster, owner=frame.sender))


def configure(call: ClusterConfigure, frame: Frame) -> None:
    """CLUSTER-1. Other settings; they count from now on, and everybody who waits is tried by them."""
    books = Books(frame, call.cluster)
    cluster = books.cluster()
    check_owner(cluster, frame.sender)
    check_settings(call.settings)
    check_policy(call.settings.policy)
    books.keep_cluster(replace(cluster, settings=call.settings, due_ms=min(cluster.due_ms, books.now_ms)))
    freed(books)
    books.say(ClusterConfigured(cluster=call.cluster))


def admit_image(call: ClusterAdmitImage, frame: Frame) -> None:
    """CLUSTER-20. An operator lists an image, or strikes it out; what runs already is not touched by that."""
    books = Books(frame, call.cluster)
    check_operator(books.cluster(), frame.sender)
    check_digest("the image", call.image)
    frame.view.put(image_key(call.cluster, call.image), b"\1" if call.admitted else None)
    freed(books)
    books.say(ImageAdmitted(cluster=call.cluster, image=call.image, admitted=call.admitted))


def _phase(workload: Workload, event: str) -> str:
    """CLUSTER-6. The phase after an event. Raises `Rejected` where the table has none."""
    after = WORKLOAD_LIFE.get((workload.phase, event))
    if after is None:
        raise Rejected(ClusterRefusal.WORKLOAD_PHASE, f"a workload that is {workload.phase} cannot {event}")
    return after


def keep(books: Books, name: str, workload: Workload) -> None:
    """CLUSTER-6. Keep a workload in its new phase, say it, and look at it when the block ends."""
    books.keep_workload(name, workload)
    books.say(
        WorkloadChanged(
            cluster=books.name,
            workload=name,
            phase=workload.phase,
            revision=workload.current.number,
            spec=workload.current.spec,
        )
    )
    changed(books, name)


def apply(call: ClusterApply, frame: Frame) -> None:
    """CLUSTER-6. A workload comes to be, or gets a new revision that replaces the running one by its update rule."""
    books = Books(frame, call.cluster)
    cluster = books.cluster()
    check_operator(cluster, frame.sender)
    check_digest("the specification", call.spec)
    check_terms(call.terms)
    check_range("the number of replicas", call.replicas, 0, REPLICAS_MAX)
    _check_image(frame, call.cluster, cluster, call.terms.demand.image)
    name = call.terms.workload
    before = read_workload(frame.view, call.cluster, name)
    number = before.numbers + 1 if before is not None else 1
    revision = Revision(number=number, spec=call.spec, terms=call.terms)
    if before is None:
        after = _new(books, cluster, name, revision, call.replicas)
    else:
        if before.current.terms.kind != call.terms.kind:
            raise Rejected(ClusterRefusal.OTHER_KIND, f"{name} is a {before.current.terms.kind}")
        after = _renewed(books, before, revision, _phase(before, "apply"), call.replicas)
    _depend(books, name, before, after)
    used = demanded(before.current.terms, before.replicas) if before is not None else NOTHING
    use(books, books.cluster(), after.owner, used, demanded(call.terms, call.replicas))
    keep(books, name, after)


def _check_image(frame: Frame, name: str, cluster: Cluster, image: bytes) -> None:
    """CLUSTER-20, CLUSTER-23. The image is one that the cluster lets run; verifying signatures is work. Raises
    `Rejected`."""
    if image:
        frame.charge(WORK_AUTHORIZATION * len(cluster.settings.policy.keys))
        check_image(cluster.settings, image, read_about_image(frame.view, name, image))


def _new(books: Books, cluster: Cluster, name: str, revision: Revision, replicas: int) -> Workload:
    if len(cluster.workloads) >= WORKLOADS_MAX:
        raise Rejected(ClusterRefusal.TOO_MANY, f"a cluster has at most {WORKLOADS_MAX} workloads")
    books.keep_cluster(replace(cluster, workloads=tuple(sorted((*cluster.workloads, name)))))
    return Workload(
        owner=books.frame.sender,
        phase=WORKLOAD_LIFE["", "apply"],
        current=revision,
        earlier=(),
        numbers=revision.number,
        replicas=replicas,
        peak=replicas,
        begun=revision.number,
        applied_ms=books.now_ms,
        update=(),
        dependents=(),
        due_ms=NEVER,
    )


def _renewed(books: Books, before: Workload, revision: Revision, phase: str, replicas: int) -> Workload:
    return replace(
        before,
        phase=phase,
        current=revision,
        earlier=(before.current, *before.earlier)[:EARLIER_MAX],
        numbers=max(before.numbers, revision.number),
        replicas=replicas,
        peak=max(before.peak, replicas),
        applied_ms=books.now_ms,
        update=(Progress(failed=0, next_ms=0, back=False),) if phase == "updating" else (),
    )


def _depend(books: Books, name: str, before: Workload | None, after: Workload) -> None:
    """CLUSTER-16. Those it depends on are there, know of it, and do not depend on it themselves. Raises `Rejected`."""
    old = {one.workload for one in before.current.terms.dependencies} if before is not None else set()
    new = {one.workload for one in after.current.terms.dependencies}
    books.frame.charge(WORK_A_DEPENDENCY * len(old | new))
    for other in sorted(new):
        if read_workload(books.frame.view, books.name, other) is None:
            raise Rejected(ClusterRefusal.UNKNOWN_DEPENDENCY, f"{other} is not there; apply it first")
    _check_circle(books, name, new)
    for other in sorted(old - new):
        needed = books.workload(other)
        books.keep_workload(other, replace(needed, dependents=tuple(n for n in needed.dependents if n != name)))
    for other in sorted(new - old):
        needed = books.workload(other)
        if len(needed.dependents) >= DEPENDENTS_MAX:
            raise Rejected(ClusterRefusal.TOO_MANY, f"at most {DEPENDENTS_MAX} workloads depend on {other}")
        books.keep_workload(other, replace(needed, dependents=tuple(sorted({*needed.dependents, name}))))


def _check_circle(books: Books, name: str, dependencies: set[str]) -> None:
    """CLUSTER-16. Whoever follows the dependencies does not come back, and comes to an end. Raises `Rejected`."""
    seen: set[str] = set()
    waiting = sorted(dependencies)
    while waiting:
        other = waiting.pop()
        if other == name or len(seen) > CHAIN_MAX:
            raise Rejected(ClusterRefusal.CIRCLE, f"{name} depends on itself by way of {', '.join(sorted(seen)[:8])}")
        if other in seen:
            continue
        seen.add(other)
        books.frame.charge(WORK_A_DEPENDENCY)
        waiting += [one.workload for one in books.workload(other).current.terms.dependencies]


def scale(call: ClusterScale, frame: Frame) -> None:
    """CLUSTER-6. So many replicas; those with the highest indices go first."""
    books = Books(frame, call.cluster)
    cluster = books.cluster()
    check_operator(cluster, frame.sender)
    check_range("the number of replicas", call.replicas, 0, REPLICAS_MAX)
    before = books.workload(call.workload)
    terms = before.current.terms
    after = replace(before, phase=_phase(before, "scale"), replicas=call.replicas)
    after = replace(after, peak=max(after.peak, after.replicas))
    use(books, cluster, before.owner, demanded(terms, before.replicas), demanded(terms, call.replicas))
    keep(books, call.workload, after)


def roll_back(call: ClusterRollBack, frame: Frame) -> None:
    """CLUSTER-6. The revision before becomes the current one again."""
    books = Books(frame, call.cluster)
    check_operator(books.cluster(), frame.sender)
    before = books.workload(call.workload)
    keep(books, call.workload, led_back(books, before, _phase(before, "roll-back")))


def led_back(books: Books, before: Workload, phase: str) -> Workload:
    """CLUSTER-14. A workload on the way back to the revision before; the one it leaves is forgotten. Raises
    `Rejected`."""
    if not before.earlier:
        raise Rejected(ClusterRefusal.NOTHING_EARLIER, f"revision {before.current.number} is the first that is kept")
    back, *older = before.earlier
    use(
        books,
        books.cluster(),
        before.owner,
        demanded(before.current.terms, before.replicas),
        demanded(back.terms, before.replicas),
    )
    update = (Progress(failed=0, next_ms=0, back=True),) if phase == "updating" else ()
    return replace(before, phase=phase, current=back, earlier=tuple(older), update=update)


def control(call: ClusterControl, frame: Frame) -> None:
    """CLUSTER-6. Stop (and remember), start, restart by the update rule, or delete."""
    books = Books(frame, call.cluster)
    cluster = books.cluster()
    check_operator(cluster, frame.sender)
    check_word("the action", call.action, ACTIONS)
    before = books.workload(call.workload)
    phase = _phase(before, call.action)
    match call.action:
        case "restart":
            again = replace(before.current, number=before.numbers + 1)
            after = replace(_renewed(books, before, again, phase, before.replicas), earlier=before.earlier)
        case "start":
            after = replace(before, phase=phase, applied_ms=books.now_ms, update=(), begun=0)
        case "delete":
            if before.dependents:
                raise Rejected(ClusterRefusal.NEEDED, f"{', '.join(before.dependents[:8])} depend on {call.workload}")
            after = replace(before, phase=phase, update=())
        case _:
            after = replace(before, phase=phase, update=())
    keep(books, call.workload, after)
