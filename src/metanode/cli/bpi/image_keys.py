"""Keys that sign images, and the policy over them, as people write and read them."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final, Protocol

import click
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, SECP256R1, EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from metanode.api.exits import ExitStatus
from metanode.cli.bpi.clusters import NONE
from metanode.cli.failure import CliRefusal, Failure
from metanode.cli.files import read_bytes
from metanode.docklock.images.keys import key_of_pem
from metanode.records.image_policy import ED25519, P256, ImageKey, ImagePolicy

_WRITTEN: Final = re.compile(r"(ed25519|p256):([0-9a-f]{64,66})")
_KINDS: Final = {"ed25519": ED25519, "p256": P256}


def read_digest(text: str) -> bytes:
    """The digest of a manifest: `sha256:` may be left out. Raises a usage error."""
    plain = text.removeprefix("sha256:")
    if not re.fullmatch(r"[0-9a-f]{64}", plain):
        raise click.BadParameter(f"{text!r}: the SHA-256 of a manifest, 64 hexadecimal digits")
    return bytes.fromhex(plain)


def read_key(text: str) -> ImageKey:
    """IMG-18. A key: `ed25519:HEX`, `p256:HEX`, or the PEM file that cosign and openssl write. Raises `Rejected`."""
    match = _WRITTEN.fullmatch(text)
    if match is not None:
        return ImageKey(kind=_KINDS[match[1]], key=bytes.fromhex(match[2]))
    if not Path(text).is_file():
        raise click.BadParameter(f"{text!r}: a PEM file, or ed25519:HEX, p256:HEX")
    return key_of_pem(read_bytes(text))


def chosen_policy(
    before: ImagePolicy, keys: Sequence[str], threshold: int | None, digests: Sequence[str]
) -> ImagePolicy:
    """IMG-21. What the options change of a policy; without a number all keys must have signed."""
    listed, signing = before.digests, before.keys
    if digests:
        listed = () if tuple(digests) == (NONE,) else tuple(sorted({read_digest(one) for one in digests}))
    if keys:
        found = () if tuple(keys) == (NONE,) else {read_key(one) for one in keys}
        signing = tuple(sorted(found, key=lambda key: (key.kind, key.key)))
    needed = threshold
    if needed is None:
        needed = len(signing) if keys else before.threshold
    return ImagePolicy(digests=listed, keys=signing, threshold=needed)


def policy_lines(policy: dict[str, Any]) -> Iterator[str]:
    """A policy as the API shows it, for people; nothing where it demands nothing."""
    if policy["digests"]:
        yield f"           only {len(policy['digests'])} that the policy lists"
    if policy["keys"]:
        yield f"           signed by {policy['threshold']} of {len(policy['keys'])} keys:"
    for key in policy["keys"]:
        yield f"           {ImageKey(kind=key['kind'], key=bytes.fromhex(key['key']))}"


class PrivateKey(Protocol):
    """A key that signs as cosign's do."""

    def sign(self, message: bytes) -> bytes:
        """The signature over a message."""


class _Curve:
    def __init__(self, key: EllipticCurvePrivateKey) -> None:
        self._key = key

    def sign(self, message: bytes) -> bytes:
        return self._key.sign(message, ECDSA(SHA256()))


def private_key(file: str) -> PrivateKey:
    """IMG-18. The private key of a PEM file without a password: Ed25519 or ECDSA on P-256. Raises `Failure`."""
    try:
        found = load_pem_private_key(read_bytes(file), None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise _no_key(file, str(error)[:120]) from None
    match found:
        case Ed25519PrivateKey():
            return found
        case EllipticCurvePrivateKey() if isinstance(found.curve, SECP256R1):
            return _Curve(found)
        case _:
            raise _no_key(file, "neither Ed25519 nor ECDSA on P-256")


def _no_key(file: str, why: str) -> Failure:
    fix = "openssl genpkey -algorithm ed25519; or sign elsewhere and give --payload and --signature"
    return Failure(CliRefusal.USAGE, ExitStatus.CONFIGURATION, f"{file} is no private key: {why}", fix=fix)
