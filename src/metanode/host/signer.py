"""The signer: the only place where the validator's secrets are used, and nothing is signed past its guard."""

from dataclasses import dataclass
from typing import Final, TypeAlias, assert_never

import msgspec

from metanode.chain.guard import (
    NO_COMMIT,
    Guard,
    GuardRecord,
    Produce,
    Produced,
    Refuse,
    Release,
    Request,
    Store,
    encode_record,
    read_record,
)
from metanode.host.data_directory import Layout, Owner
from metanode.host.disk import Disk
from metanode.host.fault import Fault, FaultReason
from metanode.host.guard_file import GuardCondition, GuardFile, guard_identity
from metanode.host.keys import ValidatorPublic, ValidatorSecrets
from metanode.primitives import bls, ed25519
from metanode.primitives.names import NO_HASH, Hash
from metanode.primitives.refusal import Rejected
from metanode.records.vote import ROUND_MAX, Vote, check_vote, seal_digest, vote_signing_bytes

GUARD_UNUSABLE: Final = "guard.unusable"
"""The reason of every refusal while the guard is missing, damaged or restored."""
_LAST_STEP: Final = 4


@dataclass(frozen=True, slots=True)
class Signed:
    """The vote with its signature and, where one was asked for, its BLS share. The guard's record of it is durable."""

    vote: Vote


@dataclass(frozen=True, slots=True)
class Refused:
    """Not signed. `vote` as it was asked for, `reason` the stable code of the guard's refusal."""

    vote: Vote
    reason: str
    detail: str


Verdict: TypeAlias = Signed | Refused


class Signer:
    """Three keys behind one guard: two of them sign votes, the third traffic, which needs no guard."""

    def __init__(self, secrets: ValidatorSecrets, guard_file: GuardFile) -> None:
        """Raises `Fault` where the guard's record is not one this program reads."""
        self.public: Final[ValidatorPublic] = secrets.public
        self._vote_key = ed25519.SigningKey(secrets.vote)
        self._bls_secret = secrets.bls
        self._file = guard_file
        self._guard = _guard_of(guard_file)

    @property
    def condition(self) -> GuardCondition:
        """How the guard was found."""
        return self._file.condition

    @property
    def may_sign(self) -> bool:
        """Whether the guard holds. Whether a node may *vote* is for its peers to say, at every start (GUARD-9)."""
        return self._file.may_store

    @property
    def record(self) -> bytes:
        """The guard's record, for the start-up question; empty where nothing was ever signed or the guard is gone."""
        return self._file.record

    def sign(self, request: Request) -> Verdict:
        """GUARD-5, DISK-18. Sign a vote, or refuse. The record is durable before the signed vote is returned.

        Raises `Fault` of the disk; then the vote is nowhere, and nothing more is signed.
        """
        if not self.may_sign:
            return Refused(request.vote, GUARD_UNUSABLE, f"the guard is {self.condition}")
        effects = self._guard.handle(request)
        while True:
            effect, *effects = effects
            match effect:
                case Produce():
                    effects = [*effects, *self._guard.handle(Produced(self._produce(effect.request)))]
                case Store(record):
                    self._file.store(record)
                case Release(vote):
                    return Signed(vote)
                case Refuse(vote, reason, detail):
                    return Refused(vote, reason.value, detail)
                case _ as never:
                    assert_never(never)

    def vouch(self, chain_id: Hash, height: int) -> None:
        """DISK-20. Somebody who knows says that nothing above this height was signed: Q peers, or the operator.

        A new guard begins there: the whole height is over for us, because what was committed in it is forgotten.
        """
        record = GuardRecord(
            version=1,
            chain_id=chain_id,
            height=height,
            round=ROUND_MAX,
            step=_LAST_STEP,
            digest=NO_HASH,
            vote=(),
            committed_round=NO_COMMIT,
            committed_hash=NO_HASH,
        )
        self._file.vouch(encode_record(record))
        self._guard = Guard(record)

    def close(self) -> None:
        """Close the guard file."""
        self._file.close()

    def _produce(self, request: Request) -> Vote:
        """IBFT-M1. Share first, bound by the attachment; then the envelope over everything."""
        vote = request.vote
        if request.seal_message:
            seal = bls.sign(self._bls_secret, request.seal_message)
            vote = msgspec.structs.replace(vote, seal=seal, attachment=seal_digest(seal))
        message = vote_signing_bytes(Hash(request.chain_id), Hash(request.validators_hash), vote)
        signed = msgspec.structs.replace(vote, signature=self._vote_key.sign(message))
        check_vote(signed)
        return signed


def open_signer(layout: Layout, owner: Owner, secrets: ValidatorSecrets, disk: Disk) -> Signer:
    """The signer of a data directory: its guard, and keys that are the ones it was initialised with. Raises `Fault`."""
    public = secrets.public
    if guard_identity(owner.chain_id, public.vote_key, public.bls_key) != owner.identity:
        fix = "put the key files back that this directory was initialised with, or initialise another directory"
        raise Fault(FaultReason.DIRECTORY_OTHER_CHAIN, f"the keys in {layout.keys} are not {layout.root}'s", fix)
    return Signer(secrets, GuardFile.open(layout.guard, owner.identity, disk))


def _guard_of(guard_file: GuardFile) -> Guard:
    try:
        return Guard(read_record(guard_file.record))
    except Rejected as rejected:
        fix = "start it with the program that wrote it, or a newer one"
        raise Fault(FaultReason.GUARD_UNUSABLE, f"the guard's record: {rejected}", fix) from rejected
