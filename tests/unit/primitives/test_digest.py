"""Tags and digests: no two kinds share a preimage."""

from hashlib import sha256

from metanode.primitives.digest import TAG_BYTES, Tag, digest


def test_every_tag_has_16_ascii_bytes_of_its_own() -> None:
    values = [member.value for member in Tag.__members__.values()]
    assert [value for value in values if len(value) != TAG_BYTES] == []
    assert [value for value in values if not value.isascii() or not value.startswith(b"metanode.")] == []
    assert len(set(values)) == len(Tag.__members__)


def test_a_digest_is_sha256_of_tag_and_parts() -> None:
    assert digest(Tag.HEADER) == sha256(b"metanode.header1").digest()
    assert digest(Tag.HEADER, b"a", b"bc") == sha256(b"metanode.header1abc").digest()
    assert digest(Tag.COMMIT, b"abc") != digest(Tag.HEADER, b"abc")
