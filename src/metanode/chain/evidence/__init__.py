"""Proofs of guilt: what a proposal must show, what convicts, and what has to be checked before it does."""

from metanode.chain.evidence.claims import (
    Claims,
    SignatureClaim,
    certificate_claims,
    certificate_votes,
    justification_claims,
    vote_claim,
)
from metanode.chain.evidence.forensics import find_guilty
from metanode.chain.evidence.guilt import EvidenceRefusal, culprits, evidence_claims
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
    "culprits",
    "evidence_claims",
    "find_guilty",
    "justification_claims",
    "vote_claim",
]
