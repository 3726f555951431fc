"""Which images may run: by their digest, by who has signed them, or both."""

from collections.abc import Sequence

from metanode.docklock.images.digests import DIGEST_BYTES, Digest
from metanode.docklock.images.keys import check_key
from metanode.docklock.images.refusals import ImageRefusal
from metanode.docklock.images.signatures import SIGNATURES_MAX, signer
from metanode.primitives.refusal import Rejected
from metanode.records.image_policy import POLICY_DIGESTS_MAX, POLICY_KEYS_MAX, ImageKey, ImagePolicy, ImageSignature


def check_policy(policy: ImagePolicy) -> None:
    """IMG-21. Refuse a policy that means nothing: keys without a threshold, a threshold that cannot be reached, a key
    twice or none, digests twice or out of order.
    """
    counts = ((len(policy.digests), POLICY_DIGESTS_MAX, "images"), (len(policy.keys), POLICY_KEYS_MAX, "keys"))
    for count, most, what in counts:
        if count > most:
            raise Rejected(ImageRefusal.POLICY_MALFORMED, f"{count} {what}, at most {most}")
    if any(len(one) != DIGEST_BYTES for one in policy.digests):
        raise Rejected(ImageRefusal.POLICY_MALFORMED, f"a digest has {DIGEST_BYTES} bytes")
    keys = [(key.kind, key.key) for key in policy.keys]
    if keys != sorted(set(keys)) or list(policy.digests) != sorted(set(policy.digests)):
        raise Rejected(ImageRefusal.POLICY_MALFORMED, "keys and digests are sorted, and each is there once")
    if not 0 <= policy.threshold <= len(keys) or (keys and not policy.threshold):
        detail = f"{policy.threshold} signatures of {len(keys)} keys are demanded"
        raise Rejected(ImageRefusal.POLICY_MALFORMED, detail)
    for key in policy.keys:
        check_key(key)


def signers(policy: ImagePolicy, image: Digest, signatures: Sequence[ImageSignature]) -> tuple[ImageKey, ...]:
    """IMG-21. The keys of a policy that have signed an image, in the policy's order. Signatures by other keys, over
    other images, or damaged ones count for nothing and do no harm; more than a bound are not looked at.
    """
    found = {signer(one, image, policy.keys) for one in signatures[:SIGNATURES_MAX]}
    return tuple(key for key in policy.keys if key in found)


def check(policy: ImagePolicy, image: Digest, signatures: Sequence[ImageSignature]) -> Rejected | None:
    """IMG-21. Why an image may not run under a policy, or None where it may."""
    if policy.digests and image.raw not in policy.digests:
        detail = f"{image} is none of the {len(policy.digests)} images that the policy lists"
        return Rejected(ImageRefusal.NOT_ALLOWED, detail)
    signed = signers(policy, image, signatures)
    if len(signed) < policy.threshold:
        by = ", ".join(str(key) for key in signed) or "none of them"
        detail = f"{image} is signed by {len(signed)} of {len(policy.keys)} keys ({by}), needed {policy.threshold}"
        return Rejected(ImageRefusal.UNSIGNED, detail)
    return None
