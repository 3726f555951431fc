"""When a block is due."""

from typing import Final

from metanode.chain import ibft
from metanode.chain.proposal import due_ms
from metanode.node.desk import Desk
from metanode.node.effects import SetTimer

DUE: Final = "node/due"
"""The timer of the next block."""


def pace(desk: Desk) -> None:
    """PROP-8. Set the timer for the block of this height, or say at once that it is due. A proposer may date its block
    ahead by `drift_ms`, and clocks may be set back: nobody waits longer than the period for either."""
    if not desk.booted:
        return
    waiting, parameters = desk.ready or bool(desk.evidence), desk.tip.parameters
    began_ms = min(desk.tip.timestamp_ms, desk.applied_ms)
    wait = min(due_ms(began_ms, parameters, waiting=waiting) - desk.now_ms, due_ms(0, parameters, waiting=waiting))
    if wait <= 0:
        desk.tell("ibft", ibft.BlockDue(desk.now_ms))
    else:
        desk.emit(SetTimer(DUE, wait))


def due(desk: Desk) -> None:
    """The timer fired."""
    desk.tell("ibft", ibft.BlockDue(desk.now_ms))
