"""Queues, quotas, window and fragments of one peer."""

import pytest

from metanode.network.bpci.messages import (
    FRAGMENT_BYTES,
    FRAGMENT_FLAG,
    LONG_BYTES_MAX,
    SINGLE_BYTES_MAX,
    STREAMS,
    Fragment,
    Stream,
    decode_fragment,
    split_messages,
)
from metanode.network.bpci.outbox import (
    CONSENSUS_RESERVE_BYTES,
    DEFAULT_QUOTAS,
    QUEUE_BYTES_MAX,
    QUEUE_MESSAGES_MAX,
    RECORD_FILL_BYTES,
    WINDOW_BYTES,
    Intake,
    Outbox,
    Packed,
    Quota,
    TokenBucket,
)
from metanode.network.bpci.refusals import BpciRefusal
from metanode.primitives.refusal import Rejected

NOW = 5_000
FREE = dict.fromkeys(STREAMS, Quota(1 << 40, 1 << 40))


def drained(outbox: Outbox, now_ms: int = NOW) -> list[Packed]:
    packed = []
    while (record := outbox.take(now_ms)) is not None:
        outbox.sent_bytes += len(record.plain)
        packed.append(record)
    return packed


def test_urgent_streams_go_first_and_messages_share_a_record() -> None:
    outbox = Outbox(FREE, NOW)
    for stream in reversed(STREAMS):
        assert outbox.put(stream, (b"1", stream.name.encode())) == 0
    records = drained(outbox)
    assert [record.stream for record in records] == list(STREAMS)
    assert [split_messages(record.plain) for record in records] == [(b"1", stream.name.encode()) for stream in STREAMS]
    assert outbox.waiting() == 0


def test_a_record_is_closed_at_about_its_size() -> None:
    outbox = Outbox(FREE, NOW)
    outbox.put(Stream.SYNC, (bytes(1024),) * 100)
    counts = [len(split_messages(record.plain)) for record in drained(outbox)]
    assert counts == [RECORD_FILL_BYTES // 1024, 100 - RECORD_FILL_BYTES // 1024]


def test_consensus_overtakes_a_long_message_between_its_fragments() -> None:
    outbox = Outbox(FREE, NOW)
    long = bytes(range(256)) * (SINGLE_BYTES_MAX // 256 + 2)
    outbox.put(Stream.BULK, (long, b"after"))
    first = outbox.take(NOW)
    outbox.put(Stream.CONSENSUS, (b"vote",))
    rest = drained(outbox)
    assert first is not None
    assert (first.stream, first.flags, len(first.plain)) == (Stream.BULK, FRAGMENT_FLAG, 12 + FRAGMENT_BYTES)
    assert [record.stream for record in rest][:2] == [Stream.CONSENSUS, Stream.BULK]
    pieces = [decode_fragment(record.plain) for record in [first, *rest] if record.flags]
    assert b"".join(piece.data for piece in pieces) == long
    assert split_messages(rest[-1].plain) == (b"after",)


def test_long_messages_of_two_streams_keep_their_own_numbers() -> None:
    outbox, intake = Outbox(FREE, NOW), Intake(FREE, NOW)
    outbox.put(Stream.BULK, (b"b" * (SINGLE_BYTES_MAX + 1),))
    records = [outbox.take(NOW)]
    outbox.put(Stream.SYNC, (b"s" * (SINGLE_BYTES_MAX + 1),))
    records += drained(outbox)
    joined = [intake.join(r.stream, decode_fragment(r.plain)) for r in records if r is not None]
    assert sorted(message[:1] for message in joined if message) == [b"b", b"s"]


def test_the_window_holds_back_all_but_some_consensus() -> None:
    outbox = Outbox(FREE, NOW)
    outbox.sent_bytes = WINDOW_BYTES
    outbox.put(Stream.SYNC, (b"s",))
    assert outbox.take(NOW) is None
    outbox.put(Stream.CONSENSUS, (b"c",))
    assert [record.stream for record in drained(outbox)] == [Stream.CONSENSUS]
    outbox.put(Stream.CONSENSUS, (b"c",))
    outbox.sent_bytes = WINDOW_BYTES + CONSENSUS_RESERVE_BYTES
    assert outbox.take(NOW) is None
    outbox.acknowledge(outbox.sent_bytes)
    assert [record.stream for record in drained(outbox)] == [Stream.CONSENSUS, Stream.SYNC]


@pytest.mark.parametrize("total", [99, 201])
def test_credit_for_more_than_was_sent_or_less_than_before_is_refused(total: int) -> None:
    outbox = Outbox(FREE, NOW)
    outbox.sent_bytes = 200
    outbox.acknowledge(100)
    with pytest.raises(Rejected) as caught:
        outbox.acknowledge(total)
    assert caught.value.reason == BpciRefusal.FALSE_CREDIT


def test_a_quota_spreads_what_is_sent_over_time() -> None:
    outbox = Outbox(FREE | {Stream.GOSSIP: Quota(1000, 100)}, NOW)
    outbox.put(Stream.GOSSIP, (bytes(RECORD_FILL_BYTES),) * 2)
    assert len(drained(outbox)) == 1
    debt_ms = RECORD_FILL_BYTES + 8 - 100
    assert drained(outbox, NOW + debt_ms) == []
    assert len(drained(outbox, NOW + debt_ms + 1)) == 1


def test_a_clock_set_back_gives_no_tokens() -> None:
    bucket = TokenBucket(Quota(1000, 100), NOW)
    bucket.spend(150)
    assert not bucket.open(NOW - 1000)
    assert not bucket.open(NOW - 950)
    assert bucket.open(NOW - 949)


def test_a_full_queue_drops_the_newest_but_for_consensus_the_oldest() -> None:
    outbox = Outbox(FREE, NOW)
    outbox.sent_bytes = WINDOW_BYTES + CONSENSUS_RESERVE_BYTES
    size = 1 << 20
    many = QUEUE_BYTES_MAX[Stream.GOSSIP] // (size // 2)
    messages = tuple(bytes((i,)) * (size // 2) for i in range(many + 2))
    assert outbox.put(Stream.GOSSIP, messages) == 2
    votes = tuple(bytes((i,)) * size for i in range(QUEUE_BYTES_MAX[Stream.CONSENSUS] // size + 3))
    assert outbox.put(Stream.CONSENSUS, votes) == 3
    outbox.acknowledge(outbox.sent_bytes)
    outbox.sent_bytes = outbox.acknowledged_bytes = 0
    first = outbox.take(NOW)
    assert first is not None
    assert decode_fragment(first.plain).data[:1] == b"\x03"


def test_messages_are_counted_not_only_weighed() -> None:
    outbox = Outbox(FREE, NOW)
    assert outbox.put(Stream.BULK, (b"",) * QUEUE_MESSAGES_MAX) == 0
    assert outbox.put(Stream.BULK, (b"",) * 3) == 3


def test_a_message_beyond_its_stream_s_bound_is_a_bug() -> None:
    outbox = Outbox(FREE, NOW)
    with pytest.raises(AssertionError):
        outbox.put(Stream.GOSSIP, (bytes(SINGLE_BYTES_MAX + 1),))
    with pytest.raises(AssertionError):
        outbox.put(Stream.BULK, (bytes(LONG_BYTES_MAX[Stream.BULK] + 1),))


def test_a_new_link_begins_a_half_sent_message_again() -> None:
    outbox = Outbox(FREE, NOW)
    outbox.put(Stream.BULK, (bytes(SINGLE_BYTES_MAX + 1),))
    outbox.take(NOW)
    outbox.new_link()
    record = outbox.take(NOW)
    assert record is not None
    assert decode_fragment(record.plain).offset == 0


LONG = SINGLE_BYTES_MAX + 2


def pieces(message: int = 1, total: int = LONG) -> list[Fragment]:
    half = total // 2
    return [Fragment(message, total, 0, b"a" * half), Fragment(message, total, half, b"b" * (total - half))]


def test_fragments_are_joined() -> None:
    intake = Intake(DEFAULT_QUOTAS, NOW)
    first, second = pieces()
    assert intake.join(Stream.SYNC, first) is None
    assert intake.join(Stream.SYNC, second) == first.data + second.data
    assert intake.join(Stream.SYNC, first) is None


@pytest.mark.parametrize(
    ("stream", "fragments"),
    [
        (Stream.GOSSIP, pieces()[:1]),
        (Stream.TRANSACTIONS, pieces()[:1]),
        (Stream.CONSENSUS, pieces(total=LONG_BYTES_MAX[Stream.CONSENSUS] + 1)[:1]),
        (Stream.SYNC, pieces(total=LONG_BYTES_MAX[Stream.SYNC] + 1)[:1]),
        (Stream.SYNC, [Fragment(1, 10, 0, b"short")]),
        (Stream.SYNC, pieces()[1:]),
        (Stream.SYNC, [pieces()[0], pieces(2)[1]]),
        (Stream.SYNC, [pieces()[0], Fragment(1, LONG, LONG // 2 + 1, b"x")]),
        (Stream.SYNC, [pieces()[0], Fragment(1, LONG + 1, LONG // 2, b"x")]),
    ],
)
def test_broken_fragments_are_refused(stream: Stream, fragments: list[Fragment]) -> None:
    intake = Intake(DEFAULT_QUOTAS, NOW)
    for fragment in fragments[:-1]:
        intake.join(stream, fragment)
    with pytest.raises(Rejected) as caught:
        intake.join(stream, fragments[-1])
    assert caught.value.reason == BpciRefusal.BROKEN_FRAGMENTS


def test_a_message_that_lost_a_fragment_to_the_quota_is_dropped_whole() -> None:
    intake = Intake(DEFAULT_QUOTAS, NOW)
    first, second = pieces()
    intake.skip(Stream.SYNC, first)
    assert intake.join(Stream.SYNC, second) is None
    first, second = pieces(2)
    assert intake.join(Stream.SYNC, first) is None
    assert intake.join(Stream.SYNC, second) == first.data + second.data


def test_a_receiver_grants_twice_the_quota() -> None:
    intake = Intake(FREE | {Stream.GOSSIP: Quota(1000, 100)}, NOW)
    assert intake.admit(Stream.GOSSIP, 199, NOW)
    assert intake.admit(Stream.GOSSIP, 50, NOW)
    assert not intake.admit(Stream.GOSSIP, 1, NOW)
    assert intake.admit(Stream.GOSSIP, 1, NOW + 25)
