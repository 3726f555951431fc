"""Who may speak, of what, and what has to be checked first."""

from typing import TypeAlias

from metanode.chain.bls import AggregateClaim, commit_claim
from metanode.chain.evidence import (
    NO_PROOF,
    certificate_claims,
    certificate_votes,
    check_certificate,
    check_justification,
    contradicts,
    justification_claims,
    vote_claim,
)
from metanode.chain.ibft.events import NO_SEAT, Accuse, Blame, Diverged, Relay
from metanode.chain.ibft.intake import Judged, Waiting
from metanode.chain.ibft.leading import on_round_change, propose
from metanode.chain.ibft.messages import Ballot, Content, Decided, Prepared, Proposal, RoundChange
from metanode.chain.ibft.moves import in_trouble, start_round_timer
from metanode.chain.ibft.rules import IbftRefusal, check_ballot, check_proposal, check_round_change
from metanode.chain.ibft.state import HeightState, is_exposed, is_learnt
from metanode.chain.ibft.voting import (
    accept,
    certify,
    decide,
    hold,
    is_carried,
    is_prepared_here,
    on_ballot,
    on_prepared,
    on_proposal,
    try_prepare,
)
from metanode.primitives.names import Hash, Seat
from metanode.primitives.refusal import Rejected
from metanode.records.commit import BlsCommit
from metanode.records.evidence import ConflictingCommits, ContradictedCommit, LunaticHeader, UnjustifiedProposal
from metanode.records.header import read_header
from metanode.records.proposal import check_content
from metanode.records.vote import Vote, VoteKind

Spoken: TypeAlias = Proposal | Ballot | Prepared | RoundChange | Decided | Content
"""What speaks of a height and is not merely a question."""

Signable: TypeAlias = Proposal | Ballot | Prepared | RoundChange | Decided
"""What counts only after its signatures were checked."""


def height_of(message: Spoken) -> int:
    """The height a message speaks of."""
    match message:
        case Proposal(vote=vote) | Ballot(vote=vote) | RoundChange(vote=vote):
            return vote.height
        case Decided(commit=commit):
            return commit.height
        case Prepared(certificate=certificate):
            return certificate.height
        case Content(height=height):
            return height


def examine(state: HeightState, message: Signable, origin: Seat) -> Waiting | None:
    """IBFT-M1, M2, M3. What must be checked before this message counts; none where it is known or of no more use.
    Raises `Rejected`."""
    match message:
        case Ballot(vote=vote):
            check_ballot(vote, state.validators)
            if _is_stale(state, vote):
                return None
            return Waiting(message, origin, (vote_claim(vote, state.validators, state.chain_id),), ())
        case RoundChange():
            return _examine_round_change(state, message, origin)
        case Proposal():
            return _examine_proposal(state, message, origin)
        case Prepared(certificate=certificate):
            check_certificate(certificate, state.validators, state.height)
            if certificate.round != state.round or state.shown is not None or is_prepared_here(state):
                return None
            return Waiting(message, origin, *certificate_claims(certificate, state.validators, state.chain_id))
        case Decided(commit=commit, header=header):
            if state.certified is not None and _says_the_same(state.certified, commit):
                return None
            if read_header(header).hash != commit.header_hash:
                raise Rejected(IbftRefusal.WRONG_HEADER, "the commit is of another header")
            return Waiting(message, origin, (), (commit_claim(commit, state.validators, state.chain_id),))


def _is_stale(state: HeightState, vote: Vote) -> bool:
    """IBFT-M2, M3. Known, or of a round that is not kept."""
    return _is_known(state, vote) or not state.keeps(vote.kind, vote.round)


def _is_known(state: HeightState, vote: Vote) -> bool:
    """IBFT-M2. Known to the byte, or already punished."""
    seat = Seat(vote.seat)
    known = state.votes.get((vote.kind, vote.round), {}).get(seat)
    punished = (vote.kind, vote.round, seat) in state.accused or (known is not None and is_exposed(state, seat))
    return known == vote or punished


def _examine_round_change(state: HeightState, message: RoundChange, origin: Seat) -> Waiting | None:
    """IBFT-M3, P5. Of each seat the furthest ROUND-CHANGE is kept, however far: f+1 of them move us (V2)."""
    vote, validators = message.vote, state.validators
    check_round_change(message, validators)
    known = state.latest.get(Seat(vote.seat))
    if known is not None and (known.vote == vote or vote.round < known.vote.round):
        return None
    learnt = state.votes.get((vote.kind, vote.round), {}).get(Seat(vote.seat))
    if learnt == vote and vote.round >= state.round and not _brings_news(state, message):
        return None
    signatures = [vote_claim(vote, validators, state.chain_id)]
    aggregates: list[AggregateClaim] = []
    for certificate in message.certificates:
        claims = certificate_claims(certificate, validators, state.chain_id)
        signatures.extend(claims.signatures)
        aggregates.extend(claims.aggregates)
    return Waiting(message, origin, tuple(signatures), tuple(aggregates))


def _brings_news(state: HeightState, message: RoundChange) -> bool:
    """IBFT-P5. Whether there is a PREPARE in its certificate that would count or accuse. Where the vote is known from a
    justification, which shows the highest certificate alone, that may be so."""
    votes = [vote for shown in message.certificates for vote in certificate_votes(shown, state.validators)]
    return any(is_learnt(state, vote) and not _is_known(state, vote) for vote in votes)


def _examine_proposal(state: HeightState, message: Proposal, origin: Seat) -> Waiting | None:
    """IBFT-P1 … P5. An unjustified proposal of a round at hand, or one of a lunatic header, is not turned away unheard:
    if its signature is good it is evidence. One of a far round is, for a liar could sign one for each (IBFT-M3)."""
    vote, validators, chain_id = message.vote, state.validators, state.chain_id
    if vote.round < state.round:
        return None
    known = state.votes.get((vote.kind, vote.round), {}).get(Seat(vote.seat))
    if known == vote or (vote.kind, vote.round, vote.seat) in state.accused:
        return None
    try:
        check_proposal(message, validators, chain_id, state.first_leader)
    except Rejected as refusal:
        if refusal.reason is not IbftRefusal.LUNATIC or not state.keeps(VoteKind.PROPOSAL, vote.round):
            raise
        return Waiting(message, origin, (vote_claim(vote, validators, chain_id),), (), (refusal,))
    own = vote_claim(vote, validators, chain_id)
    try:
        check_justification(vote, message.justification, validators)
    except Rejected as refusal:
        if refusal.reason in NO_PROOF or not state.keeps(VoteKind.PROPOSAL, vote.round):
            raise
        return Waiting(message, origin, (own,), (), (refusal,))
    signatures, aggregates = justification_claims(message.justification, validators, chain_id)
    return Waiting(message, origin, (own, *signatures), aggregates)


def enter_judged(state: HeightState, judged: Judged) -> None:
    """IBFT-M1. A message with its verdicts: it counts, or somebody is to blame."""
    message, origin = judged.waiting.message, judged.waiting.origin
    if not judged.signed:
        state.out.append(Blame(origin, IbftRefusal.BAD_SIGNATURE, f"{type(message).__name__} at {state.height}"))
        return
    match message:
        case Proposal() if judged.waiting.unjustified:
            _accuse_proposal(state, message, judged.waiting.unjustified[0])
        case RoundChange(vote=vote) if state.decided:
            _accuse_late(state, vote)
        case Proposal(vote=vote) if not judged.supported:
            state.out.append(Blame(Seat(vote.seat), IbftRefusal.UNJUSTIFIED, f"forged, round {vote.round}"))
        case RoundChange(vote=vote) if not judged.supported:
            state.out.append(Blame(Seat(vote.seat), IbftRefusal.BAD_CERTIFICATE, f"of round {vote.prepared_round}"))
        case Prepared() if not judged.supported:
            state.out.append(Blame(origin, IbftRefusal.BAD_CERTIFICATE, f"shown at {state.height}"))
        case Prepared():
            on_prepared(state, message)
        case Decided() if not judged.supported:
            state.out.append(Blame(origin, IbftRefusal.BAD_SIGNATURE, f"commit at {state.height}"))
        case Decided(commit=commit) if state.certified is not None and _says_the_same(state.certified, commit):
            pass  # IBFT-C3: several seats told us at once, the first one was enough
        case Decided(commit=commit) if state.certified is not None:
            _alarm(state, state.certified, commit)
        case Decided(commit=commit):
            certify(state, commit, [] if origin == NO_SEAT else [origin])
        case Proposal(vote=vote) | Ballot(vote=vote) | RoundChange(vote=vote):
            _relay(state, vote, message)
            _learn(state, message)
            _count(state, message, origin)
            _look_around(state)


def _says_the_same(first: BlsCommit, second: BlsCommit) -> bool:
    """Whoever signed them, in whatever round: of the same header."""
    return first.header_hash == second.header_hash


def _alarm(state: HeightState, first: BlsCommit, second: BlsCommit) -> None:
    """EVID-6. Two certificates of one height for different headers: more than a third lie. Nothing is final here any
    more; those who signed both in one round are convicted, the others by what is kept of the votes."""
    if first.round == second.round:
        evidence = ConflictingCommits(validators_hash=state.validators.hash, first=first, second=second)
        state.out.append(Accuse(evidence))
    state.out.append(Diverged(state.height, Hash(second.header_hash), "two certificates of one height"))


def _count(state: HeightState, message: Proposal | Ballot | RoundChange, origin: Seat) -> None:
    match message:
        case Proposal():
            on_proposal(state, message, origin)
        case Ballot(vote=vote):
            on_ballot(state, vote)
        case RoundChange():
            on_round_change(state, message)


def _learn(state: HeightState, message: Proposal | Ballot | RoundChange) -> None:
    """IBFT-P5. What was checked along with a message counts by itself: its certificate's PREPAREs, and the
    ROUND-CHANGEs of a justification against the COMMITs of their seats (EVID-4)."""
    match message:
        case Proposal(justification=justification):
            certificates = justification.certificates
            for change in justification.round_changes:
                state.record(change)
                state.watch(change)
        case RoundChange(certificates=certificates):
            pass
        case Ballot():
            return
    for certificate in certificates:
        state.learn_prepares(certificate)
        try_prepare(state)


def _look_around(state: HeightState) -> None:
    """IBFT-V8. A second word of a seat does not count, but what was learnt along with it does: a quorum may be here."""
    if not state.decided:
        start_round_timer(state)


def _accuse_proposal(state: HeightState, message: Proposal, why: Rejected) -> None:
    """EVID-5, EVID-11. Signed over a justification that does not justify, or for a header that belongs elsewhere:
    guilty by its own words. Once a round is enough."""
    vote, hash_ = message.vote, state.validators.hash
    state.out.append(Blame(Seat(vote.seat), why.reason, why.detail))
    evidence: LunaticHeader | UnjustifiedProposal = UnjustifiedProposal(
        validators_hash=hash_, proposal=vote, justification=message.justification
    )
    if why.reason is IbftRefusal.LUNATIC:
        evidence = LunaticHeader(validators_hash=hash_, header=message.content.header, votes=(vote,), commits=())
    state.accuse(vote, evidence)


def _accuse_late(state: HeightState, vote: Vote) -> None:
    """EVID-9. Heard after the decision: a seat that made it now says it never did."""
    if state.certified is not None and contradicts(state.certified, vote, state.validators):
        evidence = ContradictedCommit(validators_hash=state.validators.hash, commit=state.certified, vote=vote)
        state.accuse(vote, evidence)


def _relay(state: HeightState, vote: Vote, message: Proposal | Ballot | RoundChange) -> None:
    """IBFT-M4. Passed on when first heard, so once a (kind, height, round, sender), and a proposal's block once; of
    rounds at hand only, for a liar can be first heard in four thousand million others."""
    known = Seat(vote.seat) in state.votes.get((vote.kind, vote.round), {})
    at_hand = vote.round >= state.round and state.keeps(vote.kind, vote.round)
    if in_trouble(state) and at_hand and not known and not state.decided:
        state.out.append(Relay(Seat(vote.seat), message))


def enter_content(state: HeightState, message: Content | Proposal, origin: Seat) -> None:
    """IBFT-C1. The answer to our `Wanted`: named by its hash, so whoever sends it. A proposal that is sent once more
    may bring it, too. Raises `Rejected`."""
    header_hash = check_content(message.content).hash
    if header_hash not in state.wanted:
        if isinstance(message, Proposal):
            return
        raise Rejected(IbftRefusal.UNWANTED, "a content that nobody asked for")
    hold(state, message.content, Hash(header_hash), origin, reproposed=is_carried(state, header_hash))
    go_on(state)


def go_on(state: HeightState) -> None:
    """A block became valid, or came back: whatever waited for it goes on."""
    decide(state)
    if not state.decided:
        propose(state)
        accept(state)


def is_of_use_late(state: HeightState, message: Spoken) -> bool:
    """IBFT-C3, EVID-6, EVID-9. After the decision: a COMMIT to it may be credited, a certificate of another is an
    alarm, and a ROUND-CHANGE of one who made it may deny it."""
    if state.certified is None or not isinstance(message, Ballot | Decided | RoundChange):
        return False
    if isinstance(message, Decided):
        return message.commit.height == state.height
    vote, commit = message.vote, state.certified
    if isinstance(message, RoundChange):
        return contradicts(commit, vote, state.validators)
    decided = (VoteKind.COMMIT, commit.height, commit.round, commit.header_hash)
    return (vote.kind, vote.height, vote.round, vote.header_hash) == decided


def note_late(state: HeightState, message: Signable, origin: Seat) -> None:
    """STALL-1. A proposal or vote by its sender's own link that comes after we left its round, and is news: it is not
    looked at, but whoever explains a stall is told of it."""
    if origin == NO_SEAT or not isinstance(message, Proposal | Ballot) or message.vote.seat != origin:
        return
    vote = message.vote
    if vote.round < state.round and origin not in state.votes.get((vote.kind, vote.round), {}):
        state.diary.came_late(vote, state.round)
