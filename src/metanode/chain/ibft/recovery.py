"""Folding one's own journal, and asking again for what was due when the machine stopped."""

from typing import assert_never

from metanode.chain.guard import STEPS
from metanode.chain.ibft.events import NO_SEAT
from metanode.chain.ibft.journal import Accepted, Held, Locked, Moved, Proposed, Record, Settled, Spoke
from metanode.chain.ibft.leading import lead_first_round, lead_round
from metanode.chain.ibft.messages import Ballot, Proposal
from metanode.chain.ibft.moves import enter, journal, sign_round_change, speak_again, start_timers
from metanode.chain.ibft.state import HeightState, Lead
from metanode.chain.ibft.voting import certify, count_again, hold, is_prepared_here, journal_content
from metanode.primitives.names import NO_HASH, Hash, Round
from metanode.records.header import read_header
from metanode.records.vote import Vote, VoteKind, justification_digest


def replay(state: HeightState, record: Record) -> None:
    """IBFT-V7, P9. One step of our own, taken again in memory; records of other heights do not matter."""
    if record.height != state.height:
        return
    match record:
        case Held(content=content):
            header_hash = read_header(content.header).hash
            state.contents[header_hash] = content
            state.held[header_hash] = True
        case Proposed(round=round_, header_hash=header_hash, justification=justification):
            _reach(state, round_)
            state.proposed[round_] = (Hash(header_hash), justification)
            _reached(state, round_, VoteKind.PROPOSAL)
        case Accepted(round=round_, header_hash=header_hash):
            _reach(state, round_)
            state.accepted = Hash(header_hash)
            _reached(state, round_, VoteKind.PREPARE)
        case Locked(certificate=certificate):
            _reach(state, certificate.round)
            state.prepared = certificate
            _reached(state, certificate.round, VoteKind.COMMIT)
        case Moved(round=round_, announced=announced):
            enter(state, Round(round_), announced=announced)
            _reached(state, round_, VoteKind.ROUND_CHANGE)
        case Spoke(vote=vote):
            _own_again(state, vote)
            count_again(state, vote)
        case Settled(commit=commit):
            state.settled, state.certified = True, commit
        case _:
            assert_never(record)


def _reach(state: HeightState, round_: int) -> None:
    if round_ > state.round:
        enter(state, Round(round_), announced=False)


def _reached(state: HeightState, round_: int, kind: VoteKind) -> None:
    """GUARD-10. How far the journal goes: a seat taken anew writes earlier steps of the round again, behind later."""
    state.reached = max(state.reached, (round_, STEPS[kind]))


def _own_again(state: HeightState, vote: Vote) -> None:
    """A vote signed before the stop is sent again (IBFT-V4)."""
    if vote.kind in (VoteKind.PREPARE, VoteKind.COMMIT):
        state.own[vote.kind] = Ballot(vote=vote)
    elif vote.kind == VoteKind.PROPOSAL and vote.round in state.proposed:
        header_hash, justification = state.proposed[vote.round]
        content = state.contents.get(header_hash)
        if content is not None:
            state.own[vote.kind] = Proposal(vote=vote, content=content, justification=justification)


def resume(state: HeightState) -> None:
    """IBFT-P9, R1, R2, V1. Have every content judged again that a step named, and ask for the last signature due.

    The guard gives the same signature for the same words, and refuses anything older: so only the last is asked for.
    """
    if state.settled:
        _resume_settled(state)
        return
    started = bool(state.round or state.accepted != NO_HASH or state.proposed or state.due)
    for header_hash, content in list(state.contents.items()):
        hold(state, content, Hash(header_hash), state.seat, reproposed=True)
    if not started:
        return
    start_timers(state)
    if state.seat == NO_SEAT:
        return
    speak_again(state)
    if state.prepared is not None and is_prepared_here(state):
        state.sign(VoteKind.COMMIT, state.prepared.header_hash)
    elif state.accepted != NO_HASH:
        state.sign(VoteKind.PREPARE, state.accepted)
    elif state.round in state.proposed:
        _propose_again(state)
    elif state.announced:
        sign_round_change(state)


def _propose_again(state: HeightState) -> None:
    """IBFT-P9. The block that was durable before the stop, and no other."""
    header_hash, justification = state.proposed[state.round]
    state.lead = Lead(justification, header_hash, signing=True)
    state.sign(VoteKind.PROPOSAL, header_hash, attachment=justification_digest(justification))


def _resume_settled(state: HeightState) -> None:
    """IBFT-C2. The height is decided: only the block may have to be found again."""
    commit, state.certified = state.certified, None
    assert commit is not None, "settled means certified"
    certify(state, commit, [])
    start_timers(state)


def take_seat(state: HeightState) -> None:
    """GUARD-9. An observer that may vote from now on: what it saw happen it now says, each step durable first; also the
    certificate of a lower round, which its ROUND-CHANGEs show from now on (IBFT-P7)."""
    if not state.due:
        return
    state.resend_timer = ""
    start_timers(state)
    if state.prepared is not None and not is_prepared_here(state):
        journal_content(state, Hash(state.prepared.header_hash))
        journal(state, Locked(height=state.height, certificate=state.prepared))
    if state.accepted != NO_HASH:
        journal_content(state, state.accepted)
        journal(state, Accepted(height=state.height, round=state.round, header_hash=state.accepted))
        state.sign(VoteKind.PREPARE, state.accepted)
    elif state.round in state.proposed:
        _propose_again(state)
    elif state.round > 0:
        journal(state, Moved(height=state.height, round=state.round, announced=True))
        state.announced = True
        sign_round_change(state)
    if state.prepared is not None and is_prepared_here(state):
        journal(state, Locked(height=state.height, certificate=state.prepared))
        state.sign(VoteKind.COMMIT, state.prepared.header_hash)
    lead_first_round(state)
    lead_round(state)
