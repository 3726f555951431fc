"""Guilt shown to strangers: evidence files, and whom a fork is to be blamed on."""

from metanode.chain.forensics.evidence_file import (
    Checks,
    ForensicsRefusal,
    ProvenGuilt,
    follow_to_set,
    verify_evidence_bytes,
    verify_evidence_file,
)
from metanode.chain.forensics.fork import Findings, Link, Material, Missing, find_guilty, investigate
from metanode.chain.forensics.testimony import Heard, read_testimony

__all__ = [
    "Checks",
    "Findings",
    "ForensicsRefusal",
    "Heard",
    "Link",
    "Material",
    "Missing",
    "ProvenGuilt",
    "find_guilty",
    "follow_to_set",
    "investigate",
    "read_testimony",
    "verify_evidence_bytes",
    "verify_evidence_file",
]
