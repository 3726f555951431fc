"""A chair that lies by chance: whatever its own keys can sign, to each of the others something else."""

from random import Random
from typing import Final

import msgspec

from metanode.chain import ibft
from metanode.chain.ibft import Ballot, Proposal, RoundChange
from metanode.primitives.bitmap import encode as encode_bitmap
from metanode.primitives.names import NO_HASH, Hash, Seat
from metanode.records.commit import PreparedCertificate, certificate_digest
from metanode.records.header import read_header
from metanode.records.validators import ValidatorSet
from metanode.records.vote import NO_ROUND, Justification, Vote, VoteKind, justification_digest
from metanode.sim.council.members import CHAIN, Register, block
from metanode.sim.signing import sign_again

LIES_PERCENT: Final = 30
"""So many of its words to one seat are not what it said to others."""


class Liar:
    """The mouth of a liar: what it says in place of a message, to one of the others."""

    def __init__(self, random: Random, register: Register, keys: tuple[bytes, bytes]) -> None:
        self._random: Final = random
        self._register: Final = register
        self._keys: Final = keys
        self.twins: Final[dict[bytes, ibft.Content]] = {}

    def instead(self, message: ibft.Message) -> list[ibft.Message]:
        """Mostly the truth."""
        if not isinstance(message, Proposal | Ballot | RoundChange) or self._random.randrange(100) >= LIES_PERCENT:
            return [message]
        vote = message.vote
        members = self._register.at(vote.height)
        if members[vote.seat].vote_key != self._keys[0] if vote.seat < len(members) else True:
            return []  # it keeps the words of others to itself
        match message:
            case Ballot():
                return self._ballot(vote, members)
            case RoundChange():
                return self._round_change(message, members)
            case Proposal():
                return self._proposal(message, members)

    def _ballot(self, vote: Vote, members: ValidatorSet) -> list[ibft.Message]:
        """Silence, another value, another round, a COMMIT too early, a forged word of somebody else."""
        match self._random.randrange(6):
            case 0:
                return []
            case 1:
                twin = self._twin_hash(vote.height, vote.round)
                return [Ballot(vote=self._sign(vote, members, header_hash=twin))]
            case 2:
                ahead = vote.round + self._random.choice((1, 3, 20))
                return [Ballot(vote=vote), Ballot(vote=self._sign(vote, members, round=ahead))]
            case 3 if vote.kind == VoteKind.PREPARE:
                commit = msgspec.structs.replace(vote, kind=VoteKind.COMMIT, seal=bytes(96))
                return [Ballot(vote=vote), Ballot(vote=self._sign(commit, members))]
            case 4:
                victim = self._random.randrange(len(members))
                return [Ballot(vote=msgspec.structs.replace(vote, seat=victim))]
            case _:
                return [Ballot(vote=vote), Ballot(vote=self._sign(vote, members, header_hash=_other(vote.header_hash)))]

    def _round_change(self, message: RoundChange, members: ValidatorSet) -> list[ibft.Message]:
        """It denies what it prepared, claims what nobody did, or is far ahead."""
        vote = message.vote
        match self._random.randrange(5):
            case 0:
                return []
            case 1:
                denied = self._sign(vote, members, header_hash=NO_HASH, prepared_round=NO_ROUND, attachment=NO_HASH)
                return [RoundChange(vote=denied, certificates=())]
            case 2:
                ahead = vote.round + self._random.choice((1, 2, 40, 4_000_000))
                return [RoundChange(vote=self._sign(vote, members, round=ahead), certificates=message.certificates)]
            case 3:
                return [self._claim(vote, members)]
            case _:
                return [message, RoundChange(vote=msgspec.structs.replace(vote, round=vote.round + 1), certificates=())]

    def _claim(self, vote: Vote, members: ValidatorSet) -> RoundChange:
        """A certificate of the right form for a block of its own, under signatures that nobody made."""
        twin = self._twin_hash(vote.height, vote.round)
        forged = PreparedCertificate(
            version=1,
            kind=1,
            height=vote.height,
            round=vote.round - 1,
            header_hash=twin,
            validator_bitmap=encode_bitmap(range(members.quorum), len(members)),
            proof=tuple(bytes(64) for _ in range(members.quorum)),
        )
        digest = certificate_digest((forged,))
        claim = self._sign(vote, members, header_hash=twin, prepared_round=vote.round - 1, attachment=digest)
        return RoundChange(vote=claim, certificates=(forged,))

    def _proposal(self, message: Proposal, members: ValidatorSet) -> list[ibft.Message]:
        """Another block, beside the first or in its place, with or without the round changes that forbid it, or with
        too few of them; in round 0 with some where none belong."""
        vote, why = message.vote, message.justification
        match self._random.randrange(6):
            case 0:
                return []
            case 1 if vote.round == 0:
                change = self._sign(vote, members, kind=VoteKind.ROUND_CHANGE, round=1, header_hash=NO_HASH)
                stray = Justification(round_changes=(change,), certificates=())
                return [self._propose(message, vote.header_hash, stray, members)]
            case 3:
                afresh = Justification(round_changes=why.round_changes, certificates=())
                return [message, self._propose(message, self._twin_hash(vote.height, vote.round), afresh, members)]
            case 1 | 2:
                fewer = Justification(round_changes=why.round_changes[1:], certificates=why.certificates)
                return [self._propose(message, vote.header_hash, fewer, members)]
            case _:
                afresh = Justification(round_changes=why.round_changes, certificates=())
                return [self._propose(message, self._twin_hash(vote.height, vote.round), afresh, members)]

    def _propose(self, message: Proposal, value: bytes, why: Justification, members: ValidatorSet) -> Proposal:
        content = self.twins[value].content if value in self.twins else message.content
        vote = self._sign(message.vote, members, header_hash=value, attachment=justification_digest(why))
        return Proposal(vote=vote, content=content, justification=why)

    def _twin_hash(self, height: int, round_: int) -> bytes:
        """Its own other block of a round, valid like any."""
        members = self._register.at(height)
        seat = Seat(next(seat for seat, one in enumerate(members.validators) if one.vote_key == self._keys[0]))
        content = block(self._register, height, seat, Hash(bytes(32)), f"twin/{height}/{round_}/{seat}".encode())
        value = read_header(content.header).hash
        self.twins[value] = ibft.Content(height=height, content=content)
        return value

    def _sign(self, vote: Vote, members: ValidatorSet, **changed: object) -> Vote:
        return sign_again(
            msgspec.structs.replace(vote, **changed),
            chain_id=CHAIN,
            validators_hash=members.hash,
            vote_key=self._keys[0],
            bls_key=self._keys[1],
        )


def _other(value: bytes) -> bytes:
    """A value that nobody has."""
    return bytes(byte ^ 0x5A for byte in value)
