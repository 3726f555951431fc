"""What the mesh needs of the chain, handed in by whoever starts the agent."""

from typing import Protocol

from metanode.docklock.mesh.services import Node, Served


class MeshPort(Protocol):
    """Calls block: the mesh makes them in threads of its own. All raise `ChainUnreachable`."""

    def nodes(self) -> tuple[Node, ...]:
        """MESH-8. The other nodes of the cluster that were let in, as proved."""

    def services(self) -> tuple[int, tuple[Served, ...]]:
        """MESH-4. The services of the cluster as a chain node tells them, and the height it tells them of."""

    def caller(self, workload: str, revision: int, node: str) -> tuple[str, ...]:
        """MESH-9. The networks of a workload by a revision of its terms, where it stands on a node: both proved. Raises
        `Rejected` with NOT_PLACED."""

    def may_ask(self, account: bytes) -> bool:
        """MESH-9. Whether an account operates the cluster, by its record as last proved."""
