"""A refusal carries a stable code and one sentence."""

from metanode.primitives.codec import CodecRefusal
from metanode.primitives.names import NO_HASH
from metanode.primitives.refusal import Refusal, Rejected


def test_a_rejection_shows_code_and_detail() -> None:
    rejected = Rejected(CodecRefusal.TOO_LARGE, "9 bytes, at most 8")
    assert (rejected.reason, rejected.detail) == (CodecRefusal.TOO_LARGE, "9 bytes, at most 8")
    assert str(rejected) == "codec.too-large: 9 bytes, at most 8"
    assert str(Rejected(CodecRefusal.TOO_LARGE)) == "codec.too-large"


def test_a_refusal_is_its_code() -> None:
    assert issubclass(CodecRefusal, Refusal)
    assert CodecRefusal("codec.malformed") is CodecRefusal.MALFORMED


def test_no_hash_is_32_zero_bytes() -> None:
    assert bytes(32) == NO_HASH
