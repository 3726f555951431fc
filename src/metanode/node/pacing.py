"""When a block is due."""

from typing import Final

from metanode.chain import ibft
from metanode.chain.proposal import due_ms
from metanode.node.desk import NO_SEAT, Desk
from metanode.node.effects import SetTimer

DUE: Final = "node/due"
"""The timer of the next block."""
CREDIT: Final = "node/credit"
"""The timer half-way there, of the seat that is to propose it."""


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
        return
    desk.emit(SetTimer(DUE, wait))
    if _proposes_next(desk):
        desk.emit(SetTimer(CREDIT, wait // 2))


def fired(desk: Desk, timer: str) -> None:
    """One of the two ran out. IBFT-C3: half-way to its block a proposer credits the COMMITs that came too late for the
    decision; before, they may still be on their way, and at the end there is no time to check them."""
    desk.tell("ibft", ibft.BlockDue(desk.now_ms) if timer == DUE else ibft.CreditLate(desk.now_ms))


def _proposes_next(desk: Desk) -> bool:
    tip = desk.tip
    proposer = tip.header[0].proposer if tip.header else NO_SEAT
    return desk.seat == ibft.first_leader(tip.previous_validators, proposer, tip.validators)
