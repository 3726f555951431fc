"""The records of one cluster as a call or step works with them: whole values in, whole values out, each change said."""

from dataclasses import dataclass

from metanode.docklock.cluster.refusals import ClusterRefusal
from metanode.docklock.cluster.state import (
    NO_REPLICA,
    Cluster,
    Member,
    Replica,
    Share,
    Workload,
    cluster_key,
    member_key,
    read_cluster,
    read_member,
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
