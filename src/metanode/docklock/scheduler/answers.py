"""What placement answers."""

from dataclasses import dataclass

from metanode.docklock.scheduler.values import Replica
from metanode.records.placement import Reason


@dataclass(frozen=True, slots=True)
class Placed:
    """PLACE-4. The node, and its total."""

    node: str
    total: int


@dataclass(frozen=True, slots=True)
class Unplaced:
    """PLACE-4. No node; how many of them each filter was the first to turn away, by rule."""

    reasons: tuple[Reason, ...]


@dataclass(frozen=True, slots=True)
class Preempted:
    """PLACE-32. The node, and who must leave it first, by name."""

    node: str
    victims: tuple[Replica, ...]
