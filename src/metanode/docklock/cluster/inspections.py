"""Whether nodes run what they say: who looks at whom, what they saw, and what follows from it."""

from collections import Counter
from hashlib import sha256
from typing import Final

from msgspec.structs import replace

from metanode.docklock.cluster.agenda import freed
from metanode.docklock.cluster.books import Books
from metanode.docklock.cluster.instances import doubt_instance
from metanode.docklock.cluster.state import (
    NEVER,
    NO_INSPECTIONS,
    Assignment,
    Cluster,
    Doubt,
    Duty,
    Inspection,
    Inspections,
    Member,
    inspections_key,
    read_inspections,
    write,
)
from metanode.records.cluster import Said, Sighting
from metanode.records.cluster_events import NodeChanged, NodeDoubted, ProbersDiffer

PROBERS_MAX: Final = 5
"""Most probers of one inspection: two liars among them change nothing, and two that are cut off neither."""
PROBERS_MIN: Final = 2
"""Fewer than two cannot agree."""
NODES_A_ROUND: Final = 16
"""Nodes inspected in one round: a thousand nodes are seen in sixty rounds, and no round is a long one."""
OF_A_NODE_MAX: Final = 8
"""Most replicas of one node in a round: it is one, and one more for each time that the node was doubted."""
INSPECTIONS_MAX: Final = 64
"""Most inspections of a cluster under way."""
DOUBTED_TIMEOUTS: Final = 4
"""A doubted node takes nothing new for so many timeouts; doubled with each further doubt, up to 64 times that."""
OWNER: Final = "owner"
"""The label by which operators say whose machine a node is."""


def threshold(probers: int) -> int:
    """PROBE-6. How many must agree: more than half, and never one alone."""
    return max(probers // 2 + 1, PROBERS_MIN)


# --- rounds ----------------------------------------------------------------------------------------------------------


def inspect(books: Books) -> int:
    """PROBE-1. Inspections whose time is over end, doubts that are over end, and a new round begins where one is due.
    Returns when to look again."""
    cluster, held = books.cluster(), read_inspections(books.frame.view, books.name)
    members = {node: books.member(node) for node in cluster.nodes}
    still = tuple(one for one in held.open if one.until_ms > books.now_ms)
    over = [one for one in held.open if one.until_ms <= books.now_ms]
    due = _end_doubts(books, members)
    after = replace(held, open=still)
    if books.now_ms >= held.next_ms:
        begun, last = _round(books, cluster, members, after)
        if begun:
            after = Inspections(next_ms=books.now_ms + cluster.settings.heartbeat_timeout_ms, last=last, open=begun)
    if after != held:
        _keep(books, held, after)
    for one in over:
        _say_differences(books, one)
    if not any(member.standing == "in" for member in members.values()):
        return due
    round_ms = max(after.next_ms, books.now_ms + cluster.settings.heartbeat_timeout_ms // 2)
    return min([due, round_ms, *(one.until_ms for one in after.open)])


def _round(
    books: Books, cluster: Cluster, members: dict[str, Member], held: Inspections
) -> tuple[tuple[Inspection, ...], str]:
    """PROBE-1. The next nodes in the order of their names, of each one replica that it calls ready, by the seed of the
    block, which nobody knows before. Returns all inspections then under way, and the last node looked at."""
    seed, found, last, looked = books.frame.block.parent, list(held.open), held.last, 0
    ring = sorted(
        (node for node, member in members.items() if member.state in ("active", "cordoned", "draining")),
        key=lambda node: sha256(seed + node.encode()).digest(),
    )
    for node in _after(cluster.nodes, held.last):
        member = members[node]
        if member.standing != "in" or not member.inventory:
            continue
        if looked == NODES_A_ROUND or len(found) >= INSPECTIONS_MAX:
            break
        probers = _probers(node, members, ring)
        if len(probers) < PROBERS_MIN:
            continue
        looked, last = looked + 1, node
        times = sum(one.times for one in member.doubt)
        room = min(1 + times, OF_A_NODE_MAX, INSPECTIONS_MAX - len(found))
        busy = {(one.duty.node, one.duty.workload, one.duty.index, one.duty.attempt) for one in found}
        found += [
            Inspection(
                duty=_duty(node, member, one, books.now_ms),
                probers=probers,
                until_ms=books.now_ms + cluster.settings.heartbeat_timeout_ms,
                verdicts=(),
            )
            for one in _chosen(books, node, busy, room)
        ]
    return tuple(found), last


def _after(nodes: tuple[str, ...], last: str) -> tuple[str, ...]:
    return tuple(node for node in nodes if node > last) + tuple(node for node in nodes if node <= last)


def _chosen(books: Books, node: str, busy: set[tuple[str, str, int, int]], room: int) -> list[Assignment]:
    """PROBE-1. So many of a node's replicas that are said to be ready: those that were looked at longest ago, by the
    seed of the block."""
    seed = books.frame.block.parent
    found: list[tuple[int, bytes, Assignment]] = []
    for one in books.share(node).assignments:
        if not one.run or (node, one.workload, one.index, one.attempt) in busy:
            continue
        for instance in books.replica(one.workload, one.index).instances:
            if (instance.attempt, instance.state) == (one.attempt, "ready"):
                name = f"{one.workload} {one.index} {one.attempt}".encode()
                found.append((instance.looked_ms, sha256(seed + name).digest(), one))
    chosen = [one for *_, one in sorted(found, key=lambda each: each[:2])[:room]]
    for one in chosen:
        replica = books.replica(one.workload, one.index)
        looked = tuple(
            replace(instance, looked_ms=books.now_ms) if instance.attempt == one.attempt else instance
            for instance in replica.instances
        )
        books.keep_replica(one.workload, one.index, replace(replica, instances=looked))
    return chosen


def _probers(node: str, members: dict[str, Member], ring: list[str]) -> tuple[str, ...]:
    """PROBE-2. Others of the cluster, one of each owner before a second of any, the node's own owner after the others,
    in the order of the ring from the node on."""
    at = ring.index(node) if node in ring else 0
    others = [one for one in ring[at:] + ring[:at] if one != node]
    own, met = _owner(node, members[node]), Counter[str]()
    ranked: list[tuple[int, bool, int, str]] = []
    for place, other in enumerate(others):
        owner = _owner(other, members[other])
        ranked.append((met[owner], owner == own, place, other))
        met[owner] += 1
    return tuple(sorted(other for *_, other in sorted(ranked)[:PROBERS_MAX]))


def _owner(node: str, member: Member) -> str:
    return next((label.value for label in member.labels if label.key == OWNER), f"node {node}")


def _duty(node: str, member: Member, one: Assignment, since_ms: int) -> Duty:
    return Duty(
        node=node,
        account=member.account,
        api=member.inventory[0].api,
        workload=one.workload,
        index=one.index,
        attempt=one.attempt,
        revision=one.revision,
        spec=one.spec,
        since_ms=since_ms,
    )


def _keep(books: Books, before: Inspections, after: Inspections) -> None:
    """PROBE-3. Keep the inspections; each prober finds in its share those in which it has not spoken."""
    write(books.frame.view, inspections_key(books.name), after if after != NO_INSPECTIONS else None)
    duties: dict[str, list[Duty]] = {prober: [] for one in (*before.open, *after.open) for prober in one.probers}
    for one in after.open:
        spoken = {said.prober for said in one.verdicts}
        for prober in one.probers:
            if prober not in spoken:
                duties[prober].append(one.duty)
    for prober, due in duties.items():
        share = books.share(prober)
        if share.duties != tuple(due):
            books.keep_share(prober, replace(share, duties=tuple(due)))


# --- verdicts --------------------------------------------------------------------------------------------------------


def hear_sightings(books: Books, prober: str, sightings: tuple[Sighting, ...]) -> None:
    """PROBE-5. What a prober saw counts once, in an inspection that is under way and for which it was named."""
    held = read_inspections(books.frame.view, books.name)
    seen = {(one.node, one.workload, one.index, one.attempt): one for one in sightings}
    left: list[Inspection] = []
    done: list[tuple[Inspection, str]] = []
    for one in held.open:
        duty = one.duty
        sighting = seen.get((duty.node, duty.workload, duty.index, duty.attempt))
        late = one.until_ms <= books.now_ms
        if sighting is None or late or prober not in one.probers or any(s.prober == prober for s in one.verdicts):
            left.append(one)
            continue
        said = Said(prober=prober, sight=sighting.sight, statement=sighting.statement)
        told = replace(one, verdicts=(*one.verdicts, said))
        found = verdict(told)
        if found and found != "unseen":
            done.append((told, found))
        else:
            left.append(told)
    after = replace(held, open=tuple(left))
    if after == held:
        return
    _keep(books, held, after)
    for one, found in done:
        _follow(books, one, found)


def hear_again(books: Books, node: str) -> None:
    """PROBE-7. A node of which enough saw nothing has reported once more: it lives, and has not taken back its word."""
    held = read_inspections(books.frame.view, books.name)
    over = [one for one in held.open if one.duty.node == node and verdict(one) == "unseen"]
    if over:
        _keep(books, held, replace(held, open=tuple(one for one in held.open if one not in over)))
        for one in over:
            _follow(books, one, "unseen")


def verdict(inspection: Inspection) -> str:
    """PROBE-6. What enough of the probers agree on: `seen`, `unseen`, `unwell`; `nothing` where they cannot any more;
    empty while they still may."""
    said = Counter(one.sight for one in inspection.verdicts)
    enough, silent = threshold(len(inspection.probers)), len(inspection.probers) - len(inspection.verdicts)
    for sight in ("unseen", "seen"):
        if said[sight] >= enough:
            return sight
    if said["unseen"] + silent < enough and said["unseen"] + said["unwell"] >= enough:
        return "unwell"
    return "" if silent else "nothing"


def _follow(books: Books, one: Inspection, found: str) -> None:
    """PROBE-7. What was agreed, where the node still says what was looked at."""
    duty = one.duty
    still = any(
        i.attempt == duty.attempt and i.node == duty.node and i.state == "ready" and i.since_ms <= duty.since_ms
        for i in books.replica(duty.workload, duty.index).instances
    )
    if found == "unseen" and still:
        books.say(
            NodeDoubted(
                cluster=books.name,
                node=duty.node,
                workload=duty.workload,
                index=duty.index,
                attempt=duty.attempt,
                verdicts=one.verdicts,
            )
        )
        doubt_instance(books, duty.node, duty.workload, duty.index, duty.attempt)
        _doubt(books, duty.node)
    elif found == "seen":
        _forgive(books, duty.node)
    if found != "unseen":
        _say_differences(books, one, by_all=found == "unwell" and still)


def _say_differences(books: Books, one: Inspection, *, by_all: bool = False) -> None:
    """PROBE-8. Where some saw a node well and others did not, both are named: one side is wrong, or cut off. So are all
    who were told by the node itself that it is not well."""
    if by_all or len({said.sight == "seen" for said in one.verdicts}) == 2:
        books.say(
            ProbersDiffer(
                cluster=books.name,
                node=one.duty.node,
                workload=one.duty.workload,
                index=one.duty.index,
                attempt=one.duty.attempt,
                verdicts=one.verdicts,
            )
        )


# --- doubts ----------------------------------------------------------------------------------------------------------


def _doubt(books: Books, node: str) -> None:
    """PROBE-7. A doubted node takes nothing new for a while, longer each time."""
    member, timeout = books.member(node), books.cluster().settings.heartbeat_timeout_ms
    times = sum(one.times for one in member.doubt)
    until_ms = books.now_ms + DOUBTED_TIMEOUTS * (timeout << min(times, 6))
    _keep_doubt(books, node, member, (Doubt(times=times + 1, until_ms=until_ms),))


def _forgive(books: Books, node: str) -> None:
    """PROBE-7. Who was seen well, once its time is over, was doubted once less."""
    member = books.member(node)
    for one in member.doubt:
        if not one.until_ms:
            fewer = (replace(one, times=one.times - 1),) if one.times > 1 else ()
            books.keep_member(node, replace(member, doubt=fewer))


def _end_doubts(books: Books, members: dict[str, Member]) -> int:
    """PROBE-7. Whose time is over takes replicas again. Returns when the next one's is."""
    due = NEVER
    for node, member in members.items():
        for one in member.doubt:
            if 0 < one.until_ms <= books.now_ms:
                _keep_doubt(books, node, member, (replace(one, until_ms=0),))
            elif one.until_ms:
                due = min(due, one.until_ms)
    return due


def _keep_doubt(books: Books, node: str, member: Member, doubt: tuple[Doubt, ...]) -> None:
    after = replace(member, doubt=doubt)
    books.keep_member(node, after)
    if after.state != member.state:
        books.say(NodeChanged(cluster=books.name, node=node, state=after.state))
    freed(books)
