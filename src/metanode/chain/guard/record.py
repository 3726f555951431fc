"""The one record of a sign guard, and its bytes."""

from typing import Final

from metanode.primitives.codec import Decoder, Wire, encode
from metanode.primitives.digest import Tag, digest
from metanode.primitives.names import NO_HASH, Hash
from metanode.primitives.refusal import Refusal
from metanode.records.vote import NO_ROUND, Vote, VoteKind, vote_signing_bytes

RECORD_BYTES_MAX: Final = 2048
"""A record is some 600 bytes; it fits a sector of any disk."""
NO_COMMIT: Final = NO_ROUND
"""In `committed_round`: nothing was committed at this height."""

STEPS: Final = {VoteKind.ROUND_CHANGE: 1, VoteKind.PROPOSAL: 2, VoteKind.PREPARE: 3, VoteKind.COMMIT: 4}
"""GUARD-1. The order of words within a round: one enters it, proposes, prepares, commits."""


class GuardRefusal(Refusal):
    """Why the guard does not sign."""

    OTHER_CHAIN = "guard.other-chain"
    """The keys are in use on another chain: one guard, one chain."""
    BACKWARDS = "guard.backwards"
    """A later word was signed already."""
    SECOND_WORD = "guard.second-word"
    """Another word for the same step was signed already."""
    OTHER_VALUE = "guard.other-value"
    """A word for another value in the same round was signed already."""
    HIDES_COMMIT = "guard.hides-commit"
    """A ROUND-CHANGE that shows less than what was committed at this height."""


class GuardRecord(Wire):
    """What was signed last: (height, round, step), the digest of the statement, and the signed vote itself (none before
    the first); and the highest commit of that height, `NO_COMMIT` and zeros where there is none."""

    version: int
    chain_id: bytes
    height: int
    round: int
    step: int
    digest: bytes
    vote: tuple[Vote, ...]
    committed_round: int
    committed_hash: bytes


RECORDS: Final = Decoder[GuardRecord](GuardRecord, RECORD_BYTES_MAX)

NOTHING_SIGNED: Final = GuardRecord(
    version=1,
    chain_id=NO_HASH,
    height=0,
    round=0,
    step=0,
    digest=NO_HASH,
    vote=(),
    committed_round=NO_COMMIT,
    committed_hash=NO_HASH,
)
"""GUARD-6. What `init` writes. A guard that is missing later means a wiped disk, not this."""


def encode_record(record: GuardRecord) -> bytes:
    """GUARD-6. The canonical bytes; checksums and slots belong to the disk."""
    return encode(record)


def read_record(data: bytes) -> GuardRecord:
    """GUARD-6. The record of these bytes; no bytes are the record of a guard that never signed. Raises `Rejected`."""
    return RECORDS.decode(data) if data else NOTHING_SIGNED


def statement_digest(vote: Vote, chain_id: bytes, validators_hash: bytes) -> Hash:
    """GUARD-2. Names what is asked to be signed: a vote without seal and signature, under its chain and set."""
    return digest(Tag.VOTE, vote_signing_bytes(Hash(chain_id), Hash(validators_hash), vote))


def place_of(vote: Vote) -> tuple[int, int, int]:
    """GUARD-1. (height, round, step): words are signed in this order only."""
    return vote.height, vote.round, STEPS[VoteKind(vote.kind)]
