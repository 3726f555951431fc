"""The guard file: what the sign guard last allowed, on the disk before the signature leaves.

Two slots are written in turn: a torn write hurts the slot being written, never the one before it, and what was being
written was not yet released.
"""

import struct
from enum import StrEnum
from hashlib import sha256
from pathlib import Path
from typing import Final

from metanode.host.disk import Disk, read_file, write_durably
from metanode.host.fault import Fault, FaultReason

SLOT_BYTES: Final = 4096
"""A sector of today's disks: a slot is torn alone."""
RECORD_BYTES_MAX: Final = SLOT_BYTES - 128
"""A record holds a few hashes and signatures, some 400 bytes."""
FORMAT: Final = 1
"""Version of the slots."""

_SLOT: Final = struct.Struct(">8sHBxQ32sI")
_MAGIC: Final = b"MNGUARD\n"
_RESTORED: Final = 1
_TAG: Final = b"metanode.sguard1"


class GuardCondition(StrEnum):
    """What was found where the guard should be."""

    HELD = "held"
    """Both slots are good, or the guard is new: its record is the last one."""
    FELL_BACK = "fell-back"
    """One slot is bad, most often torn by a crash: the record of the other one holds, and peers will be asked."""
    RESTORED = "restored"
    """The directory comes from a backup, which knows nothing of what was signed since: sign nothing."""
    MISSING = "missing"
    """There is none although the directory was initialised, a wiped disk: sign nothing."""
    DAMAGED = "damaged"
    """Both slots are bad: sign nothing."""


class GuardFile:
    """One guard on the disk. `identity` (32 bytes: chain and keys) tells a guard of another validator from ours."""

    def __init__(self, path: Path, identity: bytes, disk: Disk) -> None:
        assert len(identity) == 32, "an identity is a digest"
        self._path = path
        self._identity = identity
        self._disk = disk
        self._file = -1
        self._generation = 0
        self._stopped = ""
        self.condition = GuardCondition.MISSING
        self.record = b""

    @classmethod
    def create(cls, path: Path, identity: bytes, disk: Disk) -> None:
        """DISK-16. A guard that has allowed nothing yet. Only `init` may do this. Raises `Fault` where one exists."""
        if path.exists():
            fix = "use the data directory as it is; never delete a guard that may have signed"
            raise Fault(FaultReason.DIRECTORY_EXISTS, f"{path} exists", fix)
        _write_new(disk, path, identity, b"", 0)

    @classmethod
    def create_restored(cls, path: Path, identity: bytes, disk: Disk) -> None:
        """DISK-19. What a restored backup gets instead of a guard: it signs nothing until somebody vouches."""
        _write_new(disk, path, identity, b"", _RESTORED)

    @classmethod
    def open(cls, path: Path, identity: bytes, disk: Disk) -> "GuardFile":
        """DISK-17. The guard in the condition it is found in. Raises `Fault` if it is another validator's."""
        guard = cls(path, identity, disk)
        if path.exists():
            guard._load(read_file(path, 2 * SLOT_BYTES))
            if guard.may_store:
                guard._file = disk.open(path)
        return guard

    @property
    def may_store(self) -> bool:
        """Whether records can be stored, so that signatures can be given."""
        return self.condition in (GuardCondition.HELD, GuardCondition.FELL_BACK)

    @property
    def generation(self) -> int:
        """Grows by one with every record stored."""
        return self._generation

    def store(self, record: bytes) -> None:
        """DISK-18. Return when the record is durable; only then may its signature leave. Raises `Fault`; after one
        nothing is stored any more."""
        assert len(record) <= RECORD_BYTES_MAX, "records are bounded"
        if not self.may_store or self._stopped:
            why = self._stopped or f"the guard is {self.condition}"
            fix = "let the node observe until its peers have answered, or use the operator's override"
            raise Fault(FaultReason.GUARD_UNUSABLE, f"{self._path}: {why}", fix)
        generation = self._generation + 1
        try:
            self._disk.write(
                self._file, (generation % 2) * SLOT_BYTES, _slot(self._identity, record, generation, restored=0)
            )
            self._disk.sync(self._file)
        except Fault as fault:
            self._stopped = str(fault)
            raise
        self._generation, self.record, self.condition = generation, record, GuardCondition.HELD

    def vouch(self, record: bytes) -> None:
        """DISK-20. Somebody who knows says that nothing above this record was signed: Q answers of peers, or the
        operator. A new guard takes the place of a missing, damaged or restored one; a damaged one is kept beside it."""
        assert not self.may_store, "a guard that holds needs nobody's word"
        if self.condition is GuardCondition.DAMAGED:
            self._disk.rename(self._path, self._path.with_name(self._path.name + ".damaged"))
        _write_new(self._disk, self._path, self._identity, record, 0)
        self._load(read_file(self._path, 2 * SLOT_BYTES))
        self._file = self._disk.open(self._path)

    def close(self) -> None:
        """Close the file; what was stored is durable."""
        if self._file >= 0:
            self._disk.close(self._file)
        self._file = -1
        self._stopped = "the guard is closed"

    def _load(self, data: bytes) -> None:
        slots = [_read_slot(data[at : at + SLOT_BYTES]) for at in (0, SLOT_BYTES)]
        good = sorted((slot for slot in slots if slot is not None), key=lambda slot: slot[0])
        if not good:
            self.condition = GuardCondition.DAMAGED
            return
        generation, identity, restored, record = good[-1]
        if identity != self._identity:
            fix = "put the guard of this validator and this chain back, or restore its backup"
            raise Fault(FaultReason.DIRECTORY_OTHER_CHAIN, f"{self._path} is the guard of other keys", fix)
        self._generation, self.record = generation, record
        if restored:
            self.condition = GuardCondition.RESTORED
        elif len(good) == 2 and good[0][0] + 1 >= generation:
            self.condition = GuardCondition.HELD
        else:
            self.condition = GuardCondition.FELL_BACK


def guard_identity(chain_id: bytes, vote_key: bytes, bls_key: bytes) -> bytes:
    """Whose guard: 32 bytes over the chain and the two public keys it guards."""
    return sha256(_TAG + b"identity" + chain_id + vote_key + bls_key).digest()


def _slot(identity: bytes, record: bytes, generation: int, restored: int) -> bytes:
    fields = _SLOT.pack(_MAGIC, FORMAT, restored, generation, identity, len(record)) + record
    return fields + sha256(_TAG + fields).digest()


def _read_slot(data: bytes) -> tuple[int, bytes, int, bytes] | None:
    """(generation, identity, restored, record) of a good slot."""
    if len(data) < _SLOT.size:
        return None
    magic, version, restored, generation, identity, length = _SLOT.unpack_from(data)
    end = _SLOT.size + length
    if magic != _MAGIC or version != FORMAT or length > RECORD_BYTES_MAX or len(data) < end + 32:
        return None
    if sha256(_TAG + data[:end]).digest() != data[end : end + 32]:
        return None
    return generation, identity, restored, data[_SLOT.size : end]


def _write_new(disk: Disk, path: Path, identity: bytes, record: bytes, restored: int) -> None:
    slots = (_slot(identity, record, generation, restored).ljust(SLOT_BYTES, b"\0") for generation in (0, 1))
    write_durably(disk, path, b"".join(slots))
