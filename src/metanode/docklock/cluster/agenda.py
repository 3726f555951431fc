"""What the end of a block has to look at, and who waits for a node."""

from msgspec.structs import replace

from metanode.docklock.cluster.books import Books
from metanode.docklock.cluster.state import AGENDA, Agenda, Named, Queue, queue_key, read_agenda, read_queue, write


def changed(books: Books, workload: str) -> None:
    """CLUSTER-22. The workload is looked at when this block ends, or the next one that has time."""
    agenda = read_agenda(books.frame.view)
    named = Named(cluster=books.name, workload=workload)
    if named not in agenda.changed:
        _keep(books, replace(agenda, changed=(*agenda.changed, named)))


def look_again(books: Books, due_ms: int) -> None:
    """CLUSTER-22. The cluster is looked at, at the latest, in the first block of this time."""
    cluster = books.cluster()
    if due_ms < cluster.due_ms:
        books.keep_cluster(replace(cluster, due_ms=due_ms))


def queue_of(books: Books) -> Queue:
    """Who waits for a node."""
    return read_queue(books.frame.view, books.name)


def keep_queue(books: Books, queue: Queue) -> None:
    """CLUSTER-17. Replace the queue, an empty one is forgotten; while somebody in it was not tried, the end of a block
    looks at it."""
    write(books.frame.view, queue_key(books.name), queue if queue.waiting else None)
    agenda = read_agenda(books.frame.view)
    if books.name not in agenda.placing and any(not one.tried for one in queue.waiting):
        _keep(books, replace(agenda, placing=(*agenda.placing, books.name)))


def freed(books: Books) -> None:
    """CLUSTER-17. Room came to be, or something else changed: all who wait are tried again."""
    queue = queue_of(books)
    if any(one.tried for one in queue.waiting):
        keep_queue(books, Queue(waiting=tuple(replace(one, tried=False) for one in queue.waiting)))


def _keep(books: Books, agenda: Agenda) -> None:
    write(books.frame.view, AGENDA, agenda)
