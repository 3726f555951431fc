"""BLS secret keys out of one seed: the tree of EIP-2333."""

from hashlib import sha256
from typing import Final

from metanode.primitives.bls import GROUP_ORDER, SECRET_BYTES
from metanode.primitives.refusal import Refusal, Rejected
from metanode.primitives.sealing import hkdf_sha256

SEED_BYTES_MIN: Final = 32
"""Fewer bytes of seed give less than the curve's strength (EIP-2333, `derive_master_SK`)."""
INDEX_MAX: Final = (1 << 32) - 1
"""Indices are 4 bytes wide."""
DEPTH_MAX: Final = 16
"""Deepest path taken from a stranger; EIP-2334 uses five levels."""
_LAMPORT_PARTS: Final = 255
_SALT: Final = b"BLS-SIG-KEYGEN-SALT-"
_OUTPUT_BYTES: Final = 48


class DerivationRefusal(Refusal):
    """Why no key can be derived."""

    SHORT_SEED = "bls-derivation.short-seed"
    """A seed of fewer than 32 bytes."""
    WRONG_WIDTH = "bls-derivation.wrong-width"
    """A parent secret that has not 32 bytes."""
    BAD_PATH = "bls-derivation.bad-path"
    """Not `m` followed by at most 16 `/index`, each a plain number below 2^32."""


def _scalar_from(key_material: bytes) -> bytes:
    """HKDF_mod_r of EIP-2333 (KeyGen of draft-irtf-cfrg-bls-signature), as 32 bytes."""
    salt, scalar = _SALT, 0
    while scalar == 0:
        salt = sha256(salt).digest()
        info = _OUTPUT_BYTES.to_bytes(2, "big")
        okm = hkdf_sha256(key_material + b"\x00", salt=salt, info=info, length=_OUTPUT_BYTES)
        scalar = int.from_bytes(okm, "big") % GROUP_ORDER
    return scalar.to_bytes(SECRET_BYTES, "big")


def _lamport_parts(key_material: bytes, salt: bytes) -> list[bytes]:
    """IKM_to_lamport_SK of EIP-2333: 255 secrets of 32 bytes."""
    okm = hkdf_sha256(key_material, salt=salt, info=b"", length=_LAMPORT_PARTS * 32)
    return [okm[start : start + 32] for start in range(0, len(okm), 32)]


def derive_master(seed: bytes) -> bytes:
    """BLS-K1. The 32-byte secret at the root of the tree of `seed`. Raises `Rejected` below 32 bytes of seed."""
    if len(seed) < SEED_BYTES_MIN:
        raise Rejected(DerivationRefusal.SHORT_SEED, f"{len(seed)} bytes of seed")
    return _scalar_from(seed)


def derive_child(parent: bytes, index: int) -> bytes:
    """BLS-K1. The 32-byte secret of child `index` of a 32-byte secret. Raises `Rejected` for another width."""
    if len(parent) != SECRET_BYTES:
        raise Rejected(DerivationRefusal.WRONG_WIDTH, f"a parent of {len(parent)} bytes")
    assert 0 <= index <= INDEX_MAX, "an index has 4 bytes"
    salt = index.to_bytes(4, "big")
    inverted = bytes(byte ^ 0xFF for byte in parent)
    parts = _lamport_parts(parent, salt) + _lamport_parts(inverted, salt)
    return _scalar_from(sha256(b"".join([sha256(part).digest() for part in parts])).digest())


def derive_path(seed: bytes, path: str) -> bytes:
    """BLS-K1. The 32-byte secret at `path`, written as in EIP-2334: `m/12381/3600/0/0`. Raises `Rejected`."""
    root, *steps = path.split("/")
    if root != "m" or len(steps) > DEPTH_MAX or not all(_is_index(step) for step in steps):
        raise Rejected(DerivationRefusal.BAD_PATH, path[:80])
    secret = derive_master(seed)
    for step in steps:
        secret = derive_child(secret, int(step))
    return secret


def _is_index(step: str) -> bool:
    return step.isascii() and step.isdecimal() and len(step) <= len(str(INDEX_MAX)) and int(step) <= INDEX_MAX
