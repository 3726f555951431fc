"""Placement: which node runs which replica, the same for all who compute it, and why."""

from metanode.docklock.scheduler.answers import Placed, Preempted, Unplaced
from metanode.docklock.scheduler.explaining import inputs_of, why, why_of
from metanode.docklock.scheduler.fleet import Fleet
from metanode.docklock.scheduler.plain import place_plainly
from metanode.docklock.scheduler.preemption import preempt
from metanode.docklock.scheduler.scheduling import Scheduler
from metanode.docklock.scheduler.values import ALL_INPUTS, STANDING_MAX, Inputs, Newcomer, NodeView, Replica
from metanode.docklock.scheduler.waiting import must_leave, turn

__all__ = [
    "ALL_INPUTS",
    "STANDING_MAX",
    "Fleet",
    "Inputs",
    "Newcomer",
    "NodeView",
    "Placed",
    "Preempted",
    "Replica",
    "Scheduler",
    "Unplaced",
    "inputs_of",
    "must_leave",
    "place_plainly",
    "preempt",
    "turn",
    "why",
    "why_of",
]
