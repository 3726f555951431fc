"""Every decoder of the house, with nothing, anything, and things that are nearly right: a value or a refusal."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import inspect
from tests.fuzz.wire import decoders, kind, parts, values, wire_types

from metanode.primitives.codec import CodecRefusal, Decoder, encode
from metanode.primitives.refusal import Rejected

MEMORY_OF_A_TEST = 1 << 26
EXAMPLES = settings(max_examples=25)
DECODERS = pytest.mark.parametrize("decoder", decoders().values(), ids=decoders().keys())


def decoded_or_refused(decoder: Decoder[Any], data: bytes) -> None:
    """The only two ends: a value whose bytes are exactly these, or a refusal of the codec."""
    try:
        value = decoder.decode(data)
    except Rejected as rejected:
        assert isinstance(rejected.reason, CodecRefusal)
        assert rejected.detail
    else:
        assert encode(value) == data


@DECODERS
@EXAMPLES
@given(data=st.binary(max_size=300))
def test_arbitrary_bytes(decoder: Decoder[Any], data: bytes) -> None:
    decoded_or_refused(decoder, data)


@DECODERS
@EXAMPLES
@given(data=st.data())
def test_a_value_survives_and_its_neighbours_do_no_harm(decoder: Decoder[Any], data: st.DataObject) -> None:
    value = data.draw(values(inspect.type_info(kind(decoder))))
    encoded = encode(value)
    assert decoder.decode(encoded) == value
    at = data.draw(st.integers(0, len(encoded) - 1))
    byte = data.draw(st.integers(1, 255))
    decoded_or_refused(decoder, encoded[:at] + bytes([encoded[at] ^ byte]) + encoded[at + 1 :])
    decoded_or_refused(decoder, encoded[:at])
    decoded_or_refused(decoder, encoded + encoded[: at + 1])


@DECODERS
def test_too_much_is_refused_before_it_is_read(decoder: Decoder[Any]) -> None:
    if decoder.bytes_max > MEMORY_OF_A_TEST:
        pytest.skip(f"its limit of {decoder.bytes_max} bytes is more memory than a test should take")
    with pytest.raises(Rejected) as refused:
        decoder.decode(bytes(decoder.bytes_max + 1))
    assert refused.value.reason is CodecRefusal.TOO_LARGE


def test_every_wire_type_is_decoded_by_a_decoder_tested_here() -> None:
    reached: set[type] = set().union(*(parts(inspect.type_info(kind(d))) for d in decoders().values()))
    bare = [f"{t.__module__}.{t.__qualname__}" for t in wire_types() if t not in reached and not t.__subclasses__()]
    assert not bare, "wire types that no decoder reaches, so that no fuzz test sees them:\n" + "\n".join(bare)
