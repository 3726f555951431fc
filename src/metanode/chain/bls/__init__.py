"""Votes into one aggregated commit: shares are buffered, summed and checked once (BLS-B6)."""

from metanode.chain.bls.claims import ENVELOPES_MAX, AggregateClaim, commit_claim, has_seal, prepared_claim
from metanode.chain.bls.shares import ShareBuffer, ShareRequest

__all__ = [
    "ENVELOPES_MAX",
    "AggregateClaim",
    "ShareBuffer",
    "ShareRequest",
    "commit_claim",
    "has_seal",
    "prepared_claim",
]
