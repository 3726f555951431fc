"""Counterfeit keys: anybody can compute them, and every forgery is seen. Real mathematics is tested elsewhere."""

from functools import cache
from hashlib import sha256, sha512

import msgspec

from metanode.chain.ibft.events import Sign
from metanode.primitives.bitmap import encode as encode_bitmap
from metanode.primitives.names import NO_HASH, Hash, Height, Millis, Round, Seat
from metanode.records.commit import (
    PREPARED_BY_AGGREGATE,
    PREPARED_BY_ENVELOPES,
    BlsCommit,
    PreparedCertificate,
    commit_signing_bytes,
    prepare_signing_bytes,
)
from metanode.records.header import Header
from metanode.records.proposal import ProposalContent, proposal_content
from metanode.records.validators import Validator, ValidatorSet
from metanode.records.vote import NO_ROUND, Vote, VoteKind, seal_digest, vote_signing_bytes

CHAIN = Hash(sha256(b"a chain").digest())


def validator(name: str) -> Validator:
    def key(kind: str, width: int) -> bytes:
        return (sha256(f"{kind} {name}".encode()).digest() * 2)[:width]

    return Validator(
        name=name,
        transport_key=key("transport", 32),
        vote_key=key("vote", 32),
        bls_key=key("bls", 48),
        possession=bytes(96),
        operator=bytes(20),
        addresses=(),
    )


@cache
def validators(seats: int) -> ValidatorSet:
    return ValidatorSet(tuple(validator(f"v{i}") for i in range(seats)))


def envelope(vote_key: bytes, message: bytes) -> bytes:
    return sha512(b"envelope" + vote_key + message).digest()


def share(bls_key: bytes, message: bytes) -> bytes:
    return (sha512(b"share" + bls_key + message).digest() * 2)[:96]


def aggregate(keys: tuple[bytes, ...], message: bytes) -> bytes:
    return (sha512(b"sum" + b"".join(sorted(keys)) + message).digest() * 2)[:96]


def check_signatures(items: tuple[tuple[bytes, bytes, bytes], ...]) -> tuple[bool, ...]:
    return tuple(envelope(key, message) == signature for key, message, signature in items)


def check_aggregates(items: tuple[tuple[tuple[bytes, ...], bytes, bytes], ...]) -> tuple[bool, ...]:
    return tuple(aggregate(keys, message) == total for keys, message, total in items)


def check_shares(message: bytes, keys: tuple[bytes, ...], shares: tuple[bytes, ...]) -> tuple[bytes, tuple[int, ...]]:
    bad = tuple(i for i, (k, s) in enumerate(zip(keys, shares, strict=True)) if share(k, message) != s)
    return (b"" if bad else aggregate(keys, message)), bad


def signed(vote: Vote, members: ValidatorSet, *, seal: bytes | None = None) -> Vote:
    """The vote with its share (the right one, unless given) and its envelope."""
    seats = len(members)
    hash_ = Hash(vote.header_hash)
    make = {VoteKind.COMMIT: commit_signing_bytes, VoteKind.PREPARE: prepare_signing_bytes}.get(VoteKind(vote.kind))
    if make is not None and (vote.kind == VoteKind.COMMIT or seats > 16):
        message = make(CHAIN, members.hash, Height(vote.height), Round(vote.round), hash_)
        seal = share(members[vote.seat].bls_key, message) if seal is None else seal
        vote = msgspec.structs.replace(vote, seal=seal, attachment=seal_digest(seal))
    signature = envelope(members[vote.seat].vote_key, vote_signing_bytes(CHAIN, members.hash, vote))
    return msgspec.structs.replace(vote, signature=signature)


def sign(request: Sign, members: ValidatorSet) -> Vote:
    return signed(request.vote, members)


def vote(
    members: ValidatorSet,
    kind: VoteKind,
    seat: int,
    header_hash: bytes,
    *,
    height: int = 1,
    round_: int = 0,
    prepared_round: int = NO_ROUND,
    attachment: bytes = NO_HASH,
    seal: bytes | None = None,
) -> Vote:
    unsigned = Vote(
        version=1,
        kind=kind,
        height=height,
        round=round_,
        seat=seat,
        header_hash=header_hash,
        prepared_round=prepared_round,
        attachment=attachment,
        seal=b"",
        signature=b"",
    )
    return signed(unsigned, members, seal=seal)


def certificate(
    members: ValidatorSet, seats: list[int], header_hash: bytes, *, height: int = 1, round_: int = 0
) -> PreparedCertificate:
    """A prepared certificate by these seats, of the kind that fits the set."""
    proof: tuple[bytes, ...]
    if len(members) > 16:
        message = prepare_signing_bytes(CHAIN, members.hash, Height(height), Round(round_), Hash(header_hash))
        kind, proof = PREPARED_BY_AGGREGATE, (aggregate(tuple(members.bls_keys[s] for s in seats), message),)
    else:
        kind = PREPARED_BY_ENVELOPES
        proof = tuple(
            vote(members, VoteKind.PREPARE, s, header_hash, height=height, round_=round_).signature for s in seats
        )
    return PreparedCertificate(
        version=1,
        kind=kind,
        height=height,
        round=round_,
        header_hash=header_hash,
        validator_bitmap=encode_bitmap(seats, len(members)),
        proof=proof,
    )


def commit(
    members: ValidatorSet, seats: list[int], header_hash: bytes, *, height: int = 1, round_: int = 0
) -> BlsCommit:
    message = commit_signing_bytes(CHAIN, members.hash, Height(height), Round(round_), Hash(header_hash))
    return BlsCommit(
        version=1,
        height=height,
        round=round_,
        header_hash=header_hash,
        validator_bitmap=encode_bitmap(seats, len(members)),
        aggregate_signature=aggregate(tuple(members.bls_keys[s] for s in seats), message),
    )


def content(
    members: ValidatorSet, proposer: int, word: str = "x", *, height: int = 1, chain_id: Hash = CHAIN
) -> ProposalContent:
    """A block that differs from others by its word."""
    root = Hash(sha256(word.encode()).digest())
    header = Header(
        version=1,
        chain_id=chain_id,
        height=Height(height),
        timestamp_ms=Millis(height * 1000),
        proposer=Seat(proposer),
        parent_hash=NO_HASH,
        last_commit_hash=NO_HASH,
        transactions_root=root,
        openings_root=NO_HASH,
        inclusion_root=NO_HASH,
        evidence_root=NO_HASH,
        state_root=root,
        receipts_root=root,
        history_root=NO_HASH,
        validators_hash=members.hash,
        next_validators_hash=members.hash,
        extensions_root=NO_HASH,
    )
    return proposal_content(header, [b"\x01" + root + root], (), ())
