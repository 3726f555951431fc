"""Propose, prepare, commit, decide: what one seat does with checked messages of its height."""

from metanode.chain.bls import ENVELOPES_MAX, ShareRequest
from metanode.chain.ibft.collecting import say, show_decided, show_prepared
from metanode.chain.ibft.events import (
    NO_SEAT,
    Blame,
    CheckShares,
    Decide,
    Diverged,
    SendTo,
    SharesChecked,
    Validate,
    Validated,
)
from metanode.chain.ibft.journal import Accepted, Held, Locked, Settled
from metanode.chain.ibft.messages import Ballot, Prepared, Proposal
from metanode.chain.ibft.moves import (
    holders_of,
    journal,
    move,
    start_timers,
    stop_timers,
    want,
)
from metanode.chain.ibft.rules import IbftRefusal
from metanode.chain.ibft.state import HeightState, Recorded, hold_all_against
from metanode.primitives.bitmap import decode as decode_bitmap
from metanode.primitives.bitmap import encode as encode_bitmap
from metanode.primitives.names import NO_HASH, Hash, Round, Seat
from metanode.records.commit import PREPARED_BY_AGGREGATE, PREPARED_BY_ENVELOPES, BlsCommit, PreparedCertificate
from metanode.records.proposal import ProposalContent
from metanode.records.vote import Vote, VoteKind


def on_proposal(state: HeightState, message: Proposal, origin: Seat) -> None:
    """IBFT-P6. A checked, justified proposal: for this round if nothing was taken up yet, or for a higher one.

    A higher one proves that a quorum went there, so this seat goes too, keeping what it prepared (IBFT-P7). `origin`
    brought it, and answers for its sections, which the leader's signature covers only by the header. After a restart it
    may be the one that was accepted before: then it is kept to be shown (M5), and shows that a quorum is here (V8).
    """
    vote = message.vote
    if state.record(vote) is Recorded.CONFLICT or vote.round < state.round or state.decided:
        return
    if vote.round > state.round:
        move(state, Round(vote.round), announce=False)
    start_timers(state, proven=True)
    if state.candidate is not None or state.accepted not in (NO_HASH, vote.header_hash):
        return
    state.candidate = message
    if message.justification.round_changes:
        state.justifications.append(message.justification)
    for prepare in list(state.votes.get((VoteKind.PREPARE, vote.round), {}).values()):
        show_other_proposal(state, prepare)
    carried = bool(message.justification.certificates)
    hold(state, message.content, Hash(vote.header_hash), origin, reproposed=carried)
    accept(state)


def hold(state: HeightState, content: ProposalContent, header_hash: Hash, source: Seat, *, reproposed: bool) -> None:
    """IBFT-P8. Keep a content and have it judged, once: our own by the same judge as anybody's.

    `source` brought it; its body is asked for where it is proposed. `reproposed`: Q seats prepared it before, so nobody
    judges its time again.
    """
    state.contents.setdefault(header_hash, content)
    state.wanted.pop(header_hash, None)
    if header_hash in state.valid or header_hash in state.validating:
        return
    state.validating[header_hash] = (reproposed, source)
    proposers = _proposers(state, header_hash) or [source]
    state.out.append(Validate(content, header_hash, state.height, state.round, proposers[0], reproposed))


def on_validated(state: HeightState, event: Validated) -> None:
    """A verdict. A block that was judged by its time while a quorum prepared it is judged once more, without."""
    header_hash = event.header_hash
    carried, source = state.validating.pop(header_hash, (True, NO_SEAT))
    if event.valid:
        if header_hash in state.contents:  # else it was forgotten meanwhile, and is judged again should it come back
            state.valid[header_hash] = True
        return
    content = state.contents.pop(header_hash, None)
    commit = state.certified
    if event.foreign:
        state.out.append(Blame(source, IbftRefusal.UNFIT_BLOCK, event.refusal))
        _want_elsewhere(state, header_hash, source)
    elif commit is None or commit.header_hash != header_hash:
        _turn_down(state, header_hash, event.refusal)
    elif carried:
        state.out.append(Diverged(state.height, header_hash, event.refusal))
    elif content is not None:  # else it was forgotten meanwhile, and has been asked for again since it is certified
        hold(state, content, header_hash, NO_SEAT, reproposed=True)


def _want_elsewhere(state: HeightState, header_hash: Hash, source: Seat) -> None:
    """The sections were not the header's: whoever delivered them lied, and another seat may hold the right ones."""
    seats = _proposers(state, header_hash) + [Seat(seat) for seat in range(len(state.validators))]
    want(state, header_hash, [seat for seat in dict.fromkeys(seats) if seat != source])


def _proposers(state: HeightState, header_hash: bytes) -> list[Seat]:
    """Who proposes this in the current round, if anybody does."""
    candidate = state.candidate
    found = candidate is not None and candidate.vote.header_hash == header_hash
    return [Seat(candidate.vote.seat)] if candidate is not None and found else []


def is_carried(state: HeightState, header_hash: bytes) -> bool:
    """Whether a quorum is known to have prepared this block, so that its time is not judged again."""
    shown = [c.header_hash for c in (state.certified, state.prepared) if c is not None]
    candidate, lead = state.candidate, state.lead
    if candidate is not None and candidate.justification.certificates:
        shown.append(candidate.vote.header_hash)
    if lead is not None and lead.justification.certificates:
        shown.append(lead.header_hash)
    return header_hash in shown


def _turn_down(state: HeightState, header_hash: Hash, refusal: str) -> None:
    """Nobody is certain of this block: its leader is to blame, and the round runs out."""
    candidate, lead = state.candidate, state.lead
    if candidate is not None and candidate.vote.header_hash == header_hash:
        state.diary.refused(candidate.vote.seat, state.round, header_hash, refusal)
        state.out.append(Blame(Seat(candidate.vote.seat), IbftRefusal.UNFIT_BLOCK, refusal))
    if lead is not None and lead.header_hash == header_hash:
        if lead.justification.certificates:
            want(state, header_hash, holders_of(state, lead.justification.certificates[0]))
        else:
            lead.header_hash = NO_HASH
            state.diary.refused(state.seat, state.round, header_hash, refusal)
            state.out.append(Blame(state.seat, IbftRefusal.UNFIT_BLOCK, refusal))


def accept(state: HeightState) -> None:
    """IBFT-R1. The candidate of the round, once it is found valid: durable, then one PREPARE."""
    candidate = state.candidate
    if candidate is None or state.accepted != NO_HASH or candidate.vote.header_hash not in state.valid:
        return
    state.accepted = Hash(candidate.vote.header_hash)
    if not state.observes:
        journal_content(state, state.accepted)
        journal(state, Accepted(height=state.height, round=state.round, header_hash=state.accepted))
        state.sign(VoteKind.PREPARE, state.accepted)
    try_prepare(state)


def journal_content(state: HeightState, header_hash: Hash) -> None:
    """A content is journalled once, before the first step that names it."""
    if header_hash not in state.held:
        state.held[header_hash] = True
        journal(state, Held(height=state.height, content=state.contents[header_hash]))


def on_ballot(state: HeightState, vote: Vote) -> None:
    """IBFT-M2. A checked PREPARE or COMMIT, ours or another's."""
    if state.record(vote) is not Recorded.FIRST:
        return
    kind, seat = VoteKind(vote.kind), Seat(vote.seat)
    show_other_proposal(state, vote)
    if kind is VoteKind.COMMIT:
        state.watch(vote)
    if vote.seal:
        state.buffer(kind, vote.round, vote.header_hash).add(seat, vote.seal)
    if kind is VoteKind.COMMIT:
        ask_shares(state, kind, vote.round, vote.header_hash)
    else:
        try_prepare(state)


def count_again(state: HeightState, vote: Vote) -> None:
    """IBFT-C1, V4. A vote of our own from before a stop counts like any, and so does its share."""
    if state.record(vote) is Recorded.FIRST and vote.seal:
        state.buffer(VoteKind(vote.kind), vote.round, vote.header_hash).add(Seat(vote.seat), vote.seal)


def show_other_proposal(state: HeightState, vote: Vote) -> None:
    """IBFT-M5. Who prepares another value than our leader proposed to us lies, or was shown another proposal: it gets
    ours, once, and can convict a leader of two faces. Nothing else would bring the two proposals together."""
    candidate = state.candidate
    if candidate is None or state.seat == NO_SEAT or vote.kind != VoteKind.PREPARE:
        return
    if vote.round == candidate.vote.round and vote.header_hash != candidate.vote.header_hash:
        state.out.append(SendTo(Seat(vote.seat), candidate))


def try_prepare(state: HeightState) -> None:
    """IBFT-R2, L2. Q PREPAREs of the accepted value in the current round, heard or shown: lock on it."""
    if state.accepted == NO_HASH or is_prepared_here(state):
        return
    if state.shown is not None and state.shown.header_hash == state.accepted:
        _lock(state, state.shown)
        return
    prepares = state.votes.get((VoteKind.PREPARE, state.round), {})
    agreeing = sorted(seat for seat, vote in prepares.items() if vote.header_hash == state.accepted)
    if len(agreeing) < state.quorum:
        return
    if len(state.validators) > ENVELOPES_MAX:
        ask_shares(state, VoteKind.PREPARE, state.round, state.accepted)
        return
    signatures = tuple(prepares[seat].signature for seat in agreeing)
    _lock(state, _certificate(state, PREPARED_BY_ENVELOPES, agreeing, signatures))


def on_prepared(state: HeightState, message: Prepared) -> None:
    """IBFT-L2. A checked certificate of the current round stands for the PREPAREs that came to the leader alone."""
    if message.certificate.round == state.round and state.shown is None:
        state.shown = message.certificate
        state.learn_prepares(message.certificate)
        try_prepare(state)


def is_prepared_here(state: HeightState) -> bool:
    """Whether a quorum prepared in the current round."""
    return state.prepared is not None and state.prepared.round == state.round


def _certificate(state: HeightState, kind: int, seats: list[Seat], proof: tuple[bytes, ...]) -> PreparedCertificate:
    return PreparedCertificate(
        version=1,
        kind=kind,
        height=state.height,
        round=state.round,
        header_hash=state.accepted,
        validator_bitmap=encode_bitmap(seats, len(state.validators)),
        proof=proof,
    )


def _lock(state: HeightState, certificate: PreparedCertificate) -> None:
    """IBFT-R2, IBFT-R3. Durable first, then the one COMMIT of this round: who commits is prepared."""
    state.prepared = certificate
    if not state.observes:
        journal(state, Locked(height=state.height, certificate=certificate))
        state.sign(VoteKind.COMMIT, certificate.header_hash)
        show_prepared(state, certificate)


def ask_shares(state: HeightState, kind: VoteKind, round_: int, header_hash: bytes) -> None:
    """BLS-B6. Have the shares of a quorum summed and checked once."""
    if state.certified is not None:
        return
    suspects = frozenset(state.suspects)
    for request in state.buffer(kind, round_, header_hash).ask(suspects):
        request_shares(state, (int(kind), round_, header_hash), request)


def request_shares(state: HeightState, key: tuple[int, int, bytes], request: ShareRequest) -> None:
    """Give a request a token and let it out."""
    token = next(state.tokens)
    state.asked[token] = key
    state.out.append(CheckShares(token, request.message, request.keys, request.shares))


def on_shares(state: HeightState, event: SharesChecked) -> None:
    """BLS-B6, IBFT-C1. A good sum prepares or decides; a bad share is blamed on its sender and the rest tried again."""
    of_kind, round_, header_hash = state.asked.pop(event.token)
    kind = VoteKind(of_kind)
    buffer = state.buffer(kind, round_, header_hash)
    for seat in buffer.answered(event.aggregate, event.bad):
        state.suspects[seat] = True
        state.out.append(Blame(seat, IbftRefusal.BAD_SHARE, f"{kind.name} of round {round_}"))
    if not buffer.aggregate:
        ask_shares(state, kind, round_, header_hash)
    elif kind is VoteKind.COMMIT:
        commit = commit_of(state, round_, header_hash)
        show_decided(state, commit)
        certify(state, commit, [])
    elif round_ == state.round and header_hash == state.accepted and not is_prepared_here(state):
        _lock(state, _certificate(state, PREPARED_BY_AGGREGATE, list(buffer.seats), (buffer.aggregate,)))


def commit_of(state: HeightState, round_: int, header_hash: bytes) -> BlsCommit:
    """The certificate of a checked sum."""
    buffer = state.buffer(VoteKind.COMMIT, round_, header_hash)
    return BlsCommit(
        version=1,
        height=state.height,
        round=round_,
        header_hash=header_hash,
        validator_bitmap=encode_bitmap(buffer.seats, len(state.validators)),
        aggregate_signature=buffer.aggregate,
    )


def certify(state: HeightState, commit: BlsCommit, sources: list[Seat]) -> None:
    """IBFT-C1. A checked certificate of any single round decides, as soon as its block is held and executed here.

    `sources`: who may be asked for the content, besides those who committed to it.
    """
    if state.certified is not None:
        return
    state.certified = commit
    hold_all_against(state, commit)
    header_hash = Hash(commit.header_hash)
    content = state.contents.get(header_hash)
    if content is not None:
        hold(state, content, header_hash, NO_SEAT, reproposed=True)
        decide(state)
        return
    _want_of_signers(state, commit, sources)


def _want_of_signers(state: HeightState, commit: BlsCommit, sources: list[Seat]) -> None:
    """Who committed was prepared, and holds the block."""
    signers = decode_bitmap(commit.validator_bitmap, len(state.validators))
    want(state, commit.header_hash, sources + [Seat(s) for s in signers if s not in sources])


def decide(state: HeightState) -> None:
    """IBFT-C1, C2. Certified and valid here: durable, then final; from now on not one more vote in this height."""
    commit = state.certified
    if commit is None or state.decided or commit.header_hash not in state.valid:
        return
    content = state.contents.get(commit.header_hash)
    if content is None:
        return
    stop_timers(state)
    header_hash = Hash(commit.header_hash)
    if not state.settled:
        journal_content(state, header_hash)
        journal(state, Settled(height=state.height, commit=commit))
    state.settled = state.decided = True
    state.wanted.clear()
    state.out.append(Decide(state.height, Round(commit.round), header_hash, content, commit))


def on_signed_ballot(state: HeightState, vote: Vote) -> None:
    """R1, R2 done: our PREPARE or COMMIT goes out, once, and counts like any other."""
    message = Ballot(vote=vote)
    state.own[vote.kind] = message
    say(state, message)
    state.spoken.append(vote)
    on_ballot(state, vote)
