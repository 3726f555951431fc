"""Whatever is sent arrives, in order of its stream, however the carrier cuts or shuffles it."""

from hypothesis import given
from hypothesis import strategies as st
from tests.unit.network.pump import NOW, joined

from metanode.network.bpci import STREAMS, BytesArrived, Stream
from metanode.network.bpci.handshake import Established
from metanode.network.bpci.messages import (
    Checkpoint,
    Credit,
    Fragment,
    Kind,
    decode_control,
    decode_fragment,
    encode_control,
    encode_fragment,
    join_messages,
    parse_header,
    split_messages,
)
from metanode.network.bpci.session import Receiver, Sender

MESSAGES = st.lists(st.binary(max_size=200), min_size=1, max_size=20)
U64 = st.integers(0, (1 << 64) - 1)
U32 = st.integers(0, (1 << 32) - 1)
HASH = st.binary(min_size=32, max_size=32)


@given(MESSAGES)
def test_messages_survive_a_record(messages: list[bytes]) -> None:
    assert split_messages(join_messages(messages)) == tuple(messages)


@given(U32, U32, st.binary(min_size=1, max_size=50), U32)
def test_fragments_survive(message: int, offset: int, data: bytes, more: int) -> None:
    total = offset + len(data) + more
    if total < 1 << 32:
        fragment = Fragment(message, total, offset, data)
        assert decode_fragment(encode_fragment(fragment)) == fragment


@given(st.builds(Checkpoint, U64, U32, U64, U64, U32, HASH, HASH, HASH, U64, st.binary(min_size=64, max_size=64)), U64)
def test_control_words_survive(checkpoint: Checkpoint, total: int) -> None:
    assert decode_control(encode_control(checkpoint)) == checkpoint
    assert decode_control(encode_control(Credit(total))) == Credit(total)


@given(
    sent=st.lists(st.tuples(st.sampled_from(STREAMS), MESSAGES), max_size=10),
    cuts=st.lists(st.integers(1, 400), min_size=1, max_size=20),
)
def test_what_is_sent_is_delivered_however_it_is_cut(sent: list[tuple[Stream, list[bytes]]], cuts: list[int]) -> None:
    pump = joined("alice", "bob")
    held: list[bytes] = []
    pump.tamper = lambda name, data: b"" if name == "alice" and not held.append(data) else data  # type: ignore[func-returns-value]
    for stream, messages in sent:
        pump.send("alice", "bob", stream, *messages)
    pump.tamper = lambda _, data: data
    data, position = b"".join(held), 0
    while data:
        size = cuts[position % len(cuts)]
        pump.tell("bob", BytesArrived(3, data[:size], NOW))
        data, position = data[size:], position + 1
    for stream in STREAMS:
        assert pump["bob"].delivered(stream) == [m for to, messages in sent if to is stream for m in messages]
    pump.pass_time(500)
    assert pump["bob"].blamed() == pump["alice"].blamed() == []


@given(st.permutations(range(24)), st.integers(1, 6))
def test_shuffled_records_and_checkpoints_are_all_covered(order: list[int], every: int) -> None:
    session, forth, back = b"s" * 32, b"f" * 32, b"b" * 32
    sender = Sender(Established(b"p" * 32, b"e" * 16, session, True, forth, back), b"w" * 16, every, NOW)
    receiver = Receiver(Established(b"q" * 32, b"w" * 16, session, False, back, forth), b"e" * 16, NOW)
    frames = [sender.seal(Kind.RECORD, 0, Stream.SYNC, bytes((i,)), NOW) for i in range(24)]
    checkpoints = [checkpoint for checkpoint, _ in sender.checkpoints(NOW + 250)]
    covered: list[Checkpoint] = []
    for position, index in enumerate(order):
        header, body = frames[index]
        assert receiver.open(parse_header(header), header, body, NOW) == bytes((index,))
        if position < len(checkpoints):
            receiver.hear_checkpoint(checkpoints[position])
        covered += [checkpoint for checkpoint, _ in receiver.matched(NOW)]
    assert covered == checkpoints
    assert sum(checkpoint.count for checkpoint in covered) == 24
