"""Certificates: what makes a header final, and what lets a later round carry it on."""

import struct
from typing import Final

from metanode.primitives.bitmap import decode as decode_bitmap
from metanode.primitives.codec import Decoder, Wire, encode
from metanode.primitives.digest import Tag, digest
from metanode.primitives.names import NO_HASH, Hash, Height, Round, Seat
from metanode.primitives.refusal import Refusal, Rejected
from metanode.records.validators import ValidatorSet

HEIGHTS: Final = range(1, 1 << 63)
"""Heights a certificate can be of: they fit a signed 64-bit integer."""
ROUNDS: Final = range(0xFFFF_FFFF)
"""Rounds a certificate can be of: 32 bits, the last value means that there is none."""
CERTIFICATE_BYTES_MAX: Final = 65_536
"""A certificate of 256 seats with a signature each stays below this."""
_SEAL: Final = struct.Struct(">16s32s32sQI32s")


class CommitRefusal(Refusal):
    """Why a certificate cannot be one, before any signature is checked."""

    NO_QUORUM = "commit.no-quorum"
    """Fewer seats in the bitmap than a quorum."""
    WRONG_WIDTH = "commit.wrong-width"
    """A hash or signature of the wrong length."""
    OUT_OF_RANGE = "commit.out-of-range"
    """An unknown version, or a height or round that no vote can have."""


class BlsCommit(Wire):
    """One aggregate signature (96 bytes) and a bitmap of seats: this header is final at its height."""

    version: int
    height: int
    round: int
    header_hash: bytes
    validator_bitmap: bytes
    aggregate_signature: bytes


PREPARED_BY_ENVELOPES: Final = 1
"""Kind byte: the proof is the Ed25519 envelope signatures of the PREPAREs, in seat order."""
PREPARED_BY_AGGREGATE: Final = 2
"""Kind byte: the proof is one BLS aggregate over the prepare signing bytes."""


class PreparedCertificate(Wire):
    """Q seats PREPAREd this header in this round. `proof`: by kind, Q signatures of 64 bytes, or one of 96."""

    version: int
    kind: int
    height: int
    round: int
    header_hash: bytes
    validator_bitmap: bytes
    proof: tuple[bytes, ...]


COMMITS: Final = Decoder[BlsCommit](BlsCommit, CERTIFICATE_BYTES_MAX)


def commit_signing_bytes(
    chain_id: Hash, validators_hash: Hash, height: Height, round_: Round, header_hash: Hash
) -> bytes:
    """CHAIN-C1. What every signer of a commit signs with its BLS key: fixed width, big-endian."""
    return _SEAL.pack(Tag.COMMIT.value, chain_id, validators_hash, height, round_, header_hash)


def prepare_signing_bytes(
    chain_id: Hash, validators_hash: Hash, height: Height, round_: Round, header_hash: Hash
) -> bytes:
    """CHAIN-C2. What a PREPARE's BLS share signs where certificates are aggregated."""
    return _SEAL.pack(Tag.PREPARE.value, chain_id, validators_hash, height, round_, header_hash)


def commit_hash(commits: tuple[BlsCommit, ...]) -> Hash:
    """CHAIN-C3. `last_commit_hash`: the digest of the one certificate a body carries; zeros where there is none."""
    return digest(Tag.CERTIFICATE, encode(commits[0])) if commits else NO_HASH


def certificate_digest(certificates: tuple[PreparedCertificate, ...]) -> Hash:
    """CHAIN-C4. What a ROUND-CHANGE is signed over beside its own fields; zeros where nothing is prepared."""
    return digest(Tag.CERTIFICATE, encode(certificates[0])) if certificates else NO_HASH


def commit_seats(commit: BlsCommit, validators: ValidatorSet) -> tuple[Seat, ...]:
    """BLS-B5. The seats of a well-formed commit: canonical bitmap, a quorum, numbers that can be signed. Raises
    `Rejected`."""
    if commit.version != 1 or commit.height not in HEIGHTS or commit.round not in ROUNDS:
        place = f"version {commit.version}, height {commit.height}, round {commit.round}"
        raise Rejected(CommitRefusal.OUT_OF_RANGE, place)
    if len(commit.header_hash) != 32 or len(commit.aggregate_signature) != 96:
        raise Rejected(CommitRefusal.WRONG_WIDTH, "hash 32 and signature 96 bytes")
    seats = decode_bitmap(commit.validator_bitmap, len(validators))
    if len(seats) < validators.quorum:
        raise Rejected(CommitRefusal.NO_QUORUM, f"{len(seats)} of {len(validators)}, needs {validators.quorum}")
    return tuple(Seat(s) for s in seats)
