"""Nodes of a cluster: joining, admission, marks, reports, silence."""

from msgspec.structs import replace

from metanode.docklock.cluster.agenda import changed, freed, look_again
from metanode.docklock.cluster.authority import check_operator
from metanode.docklock.cluster.books import Books
from metanode.docklock.cluster.inspections import hear_again, hear_sightings
from metanode.docklock.cluster.instances import lose, report_instance
from metanode.docklock.cluster.lifecycle import NODE_LIFE
from metanode.docklock.cluster.refusals import ClusterRefusal
from metanode.docklock.cluster.state import NEVER, Member, Share
from metanode.ledger.frame import Frame
from metanode.primitives.refusal import Rejected
from metanode.records.cluster import (
    MARKS,
    NODES_MAX,
    check_account,
    check_inventory,
    check_labels,
    check_report,
    check_sightings,
    check_taints,
)
from metanode.records.cluster_calls import ClusterAdmit, ClusterJoin, ClusterMark, ClusterReport
from metanode.records.cluster_events import NodeChanged, ReceiptsPinned
from metanode.records.demand import check_name, check_word


def _lives(member: Member, event: str) -> str:
    """CLUSTER-4. The standing after an event. Raises `Rejected` where the table has none."""
    after = NODE_LIFE.get((member.standing, event))
    if after is None:
        raise Rejected(ClusterRefusal.NODE_STATE, f"a node that is {member.state} cannot {event}")
    return after


def _keep(books: Books, node: str, before: str, member: Member) -> None:
    """Keep a node, say its state if it is another, and let who waits be tried again where it could help."""
    books.keep_member(node, member)
    if member.state != before:
        books.say(NodeChanged(cluster=books.name, node=node, state=member.state))
    freed(books)


def _enter(books: Books, node: str) -> Member:
    """A node of a new name, within the bound. Raises `Rejected`."""
    cluster = books.cluster()
    check_name("node", node)
    if len(cluster.nodes) >= NODES_MAX:
        raise Rejected(ClusterRefusal.TOO_MANY, f"a cluster has at most {NODES_MAX} nodes")
    books.keep_cluster(replace(cluster, nodes=tuple(sorted((*cluster.nodes, node)))))
    return Member(account=b"", standing="", mark="active", inventory=(), labels=(), taints=())


def join(call: ClusterJoin, frame: Frame) -> None:
    """CLUSTER-2. The sender's account is the node's identity: whoever signs for it says what the node has."""
    books = Books(frame, call.cluster)
    check_inventory(call.inventory)
    member = _found_or_new(books, call.node)
    if member.account not in (b"", frame.sender):
        raise Rejected(ClusterRefusal.OTHER_NODE, f"{call.node} belongs to another account")
    joined = replace(member, account=frame.sender, standing=_lives(member, "join"), inventory=(call.inventory,))
    _keep(books, call.node, member.state, joined)
    if joined.standing == "in" and member.standing != "in":
        _hear(books, call.node)


def _found_or_new(books: Books, node: str) -> Member:
    cluster = books.cluster()
    return books.member(node) if node in cluster.nodes else _enter(books, node)


def admit(call: ClusterAdmit, frame: Frame) -> None:
    """CLUSTER-3. An operator lets a node in, before or after it joined, and names its labels and taints."""
    books = Books(frame, call.cluster)
    check_operator(books.cluster(), frame.sender)
    check_account("the account of the node", call.account)
    check_labels(call.labels)
    check_taints(call.taints)
    member = _found_or_new(books, call.node)
    if member.account not in (b"", call.account):
        raise Rejected(ClusterRefusal.OTHER_NODE, f"{call.node} belongs to another account")
    admitted = replace(
        member, account=call.account, standing=_lives(member, "admit"), labels=call.labels, taints=call.taints
    )
    _keep(books, call.node, member.state, admitted)
    if admitted.standing == "in" and member.standing != "in":
        _hear(books, call.node)
    _look_at_replicas(books, call.node)


def _look_at_replicas(books: Books, node: str) -> None:
    """CLUSTER-21. What stands on a node that changed may have to move."""
    for workload in sorted({one.workload for one in books.share(node).assignments}):
        changed(books, workload)


def _hear(books: Books, node: str) -> None:
    """CLUSTER-10. A node that came in counts as heard, and is looked after from now on."""
    share = books.share(node)
    books.keep_share(node, replace(share, heard_ms=books.now_ms))
    look_again(books, books.now_ms + books.cluster().settings.heartbeat_timeout_ms)


def mark(call: ClusterMark, frame: Frame) -> None:
    """CLUSTER-4. Cordoned: nothing new. Draining: what runs moves. Removed: forgotten, what ran there is lost."""
    books = Books(frame, call.cluster)
    cluster = books.cluster()
    check_operator(cluster, frame.sender)
    check_word("the mark of a node", call.mark, MARKS)
    member = books.member(call.node)
    if call.mark == "removed":
        lose(books, call.node, "lost")
        books.keep_member(call.node, None)
        books.keep_share(call.node, None)
        books.keep_cluster(replace(books.cluster(), nodes=tuple(n for n in cluster.nodes if n != call.node)))
        books.say(NodeChanged(cluster=books.name, node=call.node, state="removed"))
        return
    _keep(books, call.node, member.state, replace(member, mark=call.mark, doubt=()))
    _look_at_replicas(books, call.node)


def report(call: ClusterReport, frame: Frame) -> None:
    """CLUSTER-8. A node says that it lives, what changed, and which receipts it has written."""
    books = Books(frame, call.cluster)
    check_report(call.replicas, call.receipts)
    check_sightings(call.sightings)
    member = books.member(call.node)
    if member.account != frame.sender:
        raise Rejected(ClusterRefusal.OTHER_NODE, f"{call.node} belongs to another account")
    standing = _lives(member, "report")
    share = books.share(call.node)
    if call.sequence <= share.sequence:
        raise Rejected(ClusterRefusal.STALE_REPORT, f"{call.sequence} is not above {share.sequence}")
    _pin(books, call, member.account, share)
    frame.charge(WORK_A_REPLICA * len(call.replicas) + WORK_A_SIGHTING * len(call.sightings))
    if call.receipts.count:
        share = replace(share, receipts=call.receipts.first + call.receipts.count, pinned=call.receipts)
    books.keep_share(call.node, replace(share, sequence=call.sequence, heard_ms=books.now_ms))
    if standing != member.standing:
        _keep(books, call.node, member.state, replace(member, standing=standing))
        look_again(books, books.now_ms + books.cluster().settings.heartbeat_timeout_ms)
    for one in call.replicas:
        report_instance(books, call.node, one)
    if call.sightings:
        hear_sightings(books, call.node, call.sightings)
    hear_again(books, call.node)


WORK_A_REPLICA = 40
"""A replica's state is two values."""
WORK_A_SIGHTING = 80
"""The last of an inspection rewrites the shares of its probers, and may move a replica."""


def _pin(books: Books, call: ClusterReport, account: bytes, share: Share) -> None:
    """CLUSTER-9. Receipts follow one another without gaps. Raises `Rejected`."""
    if not call.receipts.count:
        return
    if share.pinned.count and call.receipts.first != share.receipts:
        raise Rejected(ClusterRefusal.RECEIPT_GAP, f"number {call.receipts.first}, due is {share.receipts}")
    books.say(
        ReceiptsPinned(
            cluster=books.name,
            node=call.node,
            account=account,
            first=call.receipts.first,
            count=call.receipts.count,
            root=call.receipts.root,
        )
    )


def look_for_silence(books: Books) -> int:
    """CLUSTER-10. Nodes not heard within the timeout are lost, and what ran there is placed again. Returns when the
    next one would be."""
    cluster = books.cluster()
    timeout, due = cluster.settings.heartbeat_timeout_ms, NEVER
    for node in cluster.nodes:
        member = books.member(node)
        if member.standing != "in":
            continue
        silent_ms = books.share(node).heard_ms + timeout
        if silent_ms > books.now_ms:
            due = min(due, silent_ms)
            continue
        books.keep_member(node, replace(member, standing=_lives(member, "silence")))
        books.say(NodeChanged(cluster=books.name, node=node, state="lost"))
        lose(books, node, "lost")
    return due
