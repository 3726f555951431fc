"""Votes: the signed envelopes of consensus, each of them evidence by itself."""

import struct
from enum import IntEnum
from typing import Final

from metanode.primitives.codec import Wire, encode
from metanode.primitives.digest import Tag, digest
from metanode.primitives.names import NO_HASH, Hash
from metanode.primitives.refusal import Refusal, Rejected
from metanode.records.commit import PreparedCertificate

JUSTIFICATION_BYTES_MAX: Final = 1 << 16
"""256 round changes of 159 bytes and a certificate stay below this; a longer one justifies nothing and is not passed
on, so that no liar makes honest seats carry it about as evidence."""
NO_ROUND: Final = 0xFFFF_FFFF
"""In `prepared_round`: nothing was prepared."""
ROUND_MAX: Final = 0xFFFF_FFFE
"""Rounds fit 32 bits."""
HEIGHT_MAX: Final = (1 << 63) - 1
"""Heights fit a signed 64-bit integer."""

_ENVELOPE: Final = struct.Struct(">16s32s32sBQII32sI32s")


class VoteKind(IntEnum):
    """The four messages of IBFT."""

    PROPOSAL = 1
    PREPARE = 2
    COMMIT = 3
    ROUND_CHANGE = 4


_KINDS: Final = tuple(int(kind) for kind in VoteKind)


class VoteRefusal(Refusal):
    """Why a vote cannot be one, whoever signed it."""

    UNKNOWN_KIND = "vote.unknown-kind"
    """Not one of the four messages."""
    WRONG_WIDTH = "vote.wrong-width"
    """A hash, seal or signature of the wrong length, or a number out of range."""


class Vote(Wire):
    """One signed statement of one seat about one (height, round).

    `header_hash`: what is proposed, prepared, committed, or (ROUND-CHANGE) was prepared, else zeros.
    `prepared_round`: of a ROUND-CHANGE, else NO_ROUND. `attachment`: the digest of what belongs to it — of a PROPOSAL
    the justification, of a ROUND-CHANGE the certificate, of a PREPARE or COMMIT the BLS share in `seal`; zeros where
    there is none. `seal`: 96 bytes or empty. `signature`: Ed25519 by the vote key, 64 bytes.
    """

    version: int
    kind: int
    height: int
    round: int
    seat: int
    header_hash: bytes
    prepared_round: int
    attachment: bytes
    seal: bytes
    signature: bytes


class Justification(Wire):
    """Why a round above 0 may propose this: Q ROUND-CHANGEs, and the highest prepared certificate among them."""

    round_changes: tuple[Vote, ...]
    certificates: tuple[PreparedCertificate, ...]


def vote_signing_bytes(chain_id: Hash, validators_hash: Hash, vote: Vote) -> bytes:
    """IBFT-M1. What the vote key signs: fixed width, everything but the seal (in `attachment`) and the signature."""
    return _ENVELOPE.pack(
        Tag.VOTE.value,
        chain_id,
        validators_hash,
        vote.kind,
        vote.height,
        vote.round,
        vote.seat,
        vote.header_hash,
        vote.prepared_round,
        vote.attachment,
    )


def check_vote(vote: Vote) -> None:
    """IBFT-M1. Widths and ranges, and the seal under its digest. Raises `Rejected` with a `VoteRefusal`."""
    if vote.version != 1 or vote.kind not in _KINDS:
        raise Rejected(VoteRefusal.UNKNOWN_KIND, f"version {vote.version} kind {vote.kind}")
    widths = (len(vote.header_hash), len(vote.attachment), len(vote.signature))
    if widths != (32, 32, 64) or len(vote.seal) not in (0, 96):
        raise Rejected(VoteRefusal.WRONG_WIDTH, "hashes 32, signature 64, seal 0 or 96 bytes")
    if not (0 < vote.height <= HEIGHT_MAX and 0 <= vote.round <= ROUND_MAX and 0 <= vote.seat < 1 << 16):
        raise Rejected(VoteRefusal.WRONG_WIDTH, "height, round or seat out of range")
    if not 0 <= vote.prepared_round <= NO_ROUND:
        raise Rejected(VoteRefusal.WRONG_WIDTH, "prepared round out of range")
    if vote.kind in (VoteKind.PREPARE, VoteKind.COMMIT) and vote.attachment != seal_digest(vote.seal):
        raise Rejected(VoteRefusal.WRONG_WIDTH, "the attachment is not the digest of the seal")


def seal_digest(seal: bytes) -> Hash:
    """IBFT-M1. What binds a BLS share to its envelope; zeros where there is no share."""
    return digest(Tag.SEAL, seal) if seal else NO_HASH


def justification_digest(justification: Justification) -> Hash:
    """IBFT-M1. What binds a proposal to its justification; zeros for the empty one of round 0."""
    if not justification.round_changes and not justification.certificates:
        return NO_HASH
    return digest(Tag.JUSTIFICATION, encode(justification))
