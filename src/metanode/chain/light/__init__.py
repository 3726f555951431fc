"""Checking headers, commits and receipts with nothing but bytes, a basis of trust, and a pairing handed in."""

from metanode.chain.light.basis import Basis, GenesisBasis, HeaderBasis, Trusted, trust
from metanode.chain.light.headers import (
    LightRefusal,
    Pairing,
    check_basis_age,
    check_commit,
    check_commit_form,
    check_history,
    check_link,
    check_signed,
    follow,
    follow_set_change,
    skip,
)
from metanode.chain.light.receipts import Verified, receipt_file, verify_receipt_bytes, verify_receipt_file
from metanode.chain.light.sections import SectionRoots, body_leaves, section_roots

__all__ = [
    "Basis",
    "GenesisBasis",
    "HeaderBasis",
    "LightRefusal",
    "Pairing",
    "SectionRoots",
    "Trusted",
    "Verified",
    "body_leaves",
    "check_basis_age",
    "check_commit",
    "check_commit_form",
    "check_history",
    "check_link",
    "check_signed",
    "follow",
    "follow_set_change",
    "receipt_file",
    "section_roots",
    "skip",
    "trust",
    "verify_receipt_bytes",
    "verify_receipt_file",
]
