"""Arbitrary discovery messages end in a value or a refusal of the room, nothing else."""

from hypothesis import given
from hypothesis import strategies as st

from metanode.network.discovery.messages import (
    Addresses,
    AddressRecord,
    DiscoveryRefusal,
    Known,
    decode_message,
    encode_message,
    unpack_bits,
)
from metanode.primitives.refusal import Rejected

RECORD = AddressRecord(version=1, key=bytes(32), sequence=5, addresses=("a:1", "[::1]:65535"), signature=bytes(64))
GOOD = (
    encode_message(Addresses(version=1, records=(RECORD, RECORD))),
    encode_message(Known(version=1, known_set=bytes(32), bits=b"\x03")),
)


@given(st.one_of(st.binary(max_size=300), st.tuples(st.sampled_from([b"\x01", b"\x02"]), st.binary()).map(b"".join)))
def test_arbitrary_bytes(data: bytes) -> None:
    try:
        assert encode_message(decode_message(data)) == data
    except Rejected as rejected:
        assert isinstance(rejected.reason, DiscoveryRefusal)


@given(st.sampled_from(GOOD), st.integers(0), st.binary(min_size=1, max_size=3))
def test_nearly_good_bytes(data: bytes, at: int, change: bytes) -> None:
    at %= len(data)
    test_arbitrary_bytes.hypothesis.inner_test(data[:at] + change + data[at + len(change) :])  # type: ignore[attr-defined]


def test_good_bytes_are_their_value() -> None:
    assert decode_message(GOOD[0]) == Addresses(version=1, records=(RECORD, RECORD))
    assert decode_message(GOOD[1]) == Known(version=1, known_set=bytes(32), bits=b"\x03")


@given(st.binary(max_size=10), st.integers(0, 64))
def test_arbitrary_vectors(bits: bytes, count: int) -> None:
    try:
        assert len(unpack_bits(bits, count)) == count
    except Rejected as rejected:
        assert rejected.reason == DiscoveryRefusal.MALFORMED
