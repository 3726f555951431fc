"""Signatures over the digest of an image: our own small record, and what cosign writes."""

import base64
import binascii
from typing import Annotated, Final

import msgspec

from metanode.docklock.images.digests import Digest, parse_digest
from metanode.docklock.images.keys import is_signed
from metanode.docklock.images.manifests import Descriptor, Manifest, decode_json
from metanode.docklock.images.refusals import ImageRefusal
from metanode.primitives.digest import Tag, digest
from metanode.primitives.ed25519 import SigningKey
from metanode.primitives.refusal import Rejected
from metanode.records.image_policy import SIGNATURE_BYTES_MAX, ImageKey, ImageSignature

SIGNATURES_MAX: Final = 64
"""Most signatures of an image that are looked at."""
PAYLOAD_BYTES_MAX: Final = 65_536
"""Longest payload of cosign; a usual one has some 250 bytes."""
SIMPLE_SIGNING: Final = "application/vnd.dev.cosign.simplesigning.v1+json"
"""The media type of such a payload, stored as the layer of a manifest of its own."""
COSIGN_ANNOTATION: Final = "dev.cosignproject.cosign/signature"
"""The annotation of that layer which holds the signature over the payload, in base64."""
_COSIGN_TYPE: Final = "cosign container image signature"

_Text = Annotated[str, msgspec.Meta(max_length=4096)]


class _Image(msgspec.Struct, frozen=True, rename="kebab"):
    docker_manifest_digest: _Text


class _Critical(msgspec.Struct, frozen=True):
    image: _Image
    type: _Text


class _Payload(msgspec.Struct, frozen=True):
    critical: _Critical


def message_of(image: Digest) -> bytes:
    """IMG-19. The 32 bytes that a key signs where there is no payload."""
    return digest(Tag.IMAGE_SIGNATURE, image.raw)


def sign(key: SigningKey, image: Digest) -> ImageSignature:
    """IMG-19. Ours, by an Ed25519 key. An ECDSA key signs `message_of` wherever it is kept."""
    return ImageSignature(payload=b"", signature=key.sign(message_of(image)))


def payload_of(image: Digest, name: str) -> bytes:
    """IMG-20. What cosign signs of an image: `name` is where it is kept, for people; only the digest counts."""
    critical = {
        "identity": {"docker-reference": name},
        "image": {"docker-manifest-digest": str(image)},
        "type": _COSIGN_TYPE,
    }
    return msgspec.json.encode({"critical": critical, "optional": None})


def decode_payload(payload: bytes) -> Digest:
    """IMG-20. The digest that a payload of cosign's names."""
    try:
        found: _Payload = decode_json(payload, _Payload, "payload", PAYLOAD_BYTES_MAX)
        image = parse_digest(found.critical.image.docker_manifest_digest)
    except Rejected as rejected:
        raise Rejected(ImageRefusal.SIGNATURE_MALFORMED, rejected.detail) from rejected
    if found.critical.type != _COSIGN_TYPE:
        raise Rejected(ImageRefusal.SIGNATURE_MALFORMED, f"a payload of type {found.critical.type[:80]!r}")
    return image


def cosign_tag(image: Digest) -> str:
    """IMG-20. The tag under which a registry holds cosign's signatures of an image, beside the image itself."""
    return f"sha256-{image.hex}.sig"


def cosign_layers(manifest: Manifest) -> tuple[tuple[Descriptor, bytes], ...]:
    """IMG-20. The payloads that such a manifest names, each with the signature over it. What is no signature is
    passed over, for anybody who may write there could add it.
    """
    found = []
    for layer in manifest.layers[:SIGNATURES_MAX]:
        text = layer.annotation(COSIGN_ANNOTATION)
        if layer.media_type != SIMPLE_SIGNING or layer.size > PAYLOAD_BYTES_MAX or not text:
            continue
        try:
            signature = base64.b64decode(text, validate=True)
        except (binascii.Error, ValueError):
            continue
        if len(signature) <= SIGNATURE_BYTES_MAX:
            found.append((layer, signature))
    return tuple(found)


def signer(signature: ImageSignature, image: Digest, keys: tuple[ImageKey, ...]) -> ImageKey | None:
    """IMG-19, IMG-20. Which of these keys has signed this image with that; None where none has."""
    message = signature.payload or message_of(image)
    if signature.payload:
        try:
            if decode_payload(signature.payload) != image:
                return None
        except Rejected:
            return None
    return next((key for key in keys if is_signed(key, message, signature.signature)), None)
