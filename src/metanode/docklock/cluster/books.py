"""The records of one cluster as a call or step works with them: whole values in, whole values out, each change said."""

from dataclasses import dataclass

from msgspec.structs import replace

from metanode.docklock.cluster.refusals import ClusterRefusal
from metanode.docklock.cluster.state import (
    AGENDA,
    NO_REPLICA,
    Agenda,
    Cluster,
    Member,
    Named,
    Queue,
    Replica,
    Share,
    Workload,
    cluster_key,
    member_key,
    queue_key,
    read_agenda,
    read_cluster,
    read_member,
    read_queue,
    read_replica,
    read_share,
    read_workload,
    replica_key,
    share_key,
    workload_key,
    write,
)
from metanode.ledger.frame import Frame
from metanode.primitives.refusal import Rejected
from metanode.records.receipt import Event


@dataclass(frozen=True, slots=True)
class Books:
    """One cluster's records within a frame."""

    frame: Frame
    name: str

    @property
    def now_ms(self) -> int:
        """The header's time."""
        return self.frame.block.timestamp_ms

    def say(self, event: Event) -> None:
        """It happened."""
        self.frame.events.append(event)

    # --- reading: raises `Rejected` where somebody named what is not there -------------------------------------------

    def cluster(self) -> Cluster:
        """The cluster. Raises `Rejected`."""
        found = read_cluster(self.frame.view, self.name)
        if found is None:
            raise Rejected(ClusterRefusal.UNKNOWN, self.name[:40])
        return found

    def member(self, node: str) -> Member:
        """A node. Raises `Rejected`."""
        found = read_member(self.frame.view, self.name, node)
        if found is None:
            raise Rejected(ClusterRefusal.UNKNOWN_NODE, f"{node[:40]} in {self.name}")
        return found

    def workload(self, workload: str) -> Workload:
        """A workload. Raises `Rejected`."""
        found = read_workload(self.frame.view, self.name, workload)
        if found is None:
            raise Rejected(ClusterRefusal.UNKNOWN_WORKLOAD, f"{workload[:40]} in {self.name}")
        return found

    def share(self, node: str) -> Share:
        """What a node is to do."""
        return read_share(self.frame.view, self.name, node)

    def replica(self, workload: str, index: int) -> Replica:
        """A replica, empty where there is none."""
        return read_replica(self.frame.view, self.name, workload, index)

    def queue(self) -> Queue:
        """Who waits for a node."""
        return read_queue(self.frame.view, self.name)

    # --- writing ----------------------------------------------------------------------------------------------------

    def keep_cluster(self, cluster: Cluster) -> None:
        """Replace the cluster's record."""
        write(self.frame.view, cluster_key(self.name), cluster)

    def keep_member(self, node: str, member: Member | None) -> None:
        """Replace a node's record, or forget the node."""
        write(self.frame.view, member_key(self.name, node), member)

    def keep_share(self, node: str, share: Share | None) -> None:
        """Replace what a node is to do."""
        write(self.frame.view, share_key(self.name, node), share)

    def keep_workload(self, name: str, workload: Workload | None) -> None:
        """Replace a workload, or forget it."""
        write(self.frame.view, workload_key(self.name, name), workload)

    def keep_replica(self, workload: str, index: int, replica: Replica) -> None:
        """Replace a replica; an empty one is forgotten."""
        kept = replica if replica != NO_REPLICA else None
        write(self.frame.view, replica_key(self.name, workload, index), kept)

    def keep_queue(self, queue: Queue) -> None:
        """Replace the queue; an empty one is forgotten."""
        write(self.frame.view, queue_key(self.name), queue if queue.waiting else None)
        if queue.waiting and queue.tried < len(queue.waiting):
            self.try_placing()

    # --- what the end of the block has to look at ---------------------------------------------------------------------

    def changed(self, workload: str) -> None:
        """CLUSTER-22. The workload is looked at when this block ends, or the next one that has time."""
        agenda = read_agenda(self.frame.view)
        named = Named(cluster=self.name, workload=workload)
        if named not in agenda.changed:
            self._keep(replace(agenda, changed=(*agenda.changed, named)))

    def try_placing(self) -> None:
        """CLUSTER-17. Somebody waits, and something changed: who waits is tried again."""
        agenda = read_agenda(self.frame.view)
        if self.name not in agenda.placing:
            self._keep(replace(agenda, placing=(*agenda.placing, self.name)))

    def freed(self) -> None:
        """CLUSTER-17. Room came to be, so that all who wait are tried again from the first."""
        queue = self.queue()
        if queue.waiting:
            self.keep_queue(replace(queue, tried=0))

    def look_again(self, due_ms: int) -> None:
        """CLUSTER-22. The cluster is looked at, at the latest, in the first block of this time."""
        cluster = self.cluster()
        if due_ms < cluster.due_ms:
            self.keep_cluster(replace(cluster, due_ms=due_ms))

    def _keep(self, agenda: Agenda) -> None:
        write(self.frame.view, AGENDA, agenda)
