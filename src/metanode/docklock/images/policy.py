"""Which images may run: by their digest, by who has signed them, or both."""

from collections.abc import Sequence
from typing import Annotated, Final

import msgspec

from metanode.docklock.images.digests import DIGEST_BYTES, Digest
from metanode.docklock.images.keys import ImageKey, check_key
from metanode.docklock.images.refusals import ImageRefusal
from metanode.docklock.images.signatures import SIGNATURES_MAX, Signature, signer
from metanode.primitives.codec import Decoder, Wire
from metanode.primitives.refusal import Rejected

POLICY_DIGESTS_MAX: Final = 256
"""Most images that a policy lists."""
POLICY_KEYS_MAX: Final = 16
"""Most keys of a policy, as many as an account has; each signature is tried with each."""


class ImagePolicy(Wire):
    """IMG-21. `digests`: only these images, sorted, or none of them for `any`. `threshold`: how many of `keys`, sorted,
    must have signed; 0 with no keys for `none`.
    """

    digests: Annotated[
        tuple[Annotated[bytes, msgspec.Meta(min_length=DIGEST_BYTES, max_length=DIGEST_BYTES)], ...],
        msgspec.Meta(max_length=POLICY_DIGESTS_MAX),
    ] = ()
    keys: Annotated[tuple[ImageKey, ...], msgspec.Meta(max_length=POLICY_KEYS_MAX)] = ()
    threshold: Annotated[int, msgspec.Meta(ge=0, le=POLICY_KEYS_MAX)] = 0


IMAGE_POLICY: Final = Decoder[ImagePolicy](ImagePolicy, 16_384)
"""The largest has some 9,500 bytes."""


def check_policy(policy: ImagePolicy) -> None:
    """IMG-21. Refuse a policy that means nothing: keys without a threshold, a threshold that cannot be reached, a key
    twice or none, digests twice or out of order.
    """
    keys = [(key.kind, key.key) for key in policy.keys]
    if keys != sorted(set(keys)) or list(policy.digests) != sorted(set(policy.digests)):
        raise Rejected(ImageRefusal.POLICY_MALFORMED, "keys and digests are sorted, and each is there once")
    if policy.threshold > len(keys) or (keys and not policy.threshold):
        detail = f"{policy.threshold} signatures of {len(keys)} keys are demanded"
        raise Rejected(ImageRefusal.POLICY_MALFORMED, detail)
    for key in policy.keys:
        check_key(key)


def check(policy: ImagePolicy, image: Digest, signatures: Sequence[Signature]) -> Rejected | None:
    """IMG-21. Why an image may not run under a policy, or None where it may. Signatures by other keys, over other
    images, or damaged ones count for nothing and do no harm; more than a bound are not looked at.
    """
    if policy.digests and image.raw not in policy.digests:
        detail = f"{image} is none of the {len(policy.digests)} images that the policy lists"
        return Rejected(ImageRefusal.NOT_ALLOWED, detail)
    signed = {signer(one, image, policy.keys) for one in signatures[:SIGNATURES_MAX]} - {None}
    if len(signed) < policy.threshold:
        by = ", ".join(sorted(str(key) for key in signed)) or "none of them"
        detail = f"{image} is signed by {len(signed)} of {len(policy.keys)} keys ({by}), needed {policy.threshold}"
        return Rejected(ImageRefusal.UNSIGNED, detail)
    return None
