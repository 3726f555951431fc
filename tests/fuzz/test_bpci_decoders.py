"""Arbitrary bytes end in a value or a refusal of the room, nothing else."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.network.pump import NOW, Pump, joined

from metanode.network.bpci import BytesArrived, Connected, Stream
from metanode.network.bpci.messages import (
    HEADER_BYTES,
    Hello,
    Kind,
    decode_answer,
    decode_confirm,
    decode_control,
    decode_credentials,
    decode_fragment,
    decode_hello,
    encode_word,
    handshake_frame,
    parse_header,
    split_messages,
)
from metanode.network.bpci.refusals import BpciRefusal
from metanode.primitives.refusal import Rejected

DECODERS: list[Callable[[bytes], object]] = [
    parse_header,
    decode_hello,
    decode_answer,
    decode_confirm,
    decode_credentials,
    decode_control,
    decode_fragment,
    split_messages,
]
HELLO = encode_word(
    Hello(versions=(1,), chain_id=bytes(32), exchange_public=bytes(32), kem_public=bytes(1184), now_ms=NOW)
)
BYTES = st.one_of(
    st.binary(min_size=HEADER_BYTES, max_size=300),
    st.tuples(st.sampled_from([b"\x95", b"\x94", b"\x92", b"\x03", b"\x02", bytes(3)]), st.binary(max_size=300)).map(
        lambda parts: b"".join(parts) + bytes(HEADER_BYTES)
    ),
    st.tuples(st.integers(0, len(HELLO) - 1), st.binary(max_size=4)).map(
        lambda change: HELLO[: change[0]] + change[1] + HELLO[change[0] + len(change[1]) :]
    ),
)


@pytest.mark.parametrize("decode", DECODERS, ids=lambda decode: decode.__name__)
@given(data=BYTES)
def test_decoders_give_a_value_or_a_refusal(decode: Callable[[bytes], object], data: bytes) -> None:
    try:
        decode(data)
    except Rejected as rejected:
        assert isinstance(rejected.reason, BpciRefusal)


@given(st.lists(BYTES, max_size=5))
def test_a_stranger_s_bytes_end_in_waiting_or_a_refusal(chunks: list[bytes]) -> None:
    pump = Pump("bob")
    pump.tell("bob", Connected(7, False, b"", "mallory:1", NOW))
    for chunk in chunks:
        pump.tell("bob", BytesArrived(7, chunk, NOW))
    assert len(pump["bob"].blamed()) == len(pump["bob"].closed()) <= 1


@given(st.sampled_from([Kind.HELLO, Kind.ANSWER, Kind.CONFIRM]), st.integers(1, 3), BYTES)
def test_any_word_at_any_turn_ends_in_a_refusal(kind: Kind, turn: int, body: bytes) -> None:
    pump = Pump("alice", "bob")

    def tamper(_: str, data: bytes) -> bytes:
        return handshake_frame(kind, body) if data[4] == turn else data

    pump.tamper = tamper
    pump.dial("alice", "bob")
    assert all(node.machine.connected() == () for node in pump.nodes.values())


@given(st.binary(max_size=200), st.sampled_from([(Kind.RECORD, 0), (Kind.RECORD, 1), (Kind.CONTROL, 0)]))
def test_an_authentic_peer_s_nonsense_ends_in_a_refusal_or_a_delivery(plain: bytes, shape: tuple[Kind, int]) -> None:
    pump = joined("alice", "bob")
    kind, flags = shape
    sender = pump["alice"].machine._peers[pump["bob"].public].stage.sender  # type: ignore[union-attr]
    stream = Stream.SYNC if kind is Kind.RECORD else Stream.CONTROL
    pump.tell("bob", BytesArrived(3, b"".join(sender.seal(kind, flags, stream, plain, NOW)), NOW))
    assert len(pump["bob"].blamed()) == len(pump["bob"].closed()) <= 1
