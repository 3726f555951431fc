"""What a check rests on: genesis, or a header that somebody trusts for a reason of his own."""

from dataclasses import dataclass
from typing import TypeAlias, assert_never

from metanode.primitives.names import NO_HASH, Hash, Height, Millis
from metanode.records.genesis import Genesis, genesis_hash, genesis_validators
from metanode.records.header import Header
from metanode.records.validators import ValidatorSet


@dataclass(frozen=True, slots=True)
class GenesisBasis:
    """The genesis file: the set that signs height 1, from the source of all trust."""

    genesis: Genesis


@dataclass(frozen=True, slots=True)
class HeaderBasis:
    """A trusted header, and the set that it says signs the next height. `trusting_period_ms`: how old it may be."""

    header: Header
    next_validators: ValidatorSet
    trusting_period_ms: int

    def __post_init__(self) -> None:
        assert self.next_validators.hash == self.header.next_validators_hash, "the set is the one the header names"


Basis: TypeAlias = GenesisBasis | HeaderBasis


@dataclass(frozen=True, slots=True)
class Trusted:
    """LIGHT-2. All a light client remembers: the last header it followed, and the set that signs after it.

    At genesis there is no header yet: `header` is empty, `hash` zeros, `timestamp_ms` when the chain was started.
    `validators` sign height + 1, and every later height until a header announces others.
    """

    chain_id: Hash
    height: Height
    hash: Hash
    timestamp_ms: Millis
    validators: ValidatorSet
    header: tuple[Header, ...]
    trusting_period_ms: int


def trust(basis: Basis) -> Trusted:
    """LIGHT-2. The state of a light client that knows nothing but its basis."""
    match basis:
        case GenesisBasis(genesis):
            return Trusted(
                chain_id=genesis_hash(genesis),
                height=Height(0),
                hash=NO_HASH,
                timestamp_ms=Millis(genesis.started_ms),
                validators=genesis_validators(genesis),
                header=(),
                trusting_period_ms=genesis.parameters.trusting_period_ms,
            )
        case HeaderBasis(header, next_validators, trusting_period_ms):
            return Trusted(
                chain_id=header.chain_id,
                height=header.height,
                hash=header.hash,
                timestamp_ms=header.timestamp_ms,
                validators=next_validators,
                header=(header,),
                trusting_period_ms=trusting_period_ms,
            )
        case _:
            assert_never(basis)
