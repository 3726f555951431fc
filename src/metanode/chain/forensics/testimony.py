"""What a node kept of a height, believed only as far as its signatures go."""

from dataclasses import dataclass

from metanode.chain.bls import commit_claim
from metanode.chain.evidence import (
    certificate_claims,
    check_certificate,
    check_round_change_vote,
    check_seat,
    vote_claim,
)
from metanode.chain.forensics.evidence_file import Checks, ForensicsRefusal, follow_to_set
from metanode.chain.light import Basis
from metanode.primitives.names import Hash
from metanode.primitives.refusal import Rejected
from metanode.records.commit import BlsCommit, PreparedCertificate
from metanode.records.evidence_file import TESTIMONIES, Testimony
from metanode.records.header import Header, read_header
from metanode.records.receipt_file import SetChangeStep
from metanode.records.validators import ValidatorSet
from metanode.records.vote import Justification, Vote


@dataclass(frozen=True, slots=True)
class Heard:
    """A testimony whose certificate holds; `votes` and `justifications` are those whose signatures all verify, of the
    certificate's height; `doubtful` counts the others. `complete`: as the node says."""

    chain_id: Hash
    set_changes: tuple[SetChangeStep, ...]
    validators: ValidatorSet
    header: Header
    commit: BlsCommit
    votes: tuple[Vote, ...]
    justifications: tuple[Justification, ...]
    doubtful: int
    complete: bool


def read_testimony(data: bytes, basis: Basis, checks: Checks) -> Heard:
    """FORK-1. Check the certificate of a testimony from a basis of trust, and sift what was kept. Raises `Rejected`."""
    try:
        told: Testimony = TESTIMONIES.decode(data)
    except Rejected as rejected:
        raise Rejected(ForensicsRefusal.ENCODING, str(rejected)) from None
    if told.version != 1:
        raise Rejected(ForensicsRefusal.ENCODING, f"version {told.version}")
    trusted = follow_to_set(told.chain_id, told.set_changes, basis, checks.pairing)
    validators, chain_id = trusted.validators, trusted.chain_id
    header = _certified(told, validators, chain_id, checks)
    votes = tuple(vote for vote in told.votes if _holds_vote(vote, told.commit.height, validators, chain_id, checks))
    whys = tuple(
        why for why in told.justifications if _holds_why(why, told.commit.height, validators, chain_id, checks)
    )
    doubtful = len(told.votes) - len(votes) + len(told.justifications) - len(whys)
    return Heard(
        chain_id=chain_id,
        set_changes=told.set_changes,
        validators=validators,
        header=header,
        commit=told.commit,
        votes=votes,
        justifications=whys,
        doubtful=doubtful,
        complete=told.complete,
    )


def _certified(told: Testimony, validators: ValidatorSet, chain_id: Hash, checks: Checks) -> Header:
    """FORK-1. The set that the steps lead to signed the header; what the header says of itself is judged elsewhere, for
    a lunatic one convicts."""
    try:
        header = read_header(told.header)
        keys, message, aggregate = commit_claim(told.commit, validators, chain_id)
    except Rejected as rejected:
        raise Rejected(ForensicsRefusal.CERTIFICATE, str(rejected)) from None
    if header.hash != told.commit.header_hash or not checks.pairing(keys, message, aggregate):
        raise Rejected(ForensicsRefusal.CERTIFICATE, f"of height {told.commit.height}: not signed by this set")
    return header


def _holds_vote(vote: Vote, height: int, validators: ValidatorSet, chain_id: Hash, checks: Checks) -> bool:
    try:
        check_seat(vote, validators)
    except Rejected:
        return False
    return vote.height == height and checks.signature(*vote_claim(vote, validators, chain_id))


def _holds_why(why: Justification, height: int, validators: ValidatorSet, chain_id: Hash, checks: Checks) -> bool:
    """Every ROUND-CHANGE and every certificate in it holds; whether it justifies anything is another question."""
    try:
        for change in why.round_changes:
            check_round_change_vote(change, validators)
    except Rejected:
        return False
    if not all(_holds_vote(change, height, validators, chain_id, checks) for change in why.round_changes):
        return False
    return all(_holds_certificate(one, height, validators, chain_id, checks) for one in why.certificates)


def _holds_certificate(
    certificate: PreparedCertificate, height: int, validators: ValidatorSet, chain_id: Hash, checks: Checks
) -> bool:
    try:
        check_certificate(certificate, validators, height)
    except Rejected:
        return False
    return checks.all_true(certificate_claims(certificate, validators, chain_id))
