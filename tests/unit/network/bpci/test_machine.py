"""Traffic through the door, honest and not."""

from dataclasses import replace

import pytest
from tests.unit.network.pump import NOW, Pump, joined, signing_key, ups

from metanode.network.bpci import (
    STREAMS,
    Blame,
    BpciRefusal,
    BytesArrived,
    Close,
    Compute,
    Connected,
    Delivered,
    Disconnected,
    Dropped,
    LinkEnd,
    PeerDown,
    Quota,
    RoundTrip,
    SendMessages,
    Stream,
    Transmit,
    Witnessed,
)
from metanode.network.bpci.compute import SignAll, Signatures, VerifyAll
from metanode.network.bpci.messages import (
    FRAGMENT_FLAG,
    Credit,
    Fragment,
    Kind,
    Ping,
    Pong,
    encode_control,
    encode_fragment,
    handshake_frame,
    join_messages,
)
from metanode.network.bpci.refusals import GUILT
from metanode.network.bpci.state import Session

FREE = dict.fromkeys(STREAMS, Quota(1 << 40, 1 << 40))


def session(pump: Pump, name: str, peer: str) -> Session:
    stage = pump[name].machine._peers[pump[peer].public].stage
    assert isinstance(stage, Session)
    return stage


def inject(pump: Pump, data: bytes, source: str = "alice", target: str = "bob") -> None:
    """Bytes for target on its link with source, as if source had sent them."""
    link = session(pump, target, source).link
    pump.tell(target, BytesArrived(link, data, pump.time(target)))


def sealed(pump: Pump, plain: bytes, kind: Kind = Kind.RECORD, flags: int = 0, stream: Stream = Stream.SYNC) -> bytes:
    """A frame that is authentic, whatever it says."""
    return b"".join(session(pump, "alice", "bob").sender.seal(kind, flags, stream, plain, pump.now_ms))


def ended(pump: Pump, reason: BpciRefusal, by: str = "bob", peer: str = "alice") -> None:
    assert pump[by].blamed() == [reason]
    assert pump[by].closed() == [reason]
    assert pump[by].of(PeerDown) == [PeerDown(pump[peer].public, reason)]
    pump.dial(peer, by)
    cooled = reason in GUILT
    assert (pump[by].blamed()[1:] == [BpciRefusal.COOLING]) == cooled
    assert len(ups(pump[by])) == (1 if cooled else 2)


def test_messages_arrive_in_order_with_their_stream() -> None:
    pump = joined("alice", "bob")
    for stream in STREAMS:
        pump.send("alice", "bob", stream, b"a", b"")
        pump.send("alice", "bob", stream, b"b")
    assert [e for e in pump["bob"].effects if isinstance(e, Delivered)] == [
        Delivered(pump["alice"].public, stream, messages) for stream in STREAMS for messages in ((b"a", b""), (b"b",))
    ]


def test_adjacent_records_of_a_stream_are_one_delivery() -> None:
    pump = joined("alice", "bob", quotas=FREE)
    held: list[bytes] = []

    def hold(name: str, data: bytes) -> bytes:
        if name != "alice":
            return data
        held.append(data)
        return b""

    pump.tamper = hold
    for stream, message in ((Stream.SYNC, b"1"), (Stream.SYNC, b"2"), (Stream.GOSSIP, b"3"), (Stream.SYNC, b"4")):
        pump.send("alice", "bob", stream, message)
    inject(pump, b"".join(held))
    alice = pump["alice"].public
    assert pump["bob"].of(Delivered) == [
        Delivered(alice, Stream.SYNC, (b"1", b"2")),
        Delivered(alice, Stream.GOSSIP, (b"3",)),
        Delivered(alice, Stream.SYNC, (b"4",)),
    ]


def test_a_block_body_of_eight_megabytes_arrives() -> None:
    pump = joined("alice", "bob")
    body = bytes(range(256)) * (8 << 12)
    pump.send("alice", "bob", Stream.SYNC, b"before", body, b"after")
    pump.pass_time(500)
    assert pump["bob"].delivered(Stream.SYNC) == [b"before", body, b"after"]
    assert pump["bob"].blamed() == pump["alice"].blamed() == []


def test_traffic_beyond_the_window_flows_as_it_is_acknowledged() -> None:
    pump = joined("alice", "bob", quotas=FREE)
    messages = tuple(i.to_bytes(4) * 4096 for i in range(1500))
    pump.send("alice", "bob", Stream.BULK, *messages)
    assert pump["bob"].delivered(Stream.BULK) == list(messages)
    sender, receiver = session(pump, "alice", "bob"), session(pump, "bob", "alice")
    assert sender.outbox.sent_bytes == receiver.received_bytes > 24_000_000
    assert sender.outbox.sent_bytes - sender.outbox.acknowledged_bytes < 1 << 20


def test_without_acknowledgement_no_more_than_the_window_is_under_way() -> None:
    pump = joined("alice", "bob", quotas=FREE)
    pump.tamper = lambda name, data: b"" if name == "alice" else data
    pump.send("alice", "bob", Stream.BULK, *[bytes(16384)] * 1000)
    sent = sum(len(e.data) for e in pump["alice"].of(Transmit))
    assert 4 << 20 < sent < 5 << 20


def test_checkpoints_are_signed_checked_and_witnessed() -> None:
    pump = joined("alice", "bob")
    for _ in range(64):
        pump.send("alice", "bob", Stream.GOSSIP, b"x")
    [witnessed] = pump["bob"].of(Witnessed)
    assert (witnessed.peer, witnessed.checkpoint.count) == (pump["alice"].public, 64)
    assert witnessed.session == session(pump, "bob", "alice").receiver.names.session
    pump.send("alice", "bob", Stream.GOSSIP, b"y")
    pump.pass_time(200)
    assert len(pump["bob"].of(Witnessed)) == 1
    pump.pass_time(50)
    assert len(pump["bob"].of(Witnessed)) == 2


def test_every_record_can_be_signed() -> None:
    pump = joined("alice", "bob", checkpoint_records=1)
    for _ in range(3):
        pump.send("alice", "bob", Stream.GOSSIP, b"x")
    assert len(pump["bob"].of(Witnessed)) == 3


def test_signatures_of_all_links_are_asked_in_one_batch() -> None:
    pump = joined("alice", "bob", "carol", "dave")
    for peer in ("bob", "carol", "dave"):
        pump.send("alice", peer, Stream.GOSSIP, b"x")
    before = len(pump["alice"].effects)
    pump.pass_time(250)
    asked = [e.operation for e in pump["alice"].effects[before:] if isinstance(e, Compute)]
    assert [(type(operation), len(operation.messages)) for operation in asked] == [(SignAll, 3)]  # type: ignore[union-attr]


def test_idle_links_ping_and_stay() -> None:
    pump = joined("alice", "bob")
    pump.pass_time(400_000, step_ms=1_000)
    assert all(len(node.machine.connected()) == 1 and node.blamed() == [] for node in pump.nodes.values())
    assert session(pump, "bob", "alice").receiver._epoch.index == session(pump, "alice", "bob").sender._epoch.index >= 3


def test_the_way_there_and_back_is_measured_every_five_seconds() -> None:
    """BPCI-T2."""
    pump = joined("alice", "bob")
    held: list[bytes] = []

    def hold(name: str, data: bytes) -> bytes:
        if name != "bob":
            return data
        held.append(data)
        return b""

    pump.pass_time(50)
    assert pump["alice"].of(RoundTrip) == [RoundTrip(pump["bob"].public, 0)], "the first as soon as the link is up"
    pump.tamper = hold
    pump.pass_time(5_000)
    pump.tamper = lambda _, data: data
    pump.now_ms += 70
    inject(pump, b"".join(held), "bob", "alice")
    assert pump["alice"].of(RoundTrip)[1:] == [RoundTrip(pump["bob"].public, 70)]
    pump.pass_time(5_000)
    assert len(pump["alice"].of(RoundTrip)) == 3


def test_a_clock_set_back_does_not_stop_the_pings() -> None:
    pump = joined("alice", "bob")
    pump.pass_time(50)
    pump.now_ms += 1_000
    pump.clock_of["alice"] = -3_600_000
    pump.pass_time(100)
    assert [trip.took_ms for trip in pump["alice"].of(RoundTrip)] == [0, 0]


def test_an_answer_that_nobody_waits_for_says_nothing() -> None:
    """BPCI-T2."""
    pump = joined("alice", "bob")
    pump.pass_time(50)
    before = pump["bob"].of(RoundTrip)
    for number in (session(pump, "bob", "alice").ping, 0, 77):
        inject(pump, sealed(pump, encode_control(Pong(number)), Kind.CONTROL, 0, Stream.CONTROL))
    assert pump["bob"].of(RoundTrip) == before
    assert pump["bob"].blamed() == []


def test_many_pings_are_answered_once_a_second() -> None:
    """BPCI-T2. Who sends many does not make us send as many."""
    pump = joined("alice", "bob")
    pump.pass_time(50)
    pump.now_ms += 1_000
    before = len(pump["bob"].of(Transmit))
    for number in range(100):
        inject(pump, sealed(pump, encode_control(Ping(number)), Kind.CONTROL, 0, Stream.CONTROL))
    assert len(pump["bob"].of(Transmit)) == before + 1


def test_a_peer_that_falls_silent_is_let_go() -> None:
    pump = joined("alice", "bob")
    pump.tamper = lambda name, data: b"" if name == "alice" else data
    pump.pass_time(15_000, step_ms=500)
    assert pump["bob"].closed() == []
    pump.pass_time(500)
    pump.tamper = lambda _, data: data
    ended(pump, BpciRefusal.SILENT)


def test_a_broken_carrier_is_heard() -> None:
    pump = joined("alice", "bob")
    pump.cut("alice", session(pump, "alice", "bob").link)
    assert pump["alice"].of(PeerDown) == [PeerDown(pump["bob"].public, LinkEnd.LOST)]
    pump.send("alice", "bob", Stream.SYNC, b"a", b"b")
    assert pump["alice"].effects[-1] == Dropped(pump["bob"].public, Stream.SYNC, 2)
    pump.tell("alice", Disconnected(2, NOW))
    pump.tell("alice", BytesArrived(2, b"late", NOW))
    assert len(pump["alice"].of(PeerDown)) == 1


def test_sending_nothing_does_nothing() -> None:
    pump = joined("alice", "bob")
    assert pump["alice"].machine.handle(SendMessages(pump["bob"].public, Stream.SYNC, (), NOW)) == []


def test_a_full_queue_is_counted() -> None:
    pump = joined("alice", "bob", quotas=FREE)
    pump.tamper = lambda name, data: b"" if name == "alice" else data
    pump.send("alice", "bob", Stream.GOSSIP, *[bytes(16384)] * 600)
    [dropped] = pump["alice"].of(Dropped)
    assert isinstance(dropped, Dropped)
    assert (dropped.stream, dropped.peer) == (Stream.GOSSIP, pump["bob"].public)
    assert 300 < dropped.count < 400


def test_what_is_beyond_the_quota_is_dropped_and_counted_by_the_receiver() -> None:
    pump = joined("alice", "bob", quotas=FREE | {Stream.GOSSIP: Quota(1000, 1000)})
    session(pump, "alice", "bob").outbox._buckets[Stream.GOSSIP]._tokens = 1 << 30
    for _ in range(3):
        pump.send("alice", "bob", Stream.GOSSIP, bytes(1500), b"x")
    pump.send("alice", "bob", Stream.SYNC, b"other")
    alice = pump["alice"].public
    assert pump["bob"].of(Dropped) == [Dropped(alice, Stream.GOSSIP, 2)]
    assert len(pump["bob"].delivered(Stream.GOSSIP)) == 4
    assert pump["bob"].delivered(Stream.SYNC) == [b"other"]


def test_a_long_message_beyond_the_quota_is_dropped_piece_by_piece() -> None:
    pump = joined("alice", "bob", quotas=FREE | {Stream.SYNC: Quota(1000, 200_000)})
    session(pump, "alice", "bob").outbox._buckets[Stream.SYNC]._tokens = 1 << 30
    pump.send("alice", "bob", Stream.SYNC, bytes(2 << 20))
    assert pump["bob"].delivered(Stream.SYNC) == []
    assert sum(e.count for e in pump["bob"].of(Dropped)) == 6
    assert pump["bob"].blamed() == []


def test_what_waits_moves_to_the_link_that_replaces_another() -> None:
    first, second = sorted(("alice", "bob"), key=lambda name: signing_key(name).public_key)
    pump = Pump("alice", "bob", quotas=FREE)
    pump.dial(second, first)
    pump.tamper = lambda name, data: b"" if name == second and data[4] >= Kind.RECORD else data
    pump.send(second, first, Stream.BULK, *[bytes(65_000)] * 100)
    waiting = session(pump, second, first).outbox.waiting()
    assert waiting > 0
    pump.tamper = lambda _, data: data
    pump.dial(first, second, hint=False)
    assert len(pump[first].delivered(Stream.BULK)) == waiting


# Dishonest traffic


def test_flipped_bits_end_the_link_without_blame_on_the_peer() -> None:
    pump = joined("alice", "bob")
    frame = sealed(pump, join_messages([b"a"]))
    inject(pump, frame[:-1] + bytes((frame[-1] ^ 1,)))
    ended(pump, BpciRefusal.FORGED_RECORD)


def test_what_was_delivered_before_the_forgery_stays_delivered() -> None:
    pump = joined("alice", "bob")
    good, bad = sealed(pump, join_messages([b"a"])), sealed(pump, join_messages([b"b"]))
    inject(pump, good + bad[:-1] + bytes((bad[-1] ^ 1,)))
    names = [type(e) for e in pump["bob"].effects[-4:]]
    assert names == [Delivered, Blame, Close, PeerDown]


def test_a_replayed_record_is_dropped_and_the_link_stays() -> None:
    pump = joined("alice", "bob")
    frame = sealed(pump, join_messages([b"a"]))
    inject(pump, frame + frame + sealed(pump, join_messages([b"b"])))
    assert pump["bob"].delivered(Stream.SYNC) == [b"a", b"b"]
    assert pump["bob"].blamed() == [BpciRefusal.REPLAYED]
    assert pump["bob"].closed() == []


def test_reordered_records_are_accepted_once() -> None:
    pump = joined("alice", "bob")
    frames = [sealed(pump, join_messages([bytes((i,))])) for i in range(10)]
    for frame in reversed(frames):
        inject(pump, frame)
    assert pump["bob"].delivered(Stream.SYNC) == [bytes((i,)) for i in reversed(range(10))]
    assert pump["bob"].blamed() == []


def test_a_record_older_than_the_window_is_refused() -> None:
    pump = joined("alice", "bob")
    frame = sealed(pump, join_messages([b"a"]))
    session(pump, "alice", "bob").sender._counter += 8192
    inject(pump, sealed(pump, join_messages([b"b"])) + frame)
    assert pump["bob"].blamed() == [BpciRefusal.REPLAYED]


def test_an_unknown_epoch_ends_the_link() -> None:
    pump = joined("alice", "bob")
    frame = bytearray(sealed(pump, join_messages([b"a"])))
    frame[7] = 9
    inject(pump, bytes(frame))
    ended(pump, BpciRefusal.WRONG_EPOCH)


def test_a_key_used_too_long_ends_the_link(monkeypatch: pytest.MonkeyPatch) -> None:
    pump = joined("alice", "bob")
    monkeypatch.setattr("metanode.network.bpci.session.KEY_AGE_MS", 1 << 40)
    pump.now_ms += 180_001
    inject(pump, sealed(pump, join_messages([b"a"])))
    ended(pump, BpciRefusal.STALE_KEY)


@pytest.mark.parametrize(
    ("kind", "flags", "plain"),
    [
        (Kind.RECORD, 0, b""),
        (Kind.RECORD, 0, join_messages([b"a"]) + b"more"),
        (Kind.RECORD, FRAGMENT_FLAG, b"short"),
        (Kind.CONTROL, 0, b"\x09"),
    ],
)
def test_authentic_nonsense_is_the_peer_s_own_doing(kind: Kind, flags: int, plain: bytes) -> None:
    pump = joined("alice", "bob")
    stream = Stream.SYNC if kind is Kind.RECORD else Stream.CONTROL
    inject(pump, sealed(pump, plain, kind, flags, stream))
    ended(pump, BpciRefusal.MALFORMED_RECORD)


def test_fragments_where_none_may_be() -> None:
    pump = joined("alice", "bob")
    piece = encode_fragment(Fragment(1, 2 << 20, 0, b"x"))
    inject(pump, sealed(pump, piece, flags=FRAGMENT_FLAG, stream=Stream.GOSSIP))
    ended(pump, BpciRefusal.BROKEN_FRAGMENTS)


def test_false_credit() -> None:
    pump = joined("alice", "bob")
    inject(pump, sealed(pump, encode_control(Credit(1)), Kind.CONTROL, 0, Stream.CONTROL))
    ended(pump, BpciRefusal.FALSE_CREDIT)


def test_a_checkpoint_that_lies_about_the_traffic() -> None:
    pump = joined("alice", "bob")
    pump.send("alice", "bob", Stream.SYNC, b"a")
    [(checkpoint, _)] = session(pump, "alice", "bob").sender.checkpoints(NOW + 250)
    lie = replace(checkpoint, chain=bytes(32))
    inject(pump, sealed(pump, encode_control(lie), Kind.CONTROL, 0, Stream.CONTROL))
    ended(pump, BpciRefusal.WRONG_CHECKPOINT)


def test_a_checkpoint_that_somebody_else_signed() -> None:
    pump = joined("alice", "bob", checkpoint_records=1)

    def substitute(name: str, operation: object, result: object) -> object:
        if name == "alice" and isinstance(operation, SignAll):
            return Signatures(tuple(signing_key("mallory").sign(m) for m in operation.messages))
        return result

    pump.substitute = substitute  # type: ignore[assignment]
    pump.send("alice", "bob", Stream.SYNC, b"a")
    pump.substitute = lambda _, __, result: result
    assert pump["bob"].delivered(Stream.SYNC) == [b"a"]
    assert pump["bob"].of(Witnessed) == []
    ended(pump, BpciRefusal.FALSE_CHECKPOINT)


def test_a_peer_that_never_signs_is_let_go() -> None:
    pump = joined("alice", "bob")
    inject(pump, sealed(pump, join_messages([b"a"])))
    for _ in range(40):
        pump.now_ms += 250
        inject(pump, sealed(pump, encode_control(Ping(1)), Kind.CONTROL, 0, Stream.CONTROL))
    assert pump["bob"].blamed() == []
    pump.now_ms += 1
    inject(pump, sealed(pump, encode_control(Ping(1)), Kind.CONTROL, 0, Stream.CONTROL))
    ended(pump, BpciRefusal.UNSIGNED_TOO_LONG)


def test_a_word_of_the_handshake_in_a_session_is_out_of_turn() -> None:
    pump = joined("alice", "bob")
    inject(pump, handshake_frame(Kind.HELLO, b""))
    ended(pump, BpciRefusal.OUT_OF_TURN)


@pytest.mark.parametrize(
    ("data", "reason"),
    [(b"GET / HTTP/1.1\r\n", BpciRefusal.MALFORMED_FRAME), (b"\xff" * 4 + b"\x01" + bytes(11), BpciRefusal.TOO_LONG)],
)
def test_other_protocols_are_refused_at_once(data: bytes, reason: BpciRefusal) -> None:
    pump = Pump("bob")
    pump.tell("bob", Connected(7, False, b"", "mallory:1", NOW))
    pump.tell("bob", BytesArrived(7, data, NOW))
    assert pump["bob"].blamed() == [reason]
    assert pump["bob"].closed() == [reason]


def test_a_checked_signature_for_a_closed_link_is_forgotten() -> None:
    pump = joined("alice", "bob", checkpoint_records=1)

    def substitute(name: str, operation: object, result: object) -> object:
        if name == "bob" and isinstance(operation, VerifyAll):
            link = session(pump, "bob", "alice").link
            pump.moving.appendleft(("bob", Disconnected(link, NOW)))
        return result

    pump.substitute = substitute  # type: ignore[assignment]
    pump.send("alice", "bob", Stream.SYNC, b"a")
    assert pump["bob"].of(Witnessed) == []
    assert pump["bob"].of(PeerDown) == [PeerDown(pump["alice"].public, LinkEnd.LOST)]


def test_four_talk_to_each_other() -> None:
    names = ("alice", "bob", "carol", "dave")
    pump = joined(*names)
    for source in names:
        for target in names:
            if source != target:
                pump.send(source, target, Stream.CONSENSUS, source.encode())
    for name in names:
        assert sorted(pump[name].delivered(Stream.CONSENSUS)) == sorted(n.encode() for n in names if n != name)
        assert pump[name].blamed() == []
