"""Which images may run in a cluster: by the operators' list, and by who must have signed them."""

from functools import lru_cache
from typing import Final, TypeAlias

from metanode.docklock.cluster.agenda import freed
from metanode.docklock.cluster.authority import check_operator
from metanode.docklock.cluster.books import Books
from metanode.docklock.cluster.refusals import ClusterRefusal
from metanode.docklock.cluster.state import image_key, image_signed_key, write
from metanode.docklock.images.digests import Digest
from metanode.docklock.images.policy import check, signers
from metanode.docklock.images.signatures import signer
from metanode.ledger.execution import WORK_AUTHORIZATION
from metanode.ledger.frame import Frame
from metanode.ledger.view import Readable
from metanode.primitives.codec import Decoder, Wire
from metanode.primitives.refusal import Rejected
from metanode.records.cluster import ClusterSettings
from metanode.records.cluster_calls import ClusterSignImage
from metanode.records.cluster_events import ImageSigned
from metanode.records.demand import check_count, check_digest, check_range
from metanode.records.image_policy import (
    KEPT_PAYLOAD_BYTES_MAX,
    POLICY_KEYS_MAX,
    SIGNATURE_BYTES_MAX,
    ImagePolicy,
    ImageSignature,
)


class Signed(Wire):
    """CLUSTER-23. Signatures of an image, at most one of each key of the policy."""

    signatures: tuple[ImageSignature, ...]


ALL_SIGNED: Final = Decoder[Signed](Signed, POLICY_KEYS_MAX * (KEPT_PAYLOAD_BYTES_MAX + SIGNATURE_BYTES_MAX + 16))
_decoded = lru_cache(maxsize=1_024)(ALL_SIGNED.decode)

AboutImage: TypeAlias = tuple[bool, tuple[ImageSignature, ...]]
"""Whether an operator admitted an image, and the signatures of it that are kept."""


def about_image(admitted: bytes | None, signed: bytes | None) -> AboutImage:
    """What the two values of the state say of an image, read or proved."""
    return admitted is not None, _decoded(signed).signatures if signed is not None else ()


def read_about_image(state: Readable, cluster: str, image: bytes) -> AboutImage:
    """What is known of an image in a cluster."""
    return about_image(state.get(image_key(cluster, image)), state.get(image_signed_key(cluster, image)))


@lru_cache(maxsize=4_096)
def _verdict(policy: ImagePolicy, image: bytes, signatures: tuple[ImageSignature, ...]) -> Rejected | None:
    """A function of its arguments alone: each signature is verified once and not for every replica."""
    return check(policy, Digest(image.hex()), signatures)


def demands_something(settings: ClusterSettings) -> bool:
    """Whether not every image may run."""
    return settings.images == "listed" or settings.policy != ImagePolicy()


def check_image(settings: ClusterSettings, image: bytes, known: AboutImage) -> None:
    """CLUSTER-20, CLUSTER-23. The cluster lets the image run; the node's own /usr is no image. Raises `Rejected`."""
    if not image:
        return
    admitted, signatures = known
    if settings.images == "listed" and not admitted:
        raise Rejected(ClusterRefusal.IMAGE_NOT_ADMITTED, f"sha256:{image.hex()}; an operator admits it")
    refused = _verdict(settings.policy, image, signatures)
    if refused is not None:
        raise Rejected(refused.reason, refused.detail)


def why_not(settings: ClusterSettings, image: bytes, known: AboutImage) -> str:
    """PLACE-17. In few words why the cluster does not let an image run; nothing where it does."""
    if not image:
        return ""
    admitted, signatures = known
    if settings.images == "listed" and not admitted:
        return "not listed"
    policy = settings.policy
    if _verdict(policy, image, signatures) is None:
        return ""
    if policy.digests and image not in policy.digests:
        return "not in the policy"
    signed = signers(policy, Digest(image.hex()), signatures)
    return f"signed by {len(signed)}, {policy.threshold} needed"


def sign_image(call: ClusterSignImage, frame: Frame) -> None:
    """CLUSTER-23. Signatures are kept that are by keys of the policy, one a key, the latest; what was kept of keys that
    are no longer of the policy is forgotten. Raises `Rejected` where none of them counts."""
    books = Books(frame, call.cluster)
    cluster = books.cluster()
    check_operator(cluster, frame.sender)
    check_digest("the image", call.image)
    check_range("the number of signatures", len(call.signatures), 1, POLICY_KEYS_MAX)
    for one in call.signatures:
        check_count("bytes of a payload", len(one.payload), KEPT_PAYLOAD_BYTES_MAX)
        check_count("bytes of a signature", len(one.signature), SIGNATURE_BYTES_MAX)
    policy, image = cluster.settings.policy, Digest(call.image.hex())
    _, before = read_about_image(frame.view, call.cluster, call.image)
    frame.charge(WORK_AUTHORIZATION * len(policy.keys) * (len(before) + len(call.signatures)))
    new = {key: one for one in call.signatures if (key := signer(one, image, policy.keys)) is not None}
    if not new:
        detail = f"none of the {len(call.signatures)} is by one of the {len(policy.keys)} keys over {image}"
        raise Rejected(ClusterRefusal.SIGNATURE_WORTHLESS, detail)
    kept = {key: one for one in before if (key := signer(one, image, policy.keys)) is not None} | new
    signatures = tuple(kept[key] for key in policy.keys if key in kept)
    write(frame.view, image_signed_key(call.cluster, call.image), Signed(signatures=signatures))
    freed(books)
    books.say(ImageSigned(cluster=call.cluster, image=call.image, signers=len(signatures), needed=policy.threshold))
