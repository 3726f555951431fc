"""Putting an action to the vote, voting, and when enough have."""

from collections.abc import Sequence
from typing import Final

from metanode.ledger.frame import Frame
from metanode.ledger.governance.actions import check_action, possession_of
from metanode.ledger.governance.refusals import GovernanceRefusal
from metanode.ledger.governance.state import (
    PROPOSALS_MAX,
    PROPOSALS_PER_OPERATOR_MAX,
    Docket,
    OpenProposal,
    Proposal,
    amend_docket,
    read_docket,
    read_proposal,
    read_validators,
    write_docket,
    write_proposal,
)
from metanode.primitives.refusal import Rejected
from metanode.records.calls import GovernancePropose, GovernanceVote
from metanode.records.receipt import ProposalClosed, Proposed, Voted
from metanode.records.validators import ValidatorSet

WORK_PROPOSE: Final = 300
"""A proposal stays in the state until it is closed."""
WORK_POSSESSION: Final = 3_000
"""Checking a proof of possession: two pairings and a hash to the curve, about three milliseconds."""
WORK_VOTE: Final = 200
"""A vote rewrites its proposal."""


def seats_of(validators: ValidatorSet, operators: Sequence[bytes]) -> int:
    """LEDGER-V2. The seats that these operators speak for now."""
    return sum(1 for validator in validators.validators if validator.operator in operators)


def _check_operator(frame: Frame) -> ValidatorSet:
    validators = read_validators(frame.view)
    if not seats_of(validators, (frame.sender,)):
        raise Rejected(GovernanceRefusal.NOT_AN_OPERATOR, "only operators of validators propose and vote")
    return validators


def propose(call: GovernancePropose, frame: Frame) -> None:
    """LEDGER-V1. An operator puts an action that could be applied now to the vote, and approves it by that."""
    _check_operator(frame)
    docket = read_docket(frame.view)
    own = sum(1 for entry in docket.open if entry.proposer == frame.sender)
    if own >= PROPOSALS_PER_OPERATOR_MAX or len(docket.open) + len(docket.approved) >= PROPOSALS_MAX:
        raise Rejected(GovernanceRefusal.TOO_MANY_PROPOSALS, f"{own} are open, at most {PROPOSALS_PER_OPERATOR_MAX}")
    check_action(frame, call.action)
    claim = possession_of(call.action)
    if claim is not None:
        frame.charge(WORK_POSSESSION)
        if not frame.block.mathematics.verify_possession(*claim):
            raise Rejected(GovernanceRefusal.BAD_POSSESSION, "the proof does not fit the BLS key")
    number = docket.next_number
    proposal = Proposal(
        proposer=frame.sender,
        action=call.action,
        expires_ms=frame.block.timestamp_ms + frame.block.parameters.proposal_period_ms,
        approving=(),
        opposing=(),
        outcome="",
    )
    write_proposal(frame.view, number, proposal)
    entry = OpenProposal(number=number, proposer=frame.sender, expires_ms=proposal.expires_ms)
    longer = Docket(
        next_number=number + 1,
        open=(*docket.open, entry),
        approved=docket.approved,
        condemned=docket.condemned,
    )
    write_docket(frame.view, longer)
    frame.events.append(Proposed(proposal=number, proposer=frame.sender))
    frame.results.append(number.to_bytes(8, "big"))
    _cast(frame, number, proposal, approve=True)


def vote(call: GovernanceVote, frame: Frame) -> None:
    """LEDGER-V2. An operator votes once on an open proposal that has not expired."""
    _check_operator(frame)
    proposal = read_proposal(frame.view, call.proposal)
    if proposal is None or proposal.outcome:
        raise Rejected(GovernanceRefusal.NOT_OPEN, f"proposal {call.proposal}")
    if proposal.expires_ms <= frame.block.timestamp_ms:
        raise Rejected(GovernanceRefusal.EXPIRED, f"proposal {call.proposal} at {proposal.expires_ms}")
    if frame.sender in proposal.approving or frame.sender in proposal.opposing:
        raise Rejected(GovernanceRefusal.VOTED_ALREADY, f"proposal {call.proposal}")
    _cast(frame, call.proposal, proposal, approve=call.approve)


def _cast(frame: Frame, number: int, proposal: Proposal, *, approve: bool) -> None:
    """LEDGER-V2. Approved by the operators of Q seats; rejected when Q can no longer be reached."""
    approving = (*proposal.approving, frame.sender) if approve else proposal.approving
    opposing = proposal.opposing if approve else (*proposal.opposing, frame.sender)
    frame.events.append(Voted(proposal=number, voter=frame.sender, approve=approve))
    validators = read_validators(frame.view)
    docket = read_docket(frame.view)
    still_open = tuple(entry for entry in docket.open if entry.number != number)
    outcome = ""
    if seats_of(validators, approving) >= validators.quorum:
        outcome = "approved"
        amend_docket(frame.view, still_open=still_open, approved=(*docket.approved, number))
    elif seats_of(validators, opposing) > len(validators) - validators.quorum:
        outcome = "rejected"
        amend_docket(frame.view, still_open=still_open)
        frame.events.append(ProposalClosed(proposal=number, outcome=outcome))
    voted = Proposal(
        proposer=proposal.proposer,
        action=proposal.action,
        expires_ms=proposal.expires_ms,
        approving=approving,
        opposing=opposing,
        outcome=outcome,
    )
    write_proposal(frame.view, number, voted)
