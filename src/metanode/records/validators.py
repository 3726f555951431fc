"""Validators: who may propose and vote, in seat order."""

from dataclasses import dataclass
from functools import cached_property
from typing import Final

from metanode.primitives.bitmap import faults, quorum
from metanode.primitives.codec import Decoder, Wire
from metanode.primitives.digest import Tag, digest
from metanode.primitives.names import Hash, Seat

VALIDATORS_MAX: Final = 256
"""Most seats of a set: all-to-all and bitmap costs stay known."""
NAME_MAX: Final = 64
"""Longest name of a validator, in bytes of UTF-8."""
ADDRESSES_MAX: Final = 4
"""Most network addresses a validator publishes."""
ADDRESS_MAX: Final = 255
"""Longest network address, in bytes of UTF-8."""
_SEAT_BYTES: Final = 256 + NAME_MAX + ADDRESSES_MAX * (ADDRESS_MAX + 3)
"""The keys, proof and operator of a seat take 239 bytes, its name and addresses what they may."""


class Validator(Wire):
    """One seat: its name, three public keys (Ed25519 32, Ed25519 32, BLS 48 bytes), proof of possession (96), the
    operator's account (20) and network addresses `host:port`."""

    name: str
    transport_key: bytes
    vote_key: bytes
    bls_key: bytes
    possession: bytes
    operator: bytes
    addresses: tuple[str, ...]


class ValidatorList(Wire):
    """The bytes of a set."""

    version: int
    validators: tuple[Validator, ...]


VALIDATOR_LISTS: Final = Decoder[ValidatorList](ValidatorList, VALIDATORS_MAX * _SEAT_BYTES)


@dataclass(frozen=True)
class ValidatorSet:
    """The ordered seats of one height, with what is derived from them computed once."""

    validators: tuple[Validator, ...]

    def __post_init__(self) -> None:
        assert 0 < len(self.validators) <= VALIDATORS_MAX, "a set is never empty and never above the maximum"

    def __len__(self) -> int:
        return len(self.validators)

    def __getitem__(self, seat: int) -> Validator:
        return self.validators[seat]

    @cached_property
    def hash(self) -> Hash:
        """BYTES-5. The digest of n ‖ (BLS key ‖ vote key)… in seat order; no addresses, no names."""
        keys = b"".join(v.bls_key + v.vote_key for v in self.validators)
        return digest(Tag.VALIDATORS, len(self.validators).to_bytes(4, "big"), keys)

    @cached_property
    def quorum(self) -> int:
        """The least number of seats that make a decision: ceil(2n/3)."""
        return quorum(len(self.validators))

    @cached_property
    def faults(self) -> int:
        """How many seats may lie: floor((n-1)/3)."""
        return faults(len(self.validators))

    @cached_property
    def seats_by_vote_key(self) -> dict[bytes, Seat]:
        """The seat of each vote key."""
        return {v.vote_key: Seat(i) for i, v in enumerate(self.validators)}

    @cached_property
    def seats_by_transport_key(self) -> dict[bytes, Seat]:
        """The seat of each transport key."""
        return {v.transport_key: Seat(i) for i, v in enumerate(self.validators)}

    @cached_property
    def bls_keys(self) -> tuple[bytes, ...]:
        """The BLS keys in seat order."""
        return tuple(v.bls_key for v in self.validators)
