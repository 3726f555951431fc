"""Names of images as people write them."""

import re
from dataclasses import dataclass
from typing import Final

from metanode.docklock.images.digests import Digest, parse_digest
from metanode.docklock.images.refusals import ImageRefusal
from metanode.primitives.refusal import Rejected

REFERENCE_MAX: Final = 512
"""Longest reference in characters: a name of at most 255, a tag of at most 128, a digest."""
NAME_MAX: Final = 255
"""Longest name with its host, as the distribution specification says."""
_HOST: Final = re.compile(
    r"(?:[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?)(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?)*(?::[0-9]{1,5})?"
)
_NAME: Final = re.compile(r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*")
_TAG: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")


@dataclass(frozen=True, slots=True)
class Reference:
    """IMG-6. `host/name:tag@digest`; what is not said is empty or None. A host is told by a dot, a colon or
    `localhost` in the first part, as everybody does.
    """

    host: str
    name: str
    tag: str = ""
    digest: Digest | None = None

    def __str__(self) -> str:
        return (
            f"{self.host + '/' if self.host else ''}{self.name}"
            f"{':' + self.tag if self.tag else ''}{f'@{self.digest}' if self.digest is not None else ''}"
        )

    @property
    def alias(self) -> str:
        """The local name: without the digest, with the tag `latest` where none is said."""
        return f"{self.host + '/' if self.host else ''}{self.name}:{self.tag or 'latest'}"

    @property
    def pinned(self) -> Digest:
        """IMG-6. The digest; refused where only a tag is said, for a tag may name another image tomorrow."""
        if self.digest is None:
            detail = f"{self} names no digest: write {self.host + '/' if self.host else ''}{self.name}@sha256:…"
            raise Rejected(ImageRefusal.NOT_PINNED, detail)
        return self.digest


def parse_reference(text: str) -> Reference:
    """IMG-6. A reference by the grammar of the distribution specification. No host is ever added to it."""
    if len(text) > REFERENCE_MAX:
        raise _malformed(text, f"longer than {REFERENCE_MAX} characters")
    rest, at, digest_text = text.partition("@")
    digest = parse_digest(digest_text) if at else None
    first, slash, others = rest.partition("/")
    is_host = bool(slash) and ("." in first or ":" in first or first == "localhost")
    host, rest = (first, others) if is_host else ("", rest)
    name, colon, tag = rest.partition(":")
    if host and _HOST.fullmatch(host) is None:
        raise _malformed(text, f"{host[:80]!r} is no host")
    if _NAME.fullmatch(name) is None or len(host) + 1 + len(name) > NAME_MAX:
        raise _malformed(text, f"{name[:80]!r} is no name: small letters, digits and single separators between them")
    if colon and _TAG.fullmatch(tag) is None:
        raise _malformed(text, f"{tag[:80]!r} is no tag")
    return Reference(host, name, tag, digest)


def _malformed(text: str, why: str) -> Rejected:
    return Rejected(ImageRefusal.REFERENCE_MALFORMED, f"{text[:100]!r}: {why}")
