"""Who must have signed an image before it may run: keys, the policy over them, signatures as they cross the wire."""

from typing import Final

from metanode.primitives.codec import Wire

ED25519: Final = 1
"""The key is 32 bytes; signatures have 64, judged by the strict rule of the whole house (BYTES-4)."""
P256: Final = 2
"""The key is a compressed point of 33 bytes; signatures are DER of at most 72."""
SIGNATURE_BYTES_MAX: Final = 72
"""Longest signature: DER of two numbers of 33 bytes."""
POLICY_DIGESTS_MAX: Final = 256
"""Most images that a policy lists."""
POLICY_KEYS_MAX: Final = 16
"""Most keys of a policy, as many as an account has; each signature is tried with each."""
KEPT_PAYLOAD_BYTES_MAX: Final = 2_048
"""Longest payload of a signature on chain; cosign's usual one has some 250 bytes."""


class ImageKey(Wire):
    """IMG-18. A public key: its kind, and the bytes of that kind."""

    kind: int
    key: bytes

    def __str__(self) -> str:
        return f"{'ed25519' if self.kind == ED25519 else 'p256'}:{self.key.hex()}"


class ImagePolicy(Wire):
    """IMG-21. `digests`: only these images, sorted, or none of them for `any`. `threshold`: how many of `keys`, sorted,
    must have signed; 0 with no keys for `none`.
    """

    digests: tuple[bytes, ...] = ()
    keys: tuple[ImageKey, ...] = ()
    threshold: int = 0


class ImageSignature(Wire):
    """IMG-19, IMG-20. A signature of an image. `payload`: what was signed, as cosign writes it; empty: our own message,
    made of the image's digest alone. Whose it is, is not said: the keys of the policy are tried."""

    payload: bytes
    signature: bytes
