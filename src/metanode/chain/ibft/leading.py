"""Changing rounds together, and leading one."""

from metanode.chain.ibft.events import Broadcast, Build
from metanode.chain.ibft.journal import Proposed
from metanode.chain.ibft.messages import Proposal, RoundChange
from metanode.chain.ibft.moves import (
    answer_with_own_round_change,
    holders_of,
    journal,
    move,
    want,
)
from metanode.chain.ibft.schedule import highest_supported
from metanode.chain.ibft.state import NO_JUSTIFICATION, HeightState, Lead, Recorded
from metanode.chain.ibft.voting import hold, journal_content, on_proposal
from metanode.primitives.names import NO_HASH, Hash, Round, Seat
from metanode.records.proposal import ProposalContent
from metanode.records.vote import NO_ROUND, Justification, Vote, VoteKind, justification_digest


def on_round_change(state: HeightState, message: RoundChange) -> None:
    """IBFT-V2, V3, V5. A ROUND-CHANGE whose certificate was checked, ours or another's."""
    vote, seat = message.vote, Seat(message.vote.seat)
    if state.keeps(VoteKind.ROUND_CHANGE, vote.round) and state.record(vote) is not Recorded.FIRST:
        return
    state.watch(vote)
    known = state.latest.get(seat)
    if known is None or vote.round > known.vote.round:
        state.latest[seat] = message
    if vote.round < state.round:
        answer_with_own_round_change(state, seat)
        return
    if state.keeps(VoteKind.ROUND_CHANGE, vote.round):
        state.changes.setdefault(vote.round, {})[seat] = message
    _jump(state)
    lead_round(state)


def _jump(state: HeightState) -> None:
    """IBFT-V2. f+1 seats are beyond this round, so an honest one is: go to the lowest of the f+1 furthest."""
    ahead = [change.vote.round for change in state.latest.values() if change.vote.round > state.round]
    if len(ahead) > state.validators.faults:
        move(state, highest_supported(ahead, state.validators.faults), announce=True)


def lead_first_round(state: HeightState) -> None:
    """IBFT-P2. The leader of round 0 builds as soon as a block is due."""
    if state.round == 0 and state.leads and not state.observes and state.lead is None and 0 not in state.proposed:
        state.lead = Lead(NO_JUSTIFICATION, NO_HASH)
        state.out.append(Build(state.height, Round(0)))


def lead_round(state: HeightState) -> None:
    """IBFT-V3, IBFT-P4, IBFT-P5. Q ROUND-CHANGEs to the round this seat leads: propose, once, the highest value
    prepared among them, or a fresh one where there is none. Each was kept only after its certificate was checked."""
    changes = state.changes.get(state.round, {})
    mine = state.round > 0 and state.leads and not state.observes
    if not mine or state.lead is not None or state.round in state.proposed or len(changes) < state.quorum:
        return
    highest = _highest(list(changes.values()))
    certificates = highest.certificates
    others = [seat for seat in sorted(changes) if seat != highest.vote.seat]
    seats = sorted([Seat(highest.vote.seat), *others[: state.quorum - 1]])
    chosen = tuple(changes[seat].vote for seat in seats)
    state.lead = Lead(Justification(round_changes=chosen, certificates=certificates), NO_HASH)
    if not certificates:
        state.out.append(Build(state.height, state.round))
        return
    header_hash = Hash(highest.vote.header_hash)
    state.lead.header_hash = header_hash
    content = state.contents.get(header_hash)
    if content is None:
        want(state, header_hash, holders_of(state, certificates[0]))
        return
    hold(state, content, header_hash, state.seat, reproposed=True)
    propose(state)


def _highest(changes: list[RoundChange]) -> RoundChange:
    """The ROUND-CHANGE with the highest prepared round; the first by seat where several have it."""
    best = min(changes, key=lambda c: c.vote.seat)
    for change in sorted(changes, key=lambda c: c.vote.seat):
        prepared, most = change.vote.prepared_round, best.vote.prepared_round
        if prepared != NO_ROUND and (most == NO_ROUND or prepared > most):
            best = change
    return best


def on_built(state: HeightState, round_: Round, content: ProposalContent, header_hash: Hash) -> None:
    """IBFT-P8. Our own block goes before the same judge as anybody's."""
    if state.observes or state.lead is None or round_ != state.round or state.lead.header_hash != NO_HASH:
        return
    state.lead.header_hash = header_hash
    hold(state, content, header_hash, state.seat, reproposed=False)
    propose(state)


def propose(state: HeightState) -> None:
    """IBFT-P9. The block we lead with is valid: durable, then signed; after a restart it is this one again."""
    lead = state.lead
    if state.observes or lead is None or lead.signing or lead.header_hash not in state.valid:
        return
    if lead.header_hash not in state.contents:
        return
    lead.signing = True
    state.proposed[state.round] = (lead.header_hash, lead.justification)
    journal_content(state, lead.header_hash)
    hash_, why = lead.header_hash, lead.justification
    journal(state, Proposed(height=state.height, round=state.round, header_hash=hash_, justification=why))
    state.sign(VoteKind.PROPOSAL, lead.header_hash, attachment=justification_digest(lead.justification))


def on_signed_proposal(state: HeightState, vote: Vote) -> None:
    """Our proposal goes out, and in by the same door."""
    header_hash, justification = state.proposed[vote.round]
    content = state.contents.get(header_hash)
    if vote.round != state.round or content is None:
        return
    message = Proposal(vote=vote, content=content, justification=justification)
    state.own[vote.kind] = message
    state.out.append(Broadcast(message))
    state.spoken.append(vote)
    on_proposal(state, message, state.seat)


def on_signed_round_change(state: HeightState, vote: Vote) -> None:
    """Our ROUND-CHANGE goes out and counts."""
    message = RoundChange(vote=vote, certificates=state.requested.get((vote.kind, vote.round), ()))
    state.own[vote.kind] = message
    state.out.append(Broadcast(message))
    on_round_change(state, message)
