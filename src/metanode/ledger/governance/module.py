"""The module `governance`: calls, genesis, and the bounded step that makes decisions effective after a block."""

from typing import Final

from metanode.ledger.frame import Frame
from metanode.ledger.governance.actions import apply_action, changes_seats, may_shrink, remove_seat
from metanode.ledger.governance.conviction import changes_max
from metanode.ledger.governance.state import (
    PAST_SET,
    PAST_SETS_MAX,
    Docket,
    PastSet,
    RulesSchedule,
    amend_docket,
    close_proposal,
    read_conviction,
    read_docket,
    read_past_sets,
    read_proposal,
    read_rules,
    read_validators,
    write_docket,
    write_parameters,
    write_past_sets,
    write_rules,
    write_validators,
)
from metanode.ledger.governance.voting import WORK_PROPOSE, WORK_VOTE, propose, vote
from metanode.ledger.module import Method, Module
from metanode.ledger.view import View
from metanode.primitives.codec import encode
from metanode.primitives.refusal import Rejected
from metanode.records.calls import GovernancePropose, GovernanceVote
from metanode.records.genesis import Genesis
from metanode.records.receipt import ProposalClosed, ValidatorJailed
from metanode.records.validators import ValidatorList

STEP_MAX: Final = 16
"""Proposals applied, expired and sets forgotten at the end of one block; the rest waits for the next."""


def end_of_block(frame: Frame) -> None:
    """LEDGER-V4. Convicted seats leave, approved proposals are applied, late ones expire: in order, each bounded.

    Changes to the set of one block stay below `changes_max`, those of its evidence included; what is over waits.
    """
    before = frame.block.validators
    rules = read_rules(frame.view)
    if rules.next_version and frame.block.height + 1 >= rules.next_height:
        write_rules(frame.view, RulesSchedule(version=rules.next_version, next_version=0, next_height=0))
    left = changes_max(len(before)) - (len(before) - len(read_validators(frame.view)))
    left = _remove_condemned(frame, left)
    _apply_approved(frame, left)
    _expire(frame)
    _remember_sets(frame)


def _remove_condemned(frame: Frame, left: int) -> int:
    """LEDGER-V6. Seats that were convicted and could not leave before, in order; returns the changes still allowed."""
    docket = read_docket(frame.view)
    if not docket.condemned:
        return left
    waiting: list[bytes] = []
    for vote_key in docket.condemned:
        validators = read_validators(frame.view)
        seat = validators.seats_by_vote_key.get(vote_key)
        if seat is None:
            continue  # has left by a vote, or has other keys
        conviction = read_conviction(frame.view, vote_key)
        assert conviction is not None, "who is condemned was convicted"
        if left <= 0 or not may_shrink(frame):
            waiting.append(vote_key)
            continue
        left -= 1
        remove_seat(frame, seat)
        name = validators[seat].name
        frame.events.append(ValidatorJailed(name=name, evidence=conviction.evidence, removed=True))
    if tuple(waiting) != docket.condemned:
        amend_docket(frame.view, condemned=tuple(waiting))
    return left


def _apply_approved(frame: Frame, left: int) -> None:
    """LEDGER-V3. Approved proposals in the order of their approval; one that has become impossible is void."""
    docket = read_docket(frame.view)
    done = 0
    for number in docket.approved[:STEP_MAX]:
        proposal = read_proposal(frame.view, number)
        assert proposal is not None, "what waits is kept"
        if changes_seats(proposal.action):
            if left <= 0:
                break
            left -= 1
        outcome = "applied"
        try:
            apply_action(frame, proposal.action)
        except Rejected as refused:
            outcome = f"void {refused.reason}"
        close_proposal(frame.view, number, outcome)
        frame.events.append(ProposalClosed(proposal=number, outcome=outcome))
        done += 1
    if done:
        amend_docket(frame.view, approved=docket.approved[done:])


def _expire(frame: Frame) -> None:
    """LEDGER-V1. Proposals that nobody finished in time are closed, oldest first."""
    docket = read_docket(frame.view)
    expired = 0
    for entry in docket.open[:STEP_MAX]:
        if entry.expires_ms > frame.block.timestamp_ms:
            break
        close_proposal(frame.view, entry.number, "expired")
        frame.events.append(ProposalClosed(proposal=entry.number, outcome="expired"))
        expired += 1
    if expired:
        amend_docket(frame.view, still_open=docket.open[expired:])


def _remember_sets(frame: Frame) -> None:
    """LEDGER-V7. A replaced set is kept for the evidence period: liars are convicted by the keys they had."""
    before = frame.block.validators
    current = read_validators(frame.view)
    sets = read_past_sets(frame.view)
    kept = sets
    horizon = frame.block.timestamp_ms - frame.block.parameters.evidence_period_ms
    for past in sets[:STEP_MAX]:
        if past.replaced_ms >= horizon:
            break
        kept = kept[1:]
    if current.hash != before.hash:
        kept = tuple(past for past in kept if past.validators_hash not in (before.hash, current.hash))
        kept = (*kept, PastSet(validators_hash=before.hash, replaced_ms=frame.block.timestamp_ms))[-PAST_SETS_MAX:]
        data = encode(ValidatorList(version=1, validators=before.validators))
        frame.view.put(PAST_SET + before.hash, data)
    if kept != sets:
        remembered = {past.validators_hash for past in kept}
        for past in sets:
            if past.validators_hash not in remembered:
                frame.view.put(PAST_SET + past.validators_hash, None)
        write_past_sets(frame.view, kept)


def genesis_governance(genesis: Genesis, view: View) -> None:
    """LEDGER-G1. Parameters, rules, the first set, empty queues."""
    write_parameters(view, genesis.parameters)
    write_rules(view, RulesSchedule(version=genesis.rules_version, next_version=0, next_height=0))
    write_validators(view, genesis.validators)
    write_docket(view, Docket(next_number=1, open=(), approved=(), condemned=()))
    write_past_sets(view, ())


GOVERNANCE: Final = Module(
    name="governance",
    methods={
        GovernancePropose: Method(WORK_PROPOSE, propose),
        GovernanceVote: Method(WORK_VOTE, vote),
    },
    genesis=genesis_governance,
    end_of_block=end_of_block,
)
"""Validators, parameters and rules, by Q validators."""
