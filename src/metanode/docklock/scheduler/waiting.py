"""Who waits comes in turn, and who stands must leave only for a reason."""

from typing import Final, TypeAlias

from metanode.docklock.scheduler.filters import untolerated
from metanode.docklock.scheduler.telling import taint_text
from metanode.docklock.scheduler.values import NodeView
from metanode.records.demand import Demand

POINT_MS: Final = 1_000
"""PLACE-36. What a point of priority is worth in waiting: the highest is ahead of the lowest by 17 minutes."""
VAIN_MS: Final = 1_000
"""PLACE-36. How far back a trial in vain sends who waits, so that others are tried between two of his trials."""

Turn: TypeAlias = tuple[int, int, str, int, int]
"""Ascending: virtual time, since when, workload, index, attempt."""


def turn(priority: int, since_ms: int, vain: int, workload: str, index: int, attempt: int) -> Turn:
    """PLACE-36. When somebody who waits since `since_ms`, tried `vain` times without success, is tried again."""
    return since_ms + VAIN_MS * vain - POINT_MS * priority, since_ms, workload, index, attempt


def must_leave(node: NodeView, demand: Demand) -> str:
    """PLACE-35. Why a replica with this demand may not stay where it stands; empty where it may."""
    if node.leaving:
        return f"{node.name} is {node.barred or 'to be empty'}"
    hard = untolerated(demand, (taint for taint in node.taints if taint.effect == "no-execute"))
    return f"{node.name} has the taint {taint_text(hard[0])}" if hard else ""
