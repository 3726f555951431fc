"""Arbitrary bytes end in a value with exactly these bytes, or in a refusal."""

from contextlib import suppress
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from metanode.primitives.codec import Decoder, Wire, encode
from metanode.primitives.refusal import Rejected


class Sample(Wire):
    version: int
    data: bytes
    items: tuple[bytes, ...]


DECODERS: tuple[Decoder[Any], ...] = (
    Decoder[Any](Sample, 200),
    Decoder[Any](tuple[int, ...], 200),
    Decoder[Any](bytes, 200),
    Decoder[Any](str, 200),
)


@settings(max_examples=200)
@given(st.binary(max_size=220))
def test_any_bytes_end_in_a_value_or_a_refusal(data: bytes) -> None:
    for decoder in DECODERS:
        with suppress(Rejected):
            assert encode(decoder.decode(data)) == data
