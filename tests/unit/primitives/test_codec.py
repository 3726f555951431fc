"""Canonical msgpack: one value, one sequence of bytes."""

import msgspec
import pytest

from metanode.primitives.codec import CodecRefusal, Decoder, Wire, encode
from metanode.primitives.refusal import Rejected


class Pair(Wire):
    number: int
    data: bytes


PAIRS = Decoder[Pair](Pair, 64)


def reason(decoder: Decoder[Pair], data: bytes) -> object:
    with pytest.raises(Rejected) as refused:
        decoder.decode(data)
    return refused.value.reason


def test_a_struct_is_an_array() -> None:
    assert encode(Pair(number=1, data=b"ab")) == b"\x92\x01\xc4\x02ab"
    assert PAIRS.decode(b"\x92\x01\xc4\x02ab") == Pair(number=1, data=b"ab")


@pytest.mark.parametrize(
    "data",
    [
        b"\x92\xcc\x01\xc4\x02ab",  # an integer in two bytes
        b"\x92\xcf\x00\x00\x00\x00\x00\x00\x00\x01\xc4\x02ab",  # in nine
        b"\x92\xd0\x01\xc4\x02ab",  # as a signed one
        b"\x92\x01\xc5\x00\x02ab",  # a length of two bytes
        b"\xdc\x00\x02\x01\xc4\x02ab",  # an array length of two bytes
    ],
)
def test_a_longer_spelling_is_refused(data: bytes) -> None:
    assert reason(PAIRS, data) is CodecRefusal.NOT_CANONICAL


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x92\x01\xc4\x02a",  # cut short
        b"\x92\x01\xc4\x02ab\x00",  # something behind it
        b"\x93\x01\xc4\x02ab\x00",  # a field too many
        b"\x91\x01",  # a field too few
        b"\x92\xcb\x3f\xf0\x00\x00\x00\x00\x00\x00\xc4\x02ab",  # a float
        b"\x92\xc0\xc4\x02ab",  # nil
        b"\x92\x01\xa2ab",  # a string for bytes
        b"\x82\xa6number\x01\xa4data\xc4\x02ab",  # a map
        b"\x92\x01\xd4\x01\x00",  # an extension type
        b"\x91" * 60,  # deep
    ],
)
def test_another_shape_is_refused(data: bytes) -> None:
    assert reason(PAIRS, data) is CodecRefusal.MALFORMED


def test_more_bytes_than_the_limit_are_not_even_read() -> None:
    assert reason(PAIRS, bytes(65)) is CodecRefusal.TOO_LARGE
    with pytest.raises(Rejected, match=r"codec\.too-large: 65 bytes, at most 64"):
        PAIRS.decode(bytes(65))


def test_as_many_bytes_as_the_limit_are_read() -> None:
    data = encode(b"x" * 62)
    assert len(data) == 64
    assert Decoder[bytes](bytes, 64).decode(data) == b"x" * 62


def test_text_is_utf8() -> None:
    class Named(Wire):
        name: str

    decoder = Decoder[Named](Named, 64)
    assert decoder.decode(b"\x91\xa2\xc3\xa9") == Named(name="é")
    with pytest.raises(Rejected) as refused:
        decoder.decode(b"\x91\xa2\xc3\x28")
    assert refused.value.reason is CodecRefusal.MALFORMED


def test_a_wire_value_cannot_change() -> None:
    pair = Pair(number=1, data=b"")
    with pytest.raises(AttributeError):
        pair.number = 2  # type: ignore[misc]
    assert msgspec.structs.replace(pair, number=2) == Pair(number=2, data=b"")
