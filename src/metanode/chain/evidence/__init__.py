"""Proofs of guilt: what a proposal must show, what convicts, and what has to be checked before it does."""

from metanode.chain.evidence.claims import (
    Claims,
    SignatureClaim,
    certificate_claims,
    certificate_votes,
    justification_claims,
    vote_claim,
)
from metanode.chain.evidence.contradiction import VALUE_KINDS, conflict, contradicts, forgets, lunatic
from metanode.chain.evidence.guilt import EvidenceRefusal, evidence_claims
from metanode.chain.evidence.justification import (
    NO_PROOF,
    JustificationRefusal,
    check_certificate,
    check_justification,
    check_round_change_vote,
    check_seat,
)

__all__ = [
    "NO_PROOF",
    "VALUE_KINDS",
    "Claims",
    "EvidenceRefusal",
    "JustificationRefusal",
    "SignatureClaim",
    "certificate_claims",
    "certificate_votes",
    "check_certificate",
    "check_justification",
    "check_round_change_vote",
    "check_seat",
    "conflict",
    "contradicts",
    "evidence_claims",
    "forgets",
    "justification_claims",
    "lunatic",
    "vote_claim",
]
