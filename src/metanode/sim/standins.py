"""Stand-ins for heavy mathematics: as hard to confuse as the real thing for honest code, and a thousand times faster.

A signature is a digest of the public key and the message. Only the simulator's signers make them, so a liar in the
pretend world can sign what its own keys can sign, and nothing else.
"""

from collections.abc import Sequence
from hashlib import sha256
from typing import Final, assert_never

from metanode.network.bpci.compute import (
    Agree,
    Agreed,
    Encapsulate,
    Encapsulated,
    FreshKeys,
    Operation,
    OwnKeys,
    Result,
    SignAll,
    Signatures,
    Verdicts,
    VerifyAll,
)
from metanode.primitives.sealing import KEM_CIPHERTEXT_BYTES, KEM_PUBLIC_KEY_BYTES

_SIGNATURE: Final = b"sim.signature"
_SHARE: Final = b"sim.share"
_AGGREGATE: Final = b"sim.aggregate"
_POSSESSION: Final = b"sim.possession"


def _wide(width: int, *parts: bytes) -> bytes:
    block = sha256(b"\0".join(parts)).digest()
    return (block * (-(-width // 32)))[:width]


def key(kind: str, name: str, width: int) -> bytes:
    """A public key of this width; the first byte looks like a compressed point."""
    return b"\x8a" + _wide(width - 1, b"sim.key", kind.encode(), name.encode())


def sign(public_key: bytes, message: bytes) -> bytes:
    """An Ed25519 stand-in, 64 bytes."""
    return _wide(64, _SIGNATURE, public_key, message)


def verify(public_key: bytes, message: bytes, signature: bytes) -> bool:
    """Whether `sign` made it."""
    return signature == sign(public_key, message)


def share(bls_key: bytes, message: bytes) -> bytes:
    """A BLS share stand-in, 96 bytes."""
    return b"\x8a" + _wide(95, _SHARE, bls_key, message)


def possession(bls_key: bytes) -> bytes:
    """A proof of possession stand-in, 96 bytes."""
    return b"\x8a" + _wide(95, _POSSESSION, bls_key)


def verify_possession(bls_key: bytes, proof: bytes) -> bool:
    """Whether `possession` made it."""
    return proof == possession(bls_key)


def aggregate(keys: Sequence[bytes], message: bytes) -> bytes:
    """What the shares of these keys over this message sum to, 96 bytes."""
    return b"\x8a" + _wide(95, _AGGREGATE, message, *sorted(keys))


def check_shares(keys: Sequence[bytes], message: bytes, shares: Sequence[bytes]) -> tuple[bytes, tuple[int, ...]]:
    """The aggregate if all are good, else the positions of the bad ones."""
    bad = tuple(i for i, (k, s) in enumerate(zip(keys, shares, strict=True)) if s != share(k, message))
    return (b"", bad) if bad else (aggregate(keys, message), ())


def verify_aggregate(keys: Sequence[bytes], message: bytes, signature: bytes) -> bool:
    """Whether it is the sum of good shares of exactly these keys."""
    return bool(keys) and signature == aggregate(keys, message)


def compute(operation: Operation, transport_key: bytes, entropy: bytes) -> Result:
    """Answer a question of the transport from 96 seeded bytes."""
    match operation:
        case FreshKeys():
            return OwnKeys(
                entropy[:32],
                _wide(32, b"sim.exchange", entropy[:32]),
                entropy[32:],
                _wide(KEM_PUBLIC_KEY_BYTES, b"sim.kem", entropy[32:]),
            )
        case Encapsulate(exchange_public, kem_public):
            own = _wide(32, b"sim.exchange", entropy[:32])
            pair = sorted((own, exchange_public))
            ciphertext = _wide(KEM_CIPHERTEXT_BYTES, b"sim.ciphertext", kem_public, own)
            return Encapsulated(own, ciphertext, _wide(64, b"sim.secret", *pair, ciphertext))
        case Agree(own_keys, exchange_public, kem_ciphertext):
            pair = sorted((own_keys.exchange_public, exchange_public))
            return Agreed(_wide(64, b"sim.secret", *pair, kem_ciphertext))
        case SignAll(messages):
            return Signatures(tuple(sign(transport_key, message) for message in messages))
        case VerifyAll(items):
            return Verdicts(tuple(verify(*item) for item in items))
        case _ as never:
            assert_never(never)
