"""Where a cluster demands signatures, an image runs only when enough keys have signed it: at apply and at placement."""

import json

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from msgspec.structs import replace
from tests.unit.docklock.cluster.town import SETTINGS, Town, apply, terms

from metanode.docklock.cluster.refusals import ClusterRefusal
from metanode.docklock.cluster.signed import about_image, check_image, demands_something, read_about_image, why_not
from metanode.docklock.images.digests import Digest
from metanode.docklock.images.keys import key_of_pem
from metanode.docklock.images.refusals import ImageRefusal
from metanode.docklock.images.signatures import sign
from metanode.primitives.ed25519 import SigningKey
from metanode.primitives.refusal import Rejected
from metanode.records.cluster import ClusterSettings
from metanode.records.cluster_calls import ClusterConfigure, ClusterCreate, ClusterScale, ClusterSignImage
from metanode.records.cluster_events import ImageSigned
from metanode.records.demand import DemandRefusal
from metanode.records.image_policy import (
    ED25519,
    KEPT_PAYLOAD_BYTES_MAX,
    POLICY_KEYS_MAX,
    ImageKey,
    ImagePolicy,
    ImageSignature,
)

IMAGE = Digest("07" * 32)
BUILDER = SigningKey(bytes(31) + b"\x07")
RELEASER = ec.derive_private_key(77, ec.SECP256R1())
B_KEY = ImageKey(kind=ED25519, key=BUILDER.public_key)
R_KEY = key_of_pem(RELEASER.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
BOTH = ImagePolicy(keys=(B_KEY, R_KEY), threshold=2)
ONE = ImagePolicy(keys=(B_KEY,), threshold=1)
WEB = terms("web", demand={"image": IMAGE.raw})


def settings(policy: ImagePolicy) -> ClusterSettings:
    return replace(SETTINGS, policy=policy)


def cosigned(image: Digest = IMAGE) -> ImageSignature:
    """By the releaser, as cosign does it."""
    critical = {
        "identity": {"docker-reference": "shop/web"},
        "image": {"docker-manifest-digest": str(image)},
        "type": "cosign container image signature",
    }
    payload = json.dumps({"critical": critical, "optional": None}).encode()
    return ImageSignature(payload=payload, signature=RELEASER.sign(payload, ec.ECDSA(SHA256())))


def hands_in(*signatures: ImageSignature) -> ClusterSignImage:
    return ClusterSignImage(cluster="shop", image=IMAGE.raw, signatures=signatures)


def test_an_unsigned_image_is_refused_and_one_that_enough_have_signed_runs() -> None:
    town = Town(settings=settings(BOTH))
    town.does("bob", apply(terms("plain")))
    assert town.refuses("bob", apply(WEB)) == ImageRefusal.UNSIGNED
    town.does("bob", hands_in(sign(BUILDER, IMAGE)))
    assert town.events[-1] == ImageSigned(cluster="shop", image=IMAGE.raw, signers=1, needed=2)
    assert town.refuses("bob", apply(WEB)) == ImageRefusal.UNSIGNED
    town.does("bob", hands_in(cosigned()), apply(WEB))
    town.lives(2)
    assert [one[1] for held in town.where("web").values() for one in held] == ["ready"]


def test_only_an_operator_hands_in_and_only_what_counts_is_kept() -> None:
    town = Town(settings=settings(ONE))
    assert town.refuses("carol", hands_in(sign(BUILDER, IMAGE))) == ClusterRefusal.NOT_AN_OPERATOR
    for worthless in (
        sign(SigningKey(bytes(31) + b"\x08"), IMAGE),
        sign(BUILDER, Digest("08" * 32)),
        cosigned(),
        ImageSignature(payload=b"{", signature=b""),
    ):
        assert town.refuses("bob", hands_in(worthless)) == ClusterRefusal.SIGNATURE_WORTHLESS
    assert town.refuses("bob", hands_in()) == DemandRefusal.OUT_OF_RANGE
    long = ImageSignature(payload=bytes(KEPT_PAYLOAD_BYTES_MAX + 1), signature=b"")
    assert town.refuses("bob", hands_in(long)) == DemandRefusal.TOO_MANY
    long = ImageSignature(payload=b"", signature=bytes(73))
    assert town.refuses("bob", hands_in(long)) == DemandRefusal.TOO_MANY
    many = (cosigned(),) * POLICY_KEYS_MAX
    assert town.refuses("bob", hands_in(sign(BUILDER, IMAGE), *many)) == DemandRefusal.OUT_OF_RANGE
    town.does("bob", hands_in(cosigned(), sign(BUILDER, IMAGE), sign(BUILDER, IMAGE)))
    _, kept = read_about_image(town.ledger, "shop", IMAGE.raw)
    assert kept == (sign(BUILDER, IMAGE),)


def test_a_key_that_is_withdrawn_counts_no_longer_and_what_runs_stays() -> None:
    town = Town(settings=settings(ONE))
    town.does("bob", hands_in(sign(BUILDER, IMAGE)), apply(WEB))
    town.lives(2)
    other = ImagePolicy(keys=(R_KEY,), threshold=1)
    town.does("alice", ClusterConfigure(cluster="shop", settings=settings(other)))
    assert town.refuses("bob", apply(WEB, 2, spec=b"2")) == ImageRefusal.UNSIGNED
    town.does("bob", ClusterScale(cluster="shop", workload="web", replicas=2))
    town.lives(2)
    assert town.waiting() == 1, "what runs is not touched, what is new waits"
    released = cosigned()
    town.does("bob", hands_in(released))
    town.lives(2)
    assert town.waiting() == 0
    _, kept = read_about_image(town.ledger, "shop", IMAGE.raw)
    assert kept == (released,), "what was kept of the other key is forgotten"


def test_a_policy_that_means_nothing_is_refused_from_the_beginning() -> None:
    town = Town()
    odd = settings(ImagePolicy(keys=(B_KEY,), threshold=2))
    assert town.refuses("alice", ClusterConfigure(cluster="shop", settings=odd)) == ImageRefusal.POLICY_MALFORMED
    assert town.refuses("alice", ClusterCreate(cluster="other", settings=odd)) == ImageRefusal.POLICY_MALFORMED


@pytest.mark.parametrize(
    ("policy", "signatures", "few"),
    [
        (ImagePolicy(), (), ""),
        (ImagePolicy(digests=(IMAGE.raw,)), (), ""),
        (ImagePolicy(digests=(bytes(32),)), (sign(BUILDER, IMAGE),), "not in the policy"),
        (ONE, (), "signed by 0, 1 needed"),
        (ONE, (sign(BUILDER, IMAGE),), ""),
        (BOTH, (sign(BUILDER, IMAGE),), "signed by 1, 2 needed"),
        (BOTH, (sign(BUILDER, IMAGE), cosigned()), ""),
    ],
)
def test_the_verdict_is_the_same_in_words_and_as_a_refusal(
    policy: ImagePolicy, signatures: tuple[ImageSignature, ...], few: str
) -> None:
    chosen = settings(policy)
    assert why_not(chosen, IMAGE.raw, (False, signatures)) == few
    assert why_not(chosen, b"", (False, signatures)) == "", "the node's own /usr is no image"
    check_image(chosen, b"", (False, ()))
    assert demands_something(chosen) == (policy != ImagePolicy())
    if few:
        with pytest.raises(Rejected) as refused:
            check_image(chosen, IMAGE.raw, (True, signatures))
        assert refused.value.reason in (ImageRefusal.UNSIGNED, ImageRefusal.NOT_ALLOWED)
    else:
        check_image(chosen, IMAGE.raw, (False, signatures))


def test_a_listed_image_must_be_signed_too() -> None:
    chosen = replace(settings(ONE), images="listed")
    assert why_not(chosen, IMAGE.raw, (False, (sign(BUILDER, IMAGE),))) == "not listed"
    with pytest.raises(Rejected) as refused:
        check_image(chosen, IMAGE.raw, (False, (sign(BUILDER, IMAGE),)))
    assert refused.value.reason is ClusterRefusal.IMAGE_NOT_ADMITTED
    check_image(chosen, IMAGE.raw, (True, (sign(BUILDER, IMAGE),)))
    assert about_image(None, None) == (False, ())
