"""Keys, signatures of both forms, and the policy over them."""

import json
from base64 import b64encode

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from tests.unit.docklock.images.refusing import refuses

from metanode.docklock.images.digests import digest_of
from metanode.docklock.images.keys import PEM_BYTES_MAX, check_key, is_signed, key_of_pem
from metanode.docklock.images.manifests import OCI_CONFIG, OCI_MANIFEST, Descriptor, Manifest
from metanode.docklock.images.policy import check, check_policy, signers
from metanode.docklock.images.refusals import ImageRefusal
from metanode.docklock.images.signatures import (
    COSIGN_ANNOTATION,
    PAYLOAD_BYTES_MAX,
    SIGNATURES_MAX,
    SIMPLE_SIGNING,
    cosign_layers,
    cosign_tag,
    decode_payload,
    message_of,
    sign,
)
from metanode.primitives.codec import Decoder, encode
from metanode.primitives.ed25519 import SigningKey
from metanode.records.image_policy import ED25519, P256, ImageKey, ImagePolicy, ImageSignature

IMAGE, OTHER = digest_of(b"image"), digest_of(b"other")
FIRST, SECOND = SigningKey(bytes(31) + b"\x01"), SigningKey(bytes(31) + b"\x02")
CURVE = ec.derive_private_key(77, ec.SECP256R1())


def pem(key) -> bytes:
    return bytes(key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))


def ed(key: SigningKey) -> ImageKey:
    return ImageKey(kind=ED25519, key=key.public_key)


P_KEY = key_of_pem(pem(CURVE.public_key()))
KEYS = tuple(sorted((ed(FIRST), ed(SECOND), P_KEY), key=lambda key: (key.kind, key.key)))


def payload(image=IMAGE, kind="cosign container image signature", **more) -> bytes:
    """As cosign writes it: compact, these names in this order."""
    critical = {
        "identity": {"docker-reference": "shop/web"}, "image": {"docker-manifest-digest": str(image)}, "type": kind,
    }  # fmt: skip
    return json.dumps({"critical": critical, "optional": None, **more}, separators=(",", ":")).encode()


def cosigned(image=IMAGE, **more) -> ImageSignature:
    data = payload(image, **more)
    return ImageSignature(payload=data, signature=CURVE.sign(data, ec.ECDSA(SHA256())))


def ours(image=IMAGE) -> ImageSignature:
    """Ours by the key on the curve."""
    return ImageSignature(payload=b"", signature=CURVE.sign(message_of(image), ec.ECDSA(SHA256())))


def test_keys_are_read_from_pem():
    assert (P_KEY.kind, len(P_KEY.key)) == (P256, 33)
    secret = ed25519.Ed25519PrivateKey.from_private_bytes(bytes(31) + b"\x01")
    assert key_of_pem(pem(secret.public_key())) == ed(FIRST)
    assert str(ed(FIRST)) == f"ed25519:{FIRST.public_key.hex()}"
    for key in KEYS:
        check_key(key)


@pytest.mark.parametrize(
    "text",
    [
        b"", b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", b"\xff" * 100,
        pem(rsa.generate_private_key(65537, 2048).public_key()),
        pem(ec.derive_private_key(5, ec.SECP384R1()).public_key()),
        pem(CURVE.public_key()) + b"\n" * PEM_BYTES_MAX,
    ],
    ids=["nothing", "damaged", "bytes", "rsa", "another curve", "too long"],
)  # fmt: skip
def test_what_is_no_key_of_ours_is_refused(text):
    refuses(ImageRefusal.POLICY_MALFORMED, key_of_pem, text)


def test_a_key_that_is_none_is_refused_and_signs_nothing():
    for key in (
        ImageKey(kind=P256, key=b"\x02" + b"\xff" * 32),
        ImageKey(kind=P256, key=b"\x02" + bytes(31)),
        ImageKey(kind=ED25519, key=bytes(33)),
    ):
        refuses(ImageRefusal.POLICY_MALFORMED, check_key, key)
        assert not is_signed(key, b"m", CURVE.sign(b"m", ec.ECDSA(SHA256())))
    assert not is_signed(P_KEY, b"m", b"no signature")


def test_a_signature_without_a_payload_is_of_the_digest():
    assert is_signed(ed(FIRST), message_of(IMAGE), sign(FIRST, IMAGE).signature)
    assert message_of(IMAGE) != message_of(OTHER)
    assert len(encode(sign(FIRST, IMAGE))) < 70


def test_a_payload_names_its_image():
    assert decode_payload(payload()) == IMAGE
    assert decode_payload(payload(optional={"creator": "x"}, more=1)) == IMAGE
    for data in (
        b"", b"{}", payload(kind="atomic container signature"), payload().replace(b"sha256:", b"sha1:"),
        payload() + b" " * PAYLOAD_BYTES_MAX,
    ):  # fmt: skip
        refuses(ImageRefusal.SIGNATURE_MALFORMED, decode_payload, data)


def test_a_payload_with_a_shortened_digest_as_manuals_print_it_names_nothing():
    shortened = payload(optional={"creator": "Bob", "timestamp": 1_458_239_713}).replace(
        IMAGE.hex.encode(), b"20be...fe55"
    )
    refuses(ImageRefusal.SIGNATURE_MALFORMED, decode_payload, shortened)


def test_signatures_of_cosign_are_found_in_their_manifest():
    def layer(annotation="", media_type=SIMPLE_SIGNING, size=10) -> Descriptor:
        return Descriptor(media_type, OTHER, size, ((COSIGN_ANNOTATION, annotation),) if annotation else ())

    good = b64encode(b"s" * 70).decode()
    layers = (
        layer(good), layer(), layer("%%%"), layer("é"), layer(b64encode(b"s" * 73).decode()), layer(good, "text/plain"),
        layer(good, size=PAYLOAD_BYTES_MAX + 1),
    )  # fmt: skip
    manifest = Manifest(OCI_MANIFEST, Descriptor(OCI_CONFIG, OTHER, 1), layers)
    assert cosign_layers(manifest) == ((layers[0], b"s" * 70),)
    many = Manifest(OCI_MANIFEST, Descriptor(OCI_CONFIG, OTHER, 1), (layers[0],) * 100)
    assert len(cosign_layers(many)) == SIGNATURES_MAX
    assert cosign_tag(IMAGE) == f"sha256-{IMAGE.hex}.sig"


ALL = (sign(FIRST, IMAGE), sign(SECOND, IMAGE), cosigned())


@pytest.mark.parametrize("threshold", [1, 2, 3])
@pytest.mark.parametrize("signatures", [ALL, ALL[:2], ALL[1:], (ALL[2], ALL[2]), (*ALL[:1], ours()), ()])
def test_so_many_different_keys_must_have_signed(threshold, signatures):
    policy = ImagePolicy(keys=KEYS, threshold=threshold)
    check_policy(policy)
    verdict = check(policy, IMAGE, signatures)
    if len(set(signatures)) >= threshold:
        assert verdict is None
    else:
        assert verdict is not None
        assert verdict.reason is ImageRefusal.UNSIGNED
        assert f"needed {threshold}" in verdict.detail


def flipped(signature: bytes) -> bytes:
    return signature[:-1] + bytes([signature[-1] ^ 1])


@pytest.mark.parametrize(
    "worthless",
    [
        sign(FIRST, OTHER), cosigned(OTHER), cosigned(kind="other"), ImageSignature(payload=b"{", signature=b"x"),
        ImageSignature(payload=cosigned().payload, signature=flipped(cosigned().signature)),
        ImageSignature(payload=payload(optional=1), signature=cosigned().signature),
        ImageSignature(payload=b"", signature=flipped(ALL[0].signature)),
        ImageSignature(payload=payload(), signature=ALL[0].signature),
        sign(SigningKey(bytes(31) + b"\x03"), IMAGE),
    ],
)  # fmt: skip
def test_a_worthless_signature_counts_for_nothing_and_does_no_harm(worthless):
    policy = ImagePolicy(keys=KEYS, threshold=1)
    verdict = check(policy, IMAGE, (worthless,))
    assert verdict is not None
    assert verdict.reason is ImageRefusal.UNSIGNED
    assert check(policy, IMAGE, (worthless, ALL[0])) is None
    assert signers(policy, IMAGE, (worthless, ALL[0])) == (ed(FIRST),)


def test_no_more_signatures_than_a_bound_are_looked_at():
    policy = ImagePolicy(keys=KEYS, threshold=1)
    assert check(policy, IMAGE, (sign(FIRST, OTHER),) * SIGNATURES_MAX + (ALL[0],)) is not None


def test_only_the_listed_images_may_run():
    policy = ImagePolicy(digests=(IMAGE.raw,))
    check_policy(policy)
    assert check(policy, IMAGE, ()) is None
    verdict = check(policy, OTHER, (sign(FIRST, OTHER),))
    assert verdict is not None
    assert verdict.reason is ImageRefusal.NOT_ALLOWED
    both = ImagePolicy(digests=(IMAGE.raw,), keys=KEYS, threshold=1)
    assert check(both, IMAGE, ()) is not None
    assert check(both, IMAGE, ALL) is None
    assert check(ImagePolicy(), OTHER, ()) is None, "who demands nothing gets anything"


def test_a_policy_is_a_value_of_the_wire():
    policy = ImagePolicy(digests=tuple(sorted((IMAGE.raw, OTHER.raw))), keys=KEYS, threshold=2)
    assert Decoder[ImagePolicy](ImagePolicy, 16_384).decode(encode(policy)) == policy


@pytest.mark.parametrize(
    "policy",
    [
        ImagePolicy(keys=KEYS),
        ImagePolicy(threshold=1),
        ImagePolicy(keys=KEYS, threshold=4),
        ImagePolicy(keys=KEYS[::-1], threshold=1),
        ImagePolicy(threshold=-1),
        ImagePolicy(digests=(b"",)),
        ImagePolicy(digests=tuple(n.to_bytes(32, "big") for n in range(257))),
        ImagePolicy(keys=(ImageKey(kind=3, key=bytes(32)),), threshold=1),
        ImagePolicy(keys=(ImageKey(kind=P256, key=bytes(65)),), threshold=1),
        ImagePolicy(keys=(KEYS[0], KEYS[0]), threshold=2),
        ImagePolicy(digests=(IMAGE.raw, IMAGE.raw)),
        ImagePolicy(digests=tuple(sorted((IMAGE.raw, OTHER.raw), reverse=True))),
        ImagePolicy(keys=(ImageKey(kind=P256, key=b"\x02" + b"\xff" * 32),), threshold=1),
    ],
)
def test_a_policy_that_means_nothing_is_refused(policy):
    refuses(ImageRefusal.POLICY_MALFORMED, check_policy, policy)
