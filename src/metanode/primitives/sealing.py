"""Sealing: X25519 and ML-KEM-768 to agree on a secret, HKDF to derive keys, ChaCha20-Poly1305 to use them.

Chance comes from the caller, except in `kem_encapsulate`, where the library draws it itself.
"""

from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey, MLKEM768PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from metanode.primitives.refusal import Refusal, Rejected

KEY_BYTES: Final = 32
"""A key of the AEAD, and either half of an X25519 pair."""
NONCE_BYTES: Final = 12
"""A nonce of the AEAD (RFC 8439 §2.8)."""
AEAD_TAG_BYTES: Final = 16
"""How much longer a sealed message is than its plaintext."""
COUNTER_MAX: Final = (1 << 64) - 1
"""Last counter of one key; sessions rekey long before."""
KEM_PUBLIC_KEY_BYTES: Final = 1184
"""An ML-KEM-768 encapsulation key."""
KEM_CIPHERTEXT_BYTES: Final = 1088
"""An ML-KEM-768 ciphertext."""
HKDF_BYTES_MAX: Final = 255 * 32
"""Most bytes HKDF-SHA256 gives (RFC 5869 §2.3)."""
_PREFIX: Final = bytes(4)


class SealingRefusal(Refusal):
    """Why a stranger's key or ciphertext is turned away."""

    WRONG_WIDTH = "sealing.wrong-width"
    """A public key or a ciphertext of the wrong length."""
    LOW_ORDER = "sealing.low-order"
    """An X25519 public key of low order: the shared secret would be zero, whoever asks."""
    BAD_KEY = "sealing.bad-key"
    """An ML-KEM key with a coefficient that is not below the modulus."""
    NOT_AUTHENTIC = "sealing.not-authentic"
    """The tag does not fit key, nonce, associated data and ciphertext."""


def x25519_public_key(secret: bytes) -> bytes:
    """The 32-byte public key of 32 secret bytes (RFC 7748 §6.1)."""
    return X25519PrivateKey.from_private_bytes(secret).public_key().public_bytes_raw()


def x25519_exchange(secret: bytes, public_key: bytes) -> bytes:
    """The 32-byte shared secret. Raises `Rejected` for a key of another length or of low order (RFC 7748 §6.1)."""
    if len(public_key) != KEY_BYTES:
        raise Rejected(SealingRefusal.WRONG_WIDTH, f"an X25519 key of {len(public_key)} bytes")
    private = X25519PrivateKey.from_private_bytes(secret)
    try:
        return private.exchange(X25519PublicKey.from_public_bytes(public_key))
    except ValueError:
        raise Rejected(SealingRefusal.LOW_ORDER, "the shared secret is zero") from None


def kem_public_key(seed: bytes) -> bytes:
    """The 1184-byte ML-KEM-768 encapsulation key of a 64-byte seed (FIPS 203 §7.1)."""
    return MLKEM768PrivateKey.from_seed_bytes(seed).public_key().public_bytes_raw()


def kem_encapsulate(public_key: bytes) -> tuple[bytes, bytes]:
    """A fresh 32-byte shared secret and the 1088-byte ciphertext that carries it: `(secret, ciphertext)`.

    Raises `Rejected` for a key of another length or not reduced (FIPS 203 §7.2). Draws chance.
    """
    if len(public_key) != KEM_PUBLIC_KEY_BYTES:
        raise Rejected(SealingRefusal.WRONG_WIDTH, f"an ML-KEM-768 key of {len(public_key)} bytes")
    try:
        return MLKEM768PublicKey.from_public_bytes(public_key).encapsulate()
    except ValueError:
        raise Rejected(SealingRefusal.BAD_KEY, "a coefficient is not reduced") from None


def kem_decapsulate(seed: bytes, ciphertext: bytes) -> bytes:
    """The 32-byte shared secret. Raises `Rejected` for another length.

    A forged ciphertext of the right length gives a secret nobody knows (implicit rejection, FIPS 203 §7.3).
    """
    if len(ciphertext) != KEM_CIPHERTEXT_BYTES:
        raise Rejected(SealingRefusal.WRONG_WIDTH, f"an ML-KEM-768 ciphertext of {len(ciphertext)} bytes")
    return MLKEM768PrivateKey.from_seed_bytes(seed).decapsulate(ciphertext)


def hkdf_sha256(key_material: bytes, *, salt: bytes, info: bytes, length: int) -> bytes:
    """`length` bytes of RFC 5869, at most 8160; an empty salt is 32 zero bytes."""
    assert 0 < length <= HKDF_BYTES_MAX, "HKDF-SHA256 gives at most 8160 bytes"
    return HKDF(algorithm=SHA256(), length=length, salt=salt, info=info).derive(key_material)


class Aead:
    """ChaCha20-Poly1305 under one key and direction; the nonce is 4 zero bytes ‖ a 64-bit counter.

    The caller owns the counter and never uses one twice. Shows nothing of its key when printed.
    """

    __slots__ = ("_cipher",)

    def __init__(self, key: bytes) -> None:
        self._cipher = ChaCha20Poly1305(key)

    def seal(self, counter: int, plaintext: bytes, associated: bytes) -> bytes:
        """The ciphertext with its 16-byte tag; `counter` is at most `COUNTER_MAX`."""
        return self._cipher.encrypt(_PREFIX + counter.to_bytes(8, "big"), plaintext, associated)

    def open(self, counter: int, ciphertext: bytes, associated: bytes) -> bytes:
        """The plaintext. Raises `Rejected` with `NOT_AUTHENTIC`."""
        try:
            return self._cipher.decrypt(_PREFIX + counter.to_bytes(8, "big"), ciphertext, associated)
        except InvalidTag:
            raise Rejected(SealingRefusal.NOT_AUTHENTIC, "the tag does not fit") from None


def seal_once(key: bytes, nonce: bytes, plaintext: bytes, associated: bytes) -> bytes:
    """ChaCha20-Poly1305 with a 12-byte nonce of the caller's choice, for keys that seal a single message."""
    return ChaCha20Poly1305(key).encrypt(nonce, plaintext, associated)


def open_once(key: bytes, nonce: bytes, ciphertext: bytes, associated: bytes) -> bytes:
    """The plaintext of `seal_once`. Raises `Rejected` with `WRONG_WIDTH` (nonce) or `NOT_AUTHENTIC`."""
    if len(nonce) != NONCE_BYTES:
        raise Rejected(SealingRefusal.WRONG_WIDTH, f"a nonce of {len(nonce)} bytes")
    try:
        return ChaCha20Poly1305(key).decrypt(nonce, ciphertext, associated)
    except InvalidTag:
        raise Rejected(SealingRefusal.NOT_AUTHENTIC, "the tag does not fit") from None
