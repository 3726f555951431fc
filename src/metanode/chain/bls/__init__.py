"""Votes into one aggregated commit: shares are buffered, summed and checked once (BLS-B6)."""

from metanode.chain.bls.claims import AggregateClaim, commit_claim, prepared_claim
from metanode.chain.bls.shares import ShareBuffer, ShareRequest

__all__ = ["AggregateClaim", "ShareBuffer", "ShareRequest", "commit_claim", "prepared_claim"]
