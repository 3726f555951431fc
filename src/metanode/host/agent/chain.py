"""What the agent needs of the chain, handed in by whoever starts it: proved values and a way to speak."""

from dataclasses import dataclass
from typing import Protocol

from metanode.docklock.cluster.signed import AboutImage
from metanode.docklock.cluster.state import Cluster, Member, Share
from metanode.records.calls import Call
from metanode.records.pinned_batch import PinnedBatch
from metanode.records.workload import Terms


@dataclass(frozen=True, slots=True)
class ProvedShare:
    """A share under a header that was followed from genesis: its height and time, the cluster's record beside it."""

    height: int
    header_ms: int
    cluster: Cluster
    share: Share


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a transaction: the height at which it is final, and its code (empty: it succeeded)."""

    height: int
    code: str


class ChainUnreachable(Exception):
    """No chain node answers, or none tells the truth: what runs goes on, nothing new begins."""


class ChainPort(Protocol):
    """Calls block: the agent makes them in threads, one at a time of each kind. All raise `ChainUnreachable`."""

    def wait(self, above: int) -> int:
        """The head, once it is above a height; sooner or later also without."""

    def share(self) -> ProvedShare:
        """What this node is to do, proved at the head."""

    def terms(self, workload: str, revision: int) -> Terms:
        """The terms of a revision, proved. Raises `Rejected` where the state does not have it."""

    def about_image(self, image: bytes) -> AboutImage:
        """Whether an operator admitted an image, and who has signed it, proved."""

    def submit(self, call: Call) -> Outcome:
        """Sign, send and wait until it is final."""

    def pinning(self, number: int, above: int) -> PinnedBatch | None:
        """The batch that holds this node's entry of this number, with the proof that it is pinned, verified; looked for
        above a height. `None` where it is not pinned there."""

    def settled(self) -> tuple[Cluster, frozenset[bytes]]:
        """The cluster's record and the accounts of its nodes, as they were last proved."""

    def neighbour(self, node: str) -> tuple[Member | None, Share]:
        """Another node of the cluster, and all that it is to do, proved under one header."""

    def close(self) -> None:
        """Whoever waits comes back at once."""

    def agents(self) -> tuple[str, ...]:
        """Where the other nodes of the cluster answer, `host:port`: proved once, and again when nodes change."""
