"""Keys that everybody can make: what validators of a development network could sign if they lied."""

from typing import Final

import msgspec

from metanode.client import Client
from metanode.host.keys import development_secrets
from metanode.primitives import bitmap, bls, ed25519
from metanode.primitives.codec import encode
from metanode.primitives.names import NO_HASH, Hash, Height, Round
from metanode.records.commit import BlsCommit, commit_signing_bytes
from metanode.records.evidence import ConflictingVotes, Evidence
from metanode.records.evidence_file import TESTIMONIES, Testimony, evidence_file
from metanode.records.header import read_header
from metanode.records.validators import VALIDATOR_LISTS, ValidatorSet
from metanode.records.vote import NO_ROUND, Justification, Vote, VoteKind, seal_digest, vote_signing_bytes

CLOCK: Final = 16 + 2 + 32 + 8 + 7
"""The last byte of a header's `timestamp_ms`."""


class Forger:
    """Signs for any validator of a development network at one height."""

    def __init__(self, chain_id: bytes, validators: ValidatorSet, height: int) -> None:
        self.chain_id: Final = Hash(chain_id)
        self.validators: Final = validators
        self.height: Final = height

    @classmethod
    def at(cls, client: Client, height: int) -> "Forger":
        """With the set that signed this height."""
        page = client.block.headers(height, 1)
        validators = ValidatorSet(VALIDATOR_LISTS.decode(bytes.fromhex(page.validators)).validators)
        return cls(bytes.fromhex(page.chain_id), validators, height)

    def vote(self, kind: VoteKind, seat: int, header_hash: bytes, round_: int = 0) -> Vote:
        """A word of a seat."""
        secrets = development_secrets(self.validators[seat].name)
        seal = b""
        if kind is VoteKind.COMMIT:
            seal = bls.sign(secrets.bls, self._seal_message(header_hash, round_))
        unsigned = Vote(
            version=1,
            kind=int(kind),
            height=self.height,
            round=round_,
            seat=seat,
            header_hash=header_hash,
            prepared_round=NO_ROUND,
            attachment=seal_digest(seal),
            seal=seal,
            signature=b"",
        )
        message = vote_signing_bytes(self.chain_id, self.validators.hash, unsigned)
        return msgspec.structs.replace(unsigned, signature=ed25519.SigningKey(secrets.vote).sign(message))

    def commit(self, seats: list[int], header_hash: bytes, round_: int) -> BlsCommit:
        """A certificate by these seats."""
        names = [self.validators[seat].name for seat in seats]
        message = self._seal_message(header_hash, round_)
        return BlsCommit(
            version=1,
            height=self.height,
            round=round_,
            header_hash=header_hash,
            validator_bitmap=bitmap.encode(seats, len(self.validators)),
            aggregate_signature=bls.aggregate([bls.sign(development_secrets(n).bls, message) for n in names]),
        )

    def double(self, seat: int) -> ConflictingVotes:
        """Two PREPAREs of one seat."""
        words = [self.vote(VoteKind.PREPARE, seat, bytes([value]) * 32) for value in (1, 2)]
        return ConflictingVotes(validators_hash=self.validators.hash, first=words[0], second=words[1])

    def file(self, evidence: Evidence) -> bytes:
        """The evidence file, for a set that genesis knows."""
        return encode(evidence_file(self.chain_id, (), evidence))

    def other_side(self, testimony: bytes, seats: list[int], round_: int, *, transcript: bool) -> bytes:
        """What a node would say to which these seats showed another block as final in a later round, on ROUND-CHANGEs
        that deny the first; with what it heard, or without."""
        ours: Testimony = TESTIMONIES.decode(testimony)
        header = bytearray(ours.header)
        header[CLOCK] ^= 1
        changes = tuple(self.vote(VoteKind.ROUND_CHANGE, seat, NO_HASH, round_) for seat in seats)
        why = Justification(round_changes=changes, certificates=())
        theirs = msgspec.structs.replace(
            ours,
            header=bytes(header),
            commit=self.commit(seats, read_header(bytes(header)).hash, round_),
            votes=changes if transcript else (),
            justifications=(why,) if transcript else (),
        )
        return encode(theirs)

    def _seal_message(self, header_hash: bytes, round_: int) -> bytes:
        place = Height(self.height), Round(round_), Hash(header_hash)
        return commit_signing_bytes(self.chain_id, self.validators.hash, *place)
