"""What has to be checked before a certificate is believed: keys, message, aggregate."""

from typing import Final, TypeAlias

from metanode.primitives.bitmap import decode as decode_bitmap
from metanode.primitives.names import Hash, Height, Round
from metanode.records.commit import (
    BlsCommit,
    PreparedCertificate,
    commit_seats,
    commit_signing_bytes,
    prepare_signing_bytes,
)
from metanode.records.validators import ValidatorSet
from metanode.records.vote import VoteKind

ENVELOPES_MAX: Final = 16
"""Up to so many seats a list of envelope signatures is cheaper to check than one pairing, and each is attributable."""

AggregateClaim: TypeAlias = tuple[tuple[bytes, ...], bytes, bytes]
"""(public keys, message, aggregate signature): one item of `CheckAggregates`."""


def commit_claim(commit: BlsCommit, validators: ValidatorSet, chain_id: Hash) -> AggregateClaim:
    """BLS-B5. The one check that makes a commit believed. Raises `Rejected` where it cannot be one."""
    seats = commit_seats(commit, validators)
    message = commit_signing_bytes(
        chain_id, validators.hash, Height(commit.height), Round(commit.round), Hash(commit.header_hash)
    )
    return tuple(validators.bls_keys[seat] for seat in seats), message, commit.aggregate_signature


def prepared_claim(certificate: PreparedCertificate, validators: ValidatorSet, chain_id: Hash) -> AggregateClaim:
    """BLS-B10. The one check of an aggregated prepared certificate. Raises `Rejected` on a bitmap that is none."""
    seats = decode_bitmap(certificate.validator_bitmap, len(validators))
    message = prepare_signing_bytes(
        chain_id, validators.hash, Height(certificate.height), Round(certificate.round), Hash(certificate.header_hash)
    )
    return tuple(validators.bls_keys[seat] for seat in seats), message, certificate.proof[0]


def has_seal(kind: VoteKind, seats: int) -> bool:
    """BLS-B10. Every COMMIT carries a BLS share, a PREPARE only where certificates are aggregated."""
    return kind is VoteKind.COMMIT or (kind is VoteKind.PREPARE and seats > ENVELOPES_MAX)
