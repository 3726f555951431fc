"""What has to be checked before votes and what rests on them are believed."""

from typing import NamedTuple, TypeAlias

from metanode.chain.bls import AggregateClaim, prepared_claim
from metanode.primitives.bitmap import decode as decode_bitmap
from metanode.primitives.names import NO_HASH, Hash
from metanode.records.commit import PREPARED_BY_AGGREGATE, PreparedCertificate
from metanode.records.validators import ValidatorSet
from metanode.records.vote import NO_ROUND, Justification, Vote, VoteKind, vote_signing_bytes

SignatureClaim: TypeAlias = tuple[bytes, bytes, bytes]
"""(public key, message, signature): one item of `CheckSignatures`."""


class Claims(NamedTuple):
    """All of these must verify."""

    signatures: tuple[SignatureClaim, ...]
    aggregates: tuple[AggregateClaim, ...]


def vote_claim(vote: Vote, validators: ValidatorSet, chain_id: Hash) -> SignatureClaim:
    """IBFT-M1. The envelope's signature."""
    message = vote_signing_bytes(chain_id, validators.hash, vote)
    return validators[vote.seat].vote_key, message, vote.signature


def certificate_votes(certificate: PreparedCertificate, validators: ValidatorSet) -> tuple[Vote, ...]:
    """IBFT-P5. The PREPAREs that a list of envelopes stands for; of an aggregate nobody can tell them apart: none."""
    if certificate.kind == PREPARED_BY_AGGREGATE:
        return ()
    seats = decode_bitmap(certificate.validator_bitmap, len(validators))
    return tuple(
        Vote(
            version=1,
            kind=VoteKind.PREPARE,
            height=certificate.height,
            round=certificate.round,
            seat=seat,
            header_hash=certificate.header_hash,
            prepared_round=NO_ROUND,
            attachment=NO_HASH,
            seal=b"",
            signature=signature,
        )
        for seat, signature in zip(seats, certificate.proof, strict=True)
    )


def certificate_claims(certificate: PreparedCertificate, validators: ValidatorSet, chain_id: Hash) -> Claims:
    """IBFT-P5. The signatures of a certificate that passed `check_certificate`, as envelopes or as one aggregate."""
    if certificate.kind == PREPARED_BY_AGGREGATE:
        return Claims((), (prepared_claim(certificate, validators, chain_id),))
    votes = certificate_votes(certificate, validators)
    return Claims(tuple(vote_claim(vote, validators, chain_id) for vote in votes), ())


def justification_claims(justification: Justification, validators: ValidatorSet, chain_id: Hash) -> Claims:
    """IBFT-P3, P5. Every signature of a justification that passed `check_justification`."""
    signatures = [vote_claim(change, validators, chain_id) for change in justification.round_changes]
    aggregates: list[AggregateClaim] = []
    for certificate in justification.certificates:
        claims = certificate_claims(certificate, validators, chain_id)
        signatures.extend(claims.signatures)
        aggregates.extend(claims.aggregates)
    return Claims(tuple(signatures), tuple(aggregates))
