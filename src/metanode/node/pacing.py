"""When a block is due."""

from typing import Final

from metanode.chain import ibft
from metanode.chain.proposal import due_ms
from metanode.node.desk import Desk
from metanode.node.effects import SetTimer

DUE: Final = "node/due"
"""The timer of the next block."""


def pace(desk: Desk) -> None:
    """PROP: set the timer for the block of this height, or say at once that it is due."""
    if not desk.booted:
        return
    tip, parameters = desk.tip, desk.tip.parameters
    wait = due_ms(tip.timestamp_ms, parameters, waiting=desk.ready or bool(desk.evidence)) - desk.now_ms
    if wait <= 0:
        desk.tell("ibft", ibft.BlockDue(desk.now_ms))
    else:
        desk.emit(SetTimer(DUE, wait))


def due(desk: Desk) -> None:
    """The timer fired."""
    desk.tell("ibft", ibft.BlockDue(desk.now_ms))
