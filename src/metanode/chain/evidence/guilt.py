"""What convicts: each kind of evidence, judged with nothing but the set of its height."""

from typing import assert_never

from metanode.chain.bls import commit_claim
from metanode.chain.evidence.claims import Claims, vote_claim
from metanode.chain.evidence.justification import NO_PROOF, check_justification, check_seat
from metanode.primitives.bitmap import decode as decode_bitmap
from metanode.primitives.names import Hash, Seat
from metanode.primitives.refusal import Refusal, Rejected
from metanode.records.evidence import Amnesia, ConflictingCommits, ConflictingVotes, Evidence, UnjustifiedProposal
from metanode.records.validators import ValidatorSet
from metanode.records.vote import NO_ROUND, Vote, VoteKind


class EvidenceRefusal(Refusal):
    """Why something is no proof of guilt."""

    OTHER_SET = "evidence.other-set"
    """Names another set than the one it is judged by."""
    NO_CONFLICT = "evidence.no-conflict"
    """The two are of different senders, kinds, heights or rounds, or say the same."""
    NO_AMNESIA = "evidence.no-amnesia"
    """Not a COMMIT and a later ROUND-CHANGE of one seat that hides it."""
    JUSTIFIED = "evidence.justified"
    """The proposal is justified, or its justification is not the one it was signed over, or longer than one can be."""


def evidence_claims(evidence: Evidence, validators: ValidatorSet, chain_id: Hash) -> Claims:
    """EVID-2. What must verify, all of it, for this to convict; everything else is judged here. Raises `Rejected`."""
    if evidence.validators_hash != validators.hash:
        raise Rejected(EvidenceRefusal.OTHER_SET, "judged by another set than it names")
    match evidence:
        case ConflictingVotes(first=first, second=second):
            _check_votes(first, second, validators)
            _check_conflict(first, second)
            votes: tuple[Vote, ...] = (first, second)
        case Amnesia(commit=commit, round_change=round_change):
            _check_votes(commit, round_change, validators)
            _check_amnesia(commit, round_change)
            votes = (commit, round_change)
        case UnjustifiedProposal(proposal=proposal):
            check_seat(proposal, validators)
            _check_unjustified(evidence, validators)
            votes = (proposal,)
        case ConflictingCommits():
            return _commit_claims(evidence, validators, chain_id)
        case _:
            assert_never(evidence)
    return Claims(tuple(vote_claim(vote, validators, chain_id) for vote in votes), ())


def culprits(evidence: Evidence, validators: ValidatorSet) -> tuple[Seat, ...]:
    """EVID-2. Whom it convicts, once its claims are verified; the form was judged by `evidence_claims`."""
    match evidence:
        case ConflictingVotes(first=vote) | Amnesia(commit=vote) | UnjustifiedProposal(proposal=vote):
            return (Seat(vote.seat),)
        case ConflictingCommits(first=first, second=second):
            others = decode_bitmap(second.validator_bitmap, len(validators))
            return tuple(Seat(s) for s in decode_bitmap(first.validator_bitmap, len(validators)) if s in others)
        case _:
            assert_never(evidence)


def _check_votes(first: Vote, second: Vote, validators: ValidatorSet) -> None:
    check_seat(first, validators)
    check_seat(second, validators)


def _check_conflict(first: Vote, second: Vote) -> None:
    """EVID-3. Two words of one seat for one (kind, height, round): an honest one has only one."""
    same_step = (first.kind, first.height, first.round, first.seat) == (
        second.kind,
        second.height,
        second.round,
        second.seat,
    )
    same_content = (first.header_hash, first.prepared_round, first.attachment) == (
        second.header_hash,
        second.prepared_round,
        second.attachment,
    )
    if not same_step or same_content:
        raise Rejected(EvidenceRefusal.NO_CONFLICT, "two votes of one seat for one step that differ are needed")


def _check_amnesia(commit: Vote, change: Vote) -> None:
    """EVID-4. Who committed in a round was prepared there, and every later ROUND-CHANGE of his says so."""
    kinds = (commit.kind, change.kind) == (VoteKind.COMMIT, VoteKind.ROUND_CHANGE)
    same = (commit.seat, commit.height) == (change.seat, change.height)
    hides = change.prepared_round == NO_ROUND or change.prepared_round < commit.round
    if not (kinds and same and change.round > commit.round and hides):
        raise Rejected(EvidenceRefusal.NO_AMNESIA, "a COMMIT and a later ROUND-CHANGE that hides it are needed")


def _check_unjustified(evidence: UnjustifiedProposal, validators: ValidatorSet) -> None:
    """EVID-5. Guilty by the form of what it signed. A forged signature inside is not judged here: it harms nobody,
    for everybody drops such a proposal, and a proof that something does *not* verify would need its own rules."""
    proposal = evidence.proposal
    if proposal.kind != VoteKind.PROPOSAL:
        raise Rejected(EvidenceRefusal.JUSTIFIED, "not a PROPOSAL")
    try:
        check_justification(proposal, evidence.justification, validators)
    except Rejected as refusal:
        if refusal.reason in NO_PROOF:
            raise Rejected(EvidenceRefusal.JUSTIFIED, refusal.detail) from None
        return
    raise Rejected(EvidenceRefusal.JUSTIFIED, "the justification justifies the proposal")


def _commit_claims(evidence: ConflictingCommits, validators: ValidatorSet, chain_id: Hash) -> Claims:
    """EVID-6. Two certificates of one (height, round): whoever is in both signed twice, for every key has a proof of
    possession. Certificates of different rounds alone convict nobody."""
    first, second = evidence.first, evidence.second
    same = (first.height, first.round) == (second.height, second.round)
    if not same or first.header_hash == second.header_hash:
        raise Rejected(EvidenceRefusal.NO_CONFLICT, "two commits of one height and round for different headers needed")
    return Claims((), (commit_claim(first, validators, chain_id), commit_claim(second, validators, chain_id)))
