"""Keys that sign images: Ed25519, and ECDSA on P-256 with SHA-256, as cosign makes them."""

from typing import Final

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

from metanode.docklock.images.refusals import ImageRefusal
from metanode.primitives import ed25519
from metanode.primitives.refusal import Rejected
from metanode.records.image_policy import ED25519, P256, ImageKey

P256_KEY_BYTES: Final = 33
"""A compressed point."""
PEM_BYTES_MAX: Final = 4096
"""Longest key file."""


def key_of_pem(text: bytes) -> ImageKey:
    """IMG-18. The key of a PEM file (SubjectPublicKeyInfo); kinds other than the two are refused."""
    if len(text) > PEM_BYTES_MAX:
        raise Rejected(ImageRefusal.POLICY_MALFORMED, f"a key of {len(text)} bytes, at most {PEM_BYTES_MAX}")
    try:
        found = load_pem_public_key(text)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise Rejected(ImageRefusal.POLICY_MALFORMED, f"no public key in PEM: {str(error)[:120]}") from None
    match found:
        case Ed25519PublicKey():
            return ImageKey(kind=ED25519, key=found.public_bytes(Encoding.Raw, PublicFormat.Raw))
        case EllipticCurvePublicKey() if isinstance(found.curve, SECP256R1):
            return ImageKey(kind=P256, key=found.public_bytes(Encoding.X962, PublicFormat.CompressedPoint))
        case _:
            detail = "a key that is neither Ed25519 nor ECDSA on P-256"
            raise Rejected(ImageRefusal.POLICY_MALFORMED, detail)


def check_key(key: ImageKey) -> None:
    """IMG-18. Refuse what is no key of its kind, such as a point that is not on the curve."""
    problem = ""
    match key.kind:
        case 1:
            problem = "" if len(key.key) == ed25519.PUBLIC_KEY_BYTES else "it has not 32 bytes"
        case 2 if len(key.key) == P256_KEY_BYTES:
            try:
                EllipticCurvePublicKey.from_encoded_point(SECP256R1(), key.key)
            except ValueError as error:
                problem = str(error)[:80]
        case _:
            problem = "neither Ed25519 nor a compressed point of P-256"
    if problem:
        raise Rejected(ImageRefusal.POLICY_MALFORMED, f"{str(key)[:100]} is no key: {problem}")


def is_signed(key: ImageKey, message: bytes, signature: bytes) -> bool:
    """IMG-18. Whether `signature` is this key's over `message`; whatever is no key or no signature is just False."""
    if key.kind == ED25519:
        return ed25519.verify(key.key, message, signature)
    try:
        EllipticCurvePublicKey.from_encoded_point(SECP256R1(), key.key).verify(signature, message, ECDSA(SHA256()))
    except (ValueError, InvalidSignature):
        return False
    return True
