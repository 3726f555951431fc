"""Ed25519 by libsodium's strict rule: the one verifier of the protocol.

Strict: a public key or R of small order, a non-canonical key, and an S not below the group order are refused, without
cofactor (BYTES-4). No second library may judge a signature, because verifiers differ on such edge cases.
"""

from collections.abc import Sequence
from typing import Final

from nacl.bindings import crypto_sign, crypto_sign_open, crypto_sign_seed_keypair
from nacl.exceptions import BadSignatureError

SEED_BYTES: Final = 32
"""A secret key, as RFC 8032 §5.1.5 calls the 32 bytes everything else is derived from."""
PUBLIC_KEY_BYTES: Final = 32
"""A public key."""
SIGNATURE_BYTES: Final = 64
"""A signature, R ‖ S."""


class SigningKey:
    """A secret key expanded once, for who signs often. Shows nothing of itself when printed."""

    __slots__ = ("_secret", "public_key")

    def __init__(self, seed: bytes) -> None:
        assert len(seed) == SEED_BYTES, "a seed has 32 bytes"
        self.public_key, self._secret = crypto_sign_seed_keypair(seed)

    def sign(self, message: bytes) -> bytes:
        """BYTES-4. The 64-byte signature of RFC 8032 §5.1.6 over `message`."""
        return crypto_sign(message, self._secret)[:SIGNATURE_BYTES]


def public_key(seed: bytes) -> bytes:
    """The 32-byte public key of a 32-byte seed."""
    return SigningKey(seed).public_key


def sign(seed: bytes, message: bytes) -> bytes:
    """BYTES-4. The 64-byte signature over `message` with a 32-byte seed."""
    return SigningKey(seed).sign(message)


def verify(public_key: bytes, message: bytes, signature: bytes) -> bool:
    """BYTES-4. Whether `signature` is `public_key`'s over `message`; wrong lengths are just False."""
    if len(signature) != SIGNATURE_BYTES or len(public_key) != PUBLIC_KEY_BYTES:
        return False
    try:
        crypto_sign_open(signature + message, public_key)
    except BadSignatureError:
        return False
    return True


def verify_batch(items: Sequence[tuple[bytes, bytes, bytes]]) -> list[bool]:
    """BYTES-4. The verdict of `verify` for each (public key, message, signature), in order.

    Each is checked alone: batched equations accept what a single check refuses, and no library offers them strict.
    """
    return [verify(key, message, signature) for key, message, signature in items]
