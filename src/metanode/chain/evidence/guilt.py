"""What convicts: each kind of evidence, judged with nothing but the set of its height (EVID-12: and what does not)."""

from collections.abc import Callable
from typing import TypeAlias, assert_never

from metanode.chain.bls import commit_claim
from metanode.chain.evidence.claims import Claims, certificate_claims, vote_claim
from metanode.chain.evidence.contradiction import VALUE_KINDS, conflict, contradicts, forgets, lunatic
from metanode.chain.evidence.justification import NO_PROOF, check_certificate, check_justification, check_seat
from metanode.primitives.names import Hash
from metanode.primitives.refusal import Refusal, Rejected
from metanode.records.commit import commit_seats
from metanode.records.evidence import (
    Amnesia,
    ConflictingCertificates,
    ConflictingCommits,
    ConflictingVotes,
    ContradictedCommit,
    Evidence,
    LunaticHeader,
    UnjustifiedProposal,
)
from metanode.records.header import read_header
from metanode.records.validators import ValidatorSet
from metanode.records.vote import Vote, VoteKind

_Check: TypeAlias = Callable[[Vote, Vote], None]


class EvidenceRefusal(Refusal):
    """Why something is no proof of guilt."""

    OTHER_SET = "evidence.other-set"
    """Names another set than the one it is judged by."""
    NO_CONFLICT = "evidence.no-conflict"
    """The two are of different senders, heights or rounds, or an honest seat may say both."""
    NO_AMNESIA = "evidence.no-amnesia"
    """Not a COMMIT and a later ROUND-CHANGE of one seat that hides it."""
    JUSTIFIED = "evidence.justified"
    """The proposal is justified, or its justification is not the one it was signed over, or longer than one can be."""
    NO_CONTRADICTION = "evidence.no-contradiction"
    """The vote is of a seat that is not in the certificate, or does not contradict it."""
    NOT_LUNATIC = "evidence.not-lunatic"
    """The header is not the one voted for, or is of the chain, height and set it was voted for in."""


def evidence_claims(evidence: Evidence, validators: ValidatorSet, chain_id: Hash) -> Claims:
    """EVID-2. What must verify, all of it, for this to convict; everything else is judged here. Raises `Rejected`."""
    if evidence.validators_hash != validators.hash:
        raise Rejected(EvidenceRefusal.OTHER_SET, "judged by another set than it names")
    match evidence:
        case ConflictingVotes(first=first, second=second):
            return _of_votes((first, second), validators, chain_id, _check_conflict)
        case Amnesia(commit=commit, round_change=round_change):
            return _of_votes((commit, round_change), validators, chain_id, _check_amnesia)
        case UnjustifiedProposal(proposal=proposal):
            check_seat(proposal, validators)
            _check_unjustified(evidence, validators)
            return Claims((vote_claim(proposal, validators, chain_id),), ())
        case ConflictingCommits():
            return _commit_claims(evidence, validators, chain_id)
        case ConflictingCertificates():
            return _certificates_claims(evidence, validators, chain_id)
        case ContradictedCommit():
            return _contradicted_claims(evidence, validators, chain_id)
        case LunaticHeader():
            return _lunatic_claims(evidence, validators, chain_id)
        case _:
            assert_never(evidence)


def _of_votes(votes: tuple[Vote, Vote], validators: ValidatorSet, chain_id: Hash, check: _Check) -> Claims:
    for vote in votes:
        check_seat(vote, validators)
    check(*votes)
    return Claims(tuple(vote_claim(vote, validators, chain_id) for vote in votes), ())


def _check_conflict(first: Vote, second: Vote) -> None:
    """EVID-3. Two words of one seat for one step, or for two values in one round: an honest one has only one."""
    if not conflict(first, second):
        raise Rejected(EvidenceRefusal.NO_CONFLICT, "two votes of one seat in one round that exclude each other needed")


def _check_amnesia(commit: Vote, change: Vote) -> None:
    """EVID-4. Who committed in a round was prepared there, and every later ROUND-CHANGE of his says so."""
    if not forgets(commit, change):
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


def _certificates_claims(evidence: ConflictingCertificates, validators: ValidatorSet, chain_id: Hash) -> Claims:
    """EVID-10. At least one of the two is a prepared one: two commits have a form of their own."""
    commits, prepared = evidence.commits, evidence.prepared
    if (len(commits), len(prepared)) not in ((1, 1), (0, 2)):
        raise Rejected(EvidenceRefusal.NO_CONFLICT, f"{len(commits)} commits and {len(prepared)} prepared ones")
    for certificate in prepared:
        check_certificate(certificate, validators, prepared[0].height)
    first, second = (commits or prepared)[0], prepared[-1]
    same = (first.height, first.round) == (second.height, second.round)
    if not same or first.header_hash == second.header_hash:
        raise Rejected(EvidenceRefusal.NO_CONFLICT, "certificates of one height and round for different headers needed")
    claims = [certificate_claims(certificate, validators, chain_id) for certificate in prepared]
    aggregates = tuple(commit_claim(commit, validators, chain_id) for commit in commits)
    return Claims(
        tuple(claim for one in claims for claim in one.signatures),
        (*aggregates, *(claim for one in claims for claim in one.aggregates)),
    )


def _contradicted_claims(evidence: ContradictedCommit, validators: ValidatorSet, chain_id: Hash) -> Claims:
    """EVID-9. The certificate stands for the COMMIT of each seat in it."""
    commit, vote = evidence.commit, evidence.vote
    check_seat(vote, validators)
    commit_seats(commit, validators)
    if not contradicts(commit, vote, validators):
        raise Rejected(EvidenceRefusal.NO_CONTRADICTION, "a vote of one of its seats that contradicts it is needed")
    aggregate = commit_claim(commit, validators, chain_id)
    return Claims((vote_claim(vote, validators, chain_id),), (aggregate,))


def _lunatic_claims(evidence: LunaticHeader, validators: ValidatorSet, chain_id: Hash) -> Claims:
    """EVID-11. One word for a header that no honest seat of this set can have judged valid at this height."""
    votes, commits, header = evidence.votes, evidence.commits, read_header(evidence.header)
    if len(votes) + len(commits) != 1:
        raise Rejected(EvidenceRefusal.NOT_LUNATIC, "one vote or one certificate for the header is needed")
    for vote in votes:
        check_seat(vote, validators)
        if vote.kind not in VALUE_KINDS:
            raise Rejected(EvidenceRefusal.NOT_LUNATIC, "not a vote for a header")
    word = votes[0] if votes else commits[0]
    if word.header_hash != header.hash or not lunatic(header, word.height, validators, chain_id):
        raise Rejected(EvidenceRefusal.NOT_LUNATIC, "the header belongs where it was voted for")
    return Claims(
        tuple(vote_claim(vote, validators, chain_id) for vote in votes),
        tuple(commit_claim(commit, validators, chain_id) for commit in commits),
    )
