"""What the codes of images, blobs and registries mean for a caller: part of the table of `ledger_codes`."""

from typing import Final

from metanode.api.exits import ExitStatus
from metanode.api.explanation import Explanation

_E: Final = ExitStatus

_OTHER_IMAGE: Final = "do not run this image; have whoever made it build it again, and compare its digest"
_BUILD: Final = "build the image again as the message says"
_AGAIN: Final = "get the archive again: it was damaged on its way, or somebody changed it"
_POLICY: Final = "have the image signed by the keys of the policy, or run one that it lists"


def _wrong(rule: str, fix: str = _OTHER_IMAGE) -> Explanation:
    """An image, archive or setting that cannot be used."""
    return Explanation(_E.CONFIGURATION, 422, -32010, rule, fix)


def _denied(fix: str) -> Explanation:
    return Explanation(_E.DENIED_BY_POLICY, 403, -32002, "IMG-21", fix)


def _not_found(rule: str, fix: str) -> Explanation:
    return Explanation(_E.NOT_FOUND, 404, -32001, rule, fix)


def _not_allowed(rule: str, fix: str) -> Explanation:
    return Explanation(_E.NOT_ALLOWED, 403, -32002, rule, fix)


def _insufficient(rule: str, fix: str) -> Explanation:
    return Explanation(_E.INSUFFICIENT, 422, -32010, rule, fix)


def _network(rule: str, fix: str) -> Explanation:
    return Explanation(_E.NETWORK, 503, -32021, rule, fix, retryable=True)


IMAGE_CODES: Final[dict[str, Explanation]] = {
    "image.digest-malformed": _wrong("IMG-1", "write sha256: and 64 small hexadecimal digits"),
    "image.wrong-size": _wrong("IMG-2", _AGAIN),
    "image.malformed": _wrong("IMG-2", _BUILD),
    "image.too-large": _wrong("IMG-2", _BUILD),
    "image.unsupported-media": _wrong("IMG-3", "choose an image of Linux with layers of its own, not an artefact"),
    "image.compression": _wrong("IMG-11", "build or convert the image with gzip layers"),
    "image.stream-damaged": _wrong("IMG-11", _AGAIN),
    "image.too-many-layers": _wrong("IMG-3", "build the image with fewer layers"),
    "image.layers-differ": _wrong("IMG-7", _BUILD),
    "image.no-platform": _wrong("IMG-5", "choose an image that has this machine's platform"),
    "image.index-too-deep": _wrong("IMG-5", "name the manifest itself"),
    "image.reference-malformed": _wrong("IMG-6", "write [HOST/]NAME[:TAG][@sha256:DIGEST], the name in small letters"),
    "image.not-pinned": _wrong("IMG-6", "write NAME@sha256:DIGEST"),
    "image.config-value": _wrong("IMG-7", _BUILD),
    "image.no-user": _wrong("IMG-7", "name a user that the image has, or a number"),
    "image.tar-malformed": _wrong("IMG-10", _AGAIN),
    "image.tar-unsupported": _wrong("IMG-10", "build the image without sparse files and special entries"),
    "image.path-escapes": _wrong("IMG-8"),
    "image.link-escapes": _wrong("IMG-8"),
    "image.path-too-long": _wrong("IMG-8", _BUILD),
    "image.link-loop": _wrong("IMG-8"),
    "image.not-a-folder": _wrong("IMG-8", _BUILD),
    "image.hard-link": _wrong("IMG-8"),
    "image.whiteout": _wrong("IMG-8"),
    "image.owner": _wrong("IMG-8", "give the image a larger range of users, or build it with smaller numbers"),
    "image.too-many-entries": _wrong("IMG-11", "build the image with fewer files"),
    "image.unpacks-too-large": _wrong("IMG-11", "build a smaller image; put data into volumes"),
    "image.bomb": _wrong("IMG-11"),
    "image.wrong-diff-id": _wrong("IMG-9", _AGAIN),
    "image.archive-unknown": _wrong("IMG-12", "make it by `docker save`, or as an OCI layout"),
    "image.archive-member": _wrong("IMG-12", _AGAIN),
    "image.missing-blob": _wrong("IMG-16", "get the archive again, with all its parts"),
    "image.not-found": _not_found("IMG-6", "import or pull the image first"),
    "image.in-use": Explanation(
        _E.CONFLICT, 409, -32003, "IMG-17", "remove the workloads that use it first: bpi container rm", retryable=True
    ),
    "image.catalogue-full": _insufficient("IMG-16", "remove images, or names of them, that nobody needs"),
    "image.policy-malformed": _wrong("IMG-21", "correct the policy where the message says"),
    "image.not-allowed": _denied("add the digest to the policy's list, or run an image that is on it"),
    "image.unsigned": _denied(_POLICY),
    "image.signature-malformed": _wrong("IMG-20", "sign the image again"),
    "image.registry-unreachable": _network("IMG-24", "check the address and the network, and try again"),
    "image.registry-insecure": _not_allowed("IMG-22", "use https, or name the certificate that is to be trusted"),
    "image.registry-unauthorized": _not_allowed("IMG-22", "give a name and a password that the registry knows"),
    "image.registry-forbidden": _not_allowed("IMG-23", "ask the registry's owner for access"),
    "image.registry-unknown": _not_found("IMG-23", "check name, tag and digest"),
    "image.registry-busy": _network("IMG-23", "wait, and try again"),
    "image.registry-redirected": _wrong("IMG-23", "ask the registry's operator: its redirects lead nowhere"),
    "image.registry-protocol": _wrong("IMG-23", "check the address: what answers there is no registry"),
    "blob.wrong-digest": _wrong("IMG-15", _AGAIN),
    "blob.too-large": _wrong("IMG-15", _AGAIN),
    "blob.quota": _insufficient("IMG-15", "remove images that nobody needs and collect, or raise the quota"),
    "blob.missing": _not_found("IMG-15", "import or pull it first"),
}
"""HTTP-2. Each with its rule and the smallest change that would pass."""
