"""Votes signed by stand-in keys: for the signer of an honest computer behind its guard, and for liars past it."""

import msgspec

from metanode.primitives.names import Hash, Height, Round
from metanode.records.commit import commit_signing_bytes, prepare_signing_bytes
from metanode.records.vote import Vote, VoteKind, seal_digest, vote_signing_bytes
from metanode.sim import standins
from metanode.sim.seals import STAND_INS, Seals


def sign_vote(
    vote: Vote,
    *,
    chain_id: bytes,
    validators_hash: bytes,
    vote_key: bytes,
    bls_key: bytes,
    seal_message: bytes,
    seals: Seals = STAND_INS,
) -> Vote:
    """What the keys of a seat make of a vote: the share where a message is due, its digest, the envelope."""
    seal = seals.share(bls_key, seal_message) if seal_message else b""
    attachment = seal_digest(seal) if seal else vote.attachment
    sealed = msgspec.structs.replace(vote, seal=seal, attachment=attachment)
    message = vote_signing_bytes(Hash(chain_id), Hash(validators_hash), sealed)
    return msgspec.structs.replace(sealed, signature=standins.sign(vote_key, message))


def sign_again(
    vote: Vote,
    *,
    chain_id: Hash,
    validators_hash: Hash,
    vote_key: bytes,
    bls_key: bytes,
    seals: Seals = STAND_INS,
) -> Vote:
    """The same vote with other content, sealed where it was sealed before. Only liars have a use for this."""
    message = b""
    if vote.seal:
        make = commit_signing_bytes if vote.kind == VoteKind.COMMIT else prepare_signing_bytes
        message = make(chain_id, validators_hash, Height(vote.height), Round(vote.round), Hash(vote.header_hash))
    return sign_vote(
        vote,
        chain_id=chain_id,
        validators_hash=validators_hash,
        vote_key=vote_key,
        bls_key=bls_key,
        seal_message=message,
        seals=seals,
    )
