"""A transcript, checked by who has nothing but a basis of trust: layer by layer, the first that fails is named."""

from dataclasses import dataclass

from metanode.chain.bls import commit_claim
from metanode.chain.evidence import (
    certificate_claims,
    certificate_votes,
    check_certificate,
    check_seat,
    evidence_claims,
    vote_claim,
)
from metanode.chain.forensics import Checks, follow_to_set
from metanode.chain.ibft import NO_SEAT, first_leader
from metanode.chain.light import Basis
from metanode.primitives.names import Hash, Seat
from metanode.primitives.refusal import Refusal, Rejected
from metanode.records.commit import BlsCommit
from metanode.records.evidence import Evidence, evidence_height
from metanode.records.header import Header, read_header
from metanode.records.receipt_file import SetChangeStep
from metanode.records.transcript import (
    NODE_NAME_MAX,
    REFUSAL_TEXT_MAX,
    TRANSCRIPTS,
    Certified,
    Said,
    Transcript,
    transcript_digest,
)
from metanode.records.validators import ValidatorSet
from metanode.records.vote import Vote


class StallRefusal(Refusal):
    """The first layer of a transcript that fails; the chain and its sets are refused as those of evidence files are."""

    ENCODING = "stall.encoding"
    """Not the canonical bytes of a transcript, of an unknown version, or with text that no node writes."""
    CERTIFICATE = "stall.certificate"
    """The certificate of the block below, or of the height itself, does not hold, or announces another set."""
    WORD = "stall.word"
    """A vote, certificate or proof of guilt in it is of another height, or not signed by whom it says."""
    WHOLE = "stall.whole"
    """Something that nobody signed, what the node itself says, was changed."""
    OTHER_CHAIN = "stall.other-chain"
    """Transcripts of different chains or sets, or none at all, explain nothing together."""


@dataclass(frozen=True, slots=True)
class Told:
    """STALL-2. A transcript whose every word is signed. `below` and `final`: none or one. `said`: what the node says
    itself, which nobody signed. `leads`: the seat that leads round 0."""

    chain_id: Hash
    set_changes: tuple[SetChangeStep, ...]
    height: int
    validators: ValidatorSet
    leads: Seat
    below: tuple[Header, ...]
    final: tuple[tuple[Header, BlsCommit], ...]
    votes: tuple[Vote, ...]
    evidence: tuple[Evidence, ...]
    complete: bool
    said: Said


def read_transcript(data: bytes, basis: Basis, checks: Checks) -> Told:
    """STALL-2. From the chain to the last word. Raises `Rejected` with the first layer that fails."""
    try:
        shown: Transcript = TRANSCRIPTS.decode(data)
    except Rejected as rejected:
        raise Rejected(StallRefusal.ENCODING, str(rejected)) from None
    _check_form(shown)
    before, validators, chain_id = _sets(shown, basis, checks)
    below = tuple(_header(one, shown.height - 1, before, chain_id, checks) for one in shown.below)
    if any(header.next_validators_hash != validators.hash for header in below):
        raise Rejected(StallRefusal.CERTIFICATE, f"the block below height {shown.height} announces another set")
    final = tuple((_header(one, shown.height, validators, chain_id, checks), one.commit) for one in shown.final)
    _check_words(shown, validators, chain_id, checks)
    if shown.whole != transcript_digest(shown):
        raise Rejected(StallRefusal.WHOLE, "not the transcript that was written")
    learnt = [vote for one in shown.certificates for vote in certificate_votes(one, validators)]
    return Told(
        chain_id=chain_id,
        set_changes=shown.set_changes,
        height=shown.height,
        validators=validators,
        leads=first_leader(before, Seat(below[0].proposer) if below else NO_SEAT, validators),
        below=below,
        final=final,
        votes=tuple(dict.fromkeys((*shown.votes, *learnt))),
        evidence=shown.evidence,
        complete=shown.complete,
        said=shown.said,
    )


def _check_form(shown: Transcript) -> None:
    said = shown.said
    if (shown.version, said.notes.version) != (1, 1):
        raise Rejected(StallRefusal.ENCODING, f"version {shown.version}, notes {said.notes.version}")
    if shown.height < 1 or len(shown.below) != (shown.height > 1) or len(shown.final) > 1:
        counts = f"{len(shown.below)} blocks below, {len(shown.final)} final ones"
        raise Rejected(StallRefusal.ENCODING, f"height {shown.height} with {counts}")
    texts = (said.node, said.silence, *(one.refusal for one in said.notes.turned_down))
    longest = max(NODE_NAME_MAX, REFUSAL_TEXT_MAX)
    if len(said.node) > NODE_NAME_MAX or not all(len(text) <= longest and text.isprintable() for text in texts):
        raise Rejected(StallRefusal.ENCODING, "a text that is too long, or cannot be printed")


def _sets(shown: Transcript, basis: Basis, checks: Checks) -> tuple[ValidatorSet, ValidatorSet, Hash]:
    """LIGHT-7. The set that signed the block below, and the set of the height, which it may have announced."""
    trusted = follow_to_set(shown.chain_id, shown.set_changes, basis, checks.pairing)
    steps = shown.set_changes
    if not steps or read_header(steps[-1].header).height != shown.height - 1:
        return trusted.validators, trusted.validators, trusted.chain_id
    before = follow_to_set(shown.chain_id, steps[:-1], basis, checks.pairing)
    return before.validators, trusted.validators, trusted.chain_id


def _header(one: Certified, height: int, validators: ValidatorSet, chain_id: Hash, checks: Checks) -> Header:
    try:
        header = read_header(one.header)
        keys, message, aggregate = commit_claim(one.commit, validators, chain_id)
    except Rejected as rejected:
        raise Rejected(StallRefusal.CERTIFICATE, str(rejected)) from None
    place = (header.hash, header.height, one.commit.height)
    if place != (one.commit.header_hash, height, height) or header.proposer >= len(validators):
        raise Rejected(StallRefusal.CERTIFICATE, f"not of height {height}")
    if not checks.pairing(keys, message, aggregate):
        raise Rejected(StallRefusal.CERTIFICATE, f"of height {height}: not signed by this set")
    return header


def _check_words(shown: Transcript, validators: ValidatorSet, chain_id: Hash, checks: Checks) -> None:
    """STALL-2. A node keeps only what it has checked: a word that is not its sender's was put in afterwards."""
    for vote in shown.votes:
        _check_form_of(vote, shown.height, validators)
        if not checks.signature(*vote_claim(vote, validators, chain_id)):
            raise Rejected(StallRefusal.WORD, f"seat {vote.seat} did not sign its vote of round {vote.round}")
    for certificate in shown.certificates:
        try:
            check_certificate(certificate, validators, shown.height)
        except Rejected as rejected:
            raise Rejected(StallRefusal.WORD, str(rejected)) from None
        if not checks.all_true(certificate_claims(certificate, validators, chain_id)):
            raise Rejected(StallRefusal.WORD, f"a certificate of round {certificate.round} that nobody signed")
    for evidence in shown.evidence:
        try:
            claims = evidence_claims(evidence, validators, chain_id)
        except Rejected as rejected:
            raise Rejected(StallRefusal.WORD, str(rejected)) from None
        if evidence_height(evidence) != shown.height or not checks.all_true(claims):
            raise Rejected(StallRefusal.WORD, "a proof of guilt of another height, or one that does not hold")


def _check_form_of(vote: Vote, height: int, validators: ValidatorSet) -> None:
    try:
        check_seat(vote, validators)
    except Rejected as rejected:
        raise Rejected(StallRefusal.WORD, str(rejected)) from None
    if vote.height != height:
        raise Rejected(StallRefusal.WORD, f"a vote of height {vote.height}")
