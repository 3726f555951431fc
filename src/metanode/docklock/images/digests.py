"""Names of content: the SHA-256 of its bytes."""

import re
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from metanode.docklock.images.refusals import ImageRefusal
from metanode.primitives.refusal import Rejected

DIGEST_BYTES: Final = 32
"""Length of a SHA-256."""
_HEX: Final = re.compile(r"[0-9a-f]{64}", re.ASCII)
_PREFIX: Final = "sha256:"


@dataclass(frozen=True, slots=True, order=True)
class Digest:
    """IMG-1. `sha256:` and 64 small hexadecimal digits, checked when it is made; `hex` is the digits alone."""

    hex: str

    def __post_init__(self) -> None:
        if _HEX.fullmatch(self.hex) is None:
            raise Rejected(ImageRefusal.DIGEST_MALFORMED, f"{self.hex[:80]!r} is not 64 small hexadecimal digits")

    def __str__(self) -> str:
        return _PREFIX + self.hex

    @property
    def raw(self) -> bytes:
        """The 32 bytes."""
        return bytes.fromhex(self.hex)


def parse_digest(text: str) -> Digest:
    """IMG-1. A digest as documents write it. Other algorithms are refused: one content, one name."""
    if not text.startswith(_PREFIX):
        raise Rejected(ImageRefusal.DIGEST_MALFORMED, f"{text[:80]!r} does not begin with {_PREFIX}")
    return Digest(text[len(_PREFIX) :])


def digest_of(data: bytes) -> Digest:
    """IMG-1. The digest of some content."""
    return Digest(sha256(data).hexdigest())


def chain_id(diff_ids: tuple[Digest, ...]) -> Digest:
    """IMG-9. The name of what a pile of layers unpacks to, as the OCI image specification defines ChainID: the first
    layer's digest, then SHA-256 over `chain so far` + space + `next layer`. Of no layers: the digest of nothing.
    """
    if not diff_ids:
        return digest_of(b"")
    chain = diff_ids[0]
    for one in diff_ids[1:]:
        chain = digest_of(f"{chain} {one}".encode())
    return chain
