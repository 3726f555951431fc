"""Sealed records, key epochs, checkpoints: one direction of a session at a time."""

from dataclasses import replace
from typing import Any

import pytest

from metanode.network.bpci.handshake import Established
from metanode.network.bpci.messages import (
    HEADER,
    HEADER_BYTES,
    Checkpoint,
    Kind,
    Stream,
    checkpoint_digest,
    parse_header,
    service_hash,
)
from metanode.network.bpci.refusals import BpciRefusal
from metanode.network.bpci.session import (
    CHECKPOINT_AGE_MS,
    GRACE_MS,
    KEY_AGE_MS,
    STALE_AGE_MS,
    UNSIGNED_AGE_MS,
    Receiver,
    Sender,
)
from metanode.primitives.digest import Tag, digest
from metanode.primitives.refusal import Rejected
from metanode.primitives.sealing import Aead, hkdf_sha256

NOW = 1_000_000
SESSION, FORTH, BACK = b"s" * 32, b"f" * 32, b"b" * 32
WEST, EAST = b"w" * 16, b"e" * 16
INITIATOR = Established(b"p" * 32, EAST, SESSION, True, FORTH, BACK)
RESPONDER = Established(b"q" * 32, WEST, SESSION, False, BACK, FORTH)

Frame = tuple[bytes, bytes]


def pair(checkpoint_records: int = 64) -> tuple[Sender, Receiver]:
    return Sender(INITIATOR, WEST, checkpoint_records, NOW), Receiver(RESPONDER, EAST, NOW)


def record(sender: Sender, plain: bytes, now_ms: int = NOW, stream: Stream = Stream.SYNC) -> Frame:
    return sender.seal(Kind.RECORD, 0, stream, plain, now_ms)


def opened(receiver: Receiver, frame: Frame, now_ms: int = NOW) -> bytes:
    header = parse_header(frame[0])
    assert receiver.fresh(header)
    return receiver.open(header, *frame, now_ms)


def refusal(receiver: Receiver, frame: Frame, now_ms: int = NOW) -> object:
    with pytest.raises(Rejected) as caught:
        opened(receiver, frame, now_ms)
    return caught.value.reason


def test_a_record_is_what_the_protocol_page_says() -> None:
    sender, _ = pair()
    header, body = record(sender, b"words")
    assert header == HEADER.pack(len(body), 4, 0, 2, 0, 0)
    key = hkdf_sha256(FORTH, salt=SESSION, info=b"bpci1 epoch\x00\x00\x00\x00\x00", length=64)[:32]
    tick = digest(Tag.TICK, SESSION, b"\x00", bytes(4))
    logical = b"\x01" + WEST + EAST + digest(Tag.FRAMES, b"service sync") + SESSION + b"\x00" + bytes(4) + tick + header
    assert Aead(key).open(0, body, logical) == b"words"
    assert service_hash(Stream.SYNC) == digest(Tag.FRAMES, b"service sync")


def test_both_directions_open_what_the_other_sealed() -> None:
    sender, receiver = pair()
    assert [opened(receiver, record(sender, plain)) for plain in (b"a", b"", b"c" * 1000)] == [b"a", b"", b"c" * 1000]
    back, forth = Sender(RESPONDER, EAST, 64, NOW), Receiver(INITIATOR, WEST, NOW)
    assert opened(forth, record(back, b"d")) == b"d"


def test_a_frame_of_one_direction_does_not_open_in_the_other() -> None:
    sender, _ = pair()
    assert refusal(Receiver(INITIATOR, WEST, NOW), record(sender, b"a")) == BpciRefusal.FORGED_RECORD


@pytest.mark.parametrize(
    "changed",
    [
        replace(RESPONDER, session=b"t" * 32),
        replace(RESPONDER, cluster=b"x" * 16),
        replace(RESPONDER, receiving=b"g" * 32),
    ],
)
def test_session_cluster_and_key_are_bound(changed: Established) -> None:
    sender, _ = pair()
    assert refusal(Receiver(changed, EAST, NOW), record(sender, b"a")) == BpciRefusal.FORGED_RECORD


def test_the_own_cluster_is_bound() -> None:
    sender, _ = pair()
    assert refusal(Receiver(RESPONDER, b"x" * 16, NOW), record(sender, b"a")) == BpciRefusal.FORGED_RECORD


def test_every_flipped_bit_of_a_record_is_noticed() -> None:
    sender, _ = pair()
    header, body = record(sender, b"a")
    whole = header + body
    for bit in range(8 * len(whole)):
        flipped = bytearray(whole)
        flipped[bit // 8] ^= 1 << bit % 8
        _, receiver = pair()
        with pytest.raises(Rejected) as caught:
            receiver.open(parse_header(flipped), bytes(flipped[:HEADER_BYTES]), bytes(flipped[HEADER_BYTES:]), NOW)
        assert caught.value.reason in (
            BpciRefusal.FORGED_RECORD,
            BpciRefusal.MALFORMED_FRAME,
            BpciRefusal.TOO_LONG,
            BpciRefusal.WRONG_EPOCH,
        )


def test_a_forged_frame_does_not_move_the_window_nor_the_key() -> None:
    sender, receiver = pair()
    header, body = record(sender, b"a")
    forged = HEADER.pack(len(body), 4, 0, 2, 1, 1 << 60)
    assert refusal(receiver, (forged, body)) == BpciRefusal.FORGED_RECORD
    assert opened(receiver, (header, body)) == b"a"


def test_keys_are_replaced_by_age_and_followed() -> None:
    sender, receiver = pair()
    later = NOW + KEY_AGE_MS
    first, second = record(sender, b"old", later - 1), record(sender, b"new", later)
    assert [parse_header(frame[0]).epoch for frame in (first, second)] == [0, 1]
    assert [parse_header(frame[0]).counter for frame in (first, second)] == [0, 1]
    assert opened(receiver, second, later) == b"new"
    assert opened(receiver, first, later + GRACE_MS) == b"old"


def test_the_key_just_left_serves_for_a_short_while_only() -> None:
    sender, receiver = pair()
    later = NOW + KEY_AGE_MS
    first, second = record(sender, b"old"), record(sender, b"new", later)
    opened(receiver, second, later)
    assert refusal(receiver, first, later + GRACE_MS + 1) == BpciRefusal.WRONG_EPOCH


def test_epochs_are_not_skipped() -> None:
    sender, receiver = pair()
    record(sender, b"a", NOW + KEY_AGE_MS)
    frame = record(sender, b"b", NOW + 2 * KEY_AGE_MS)
    assert parse_header(frame[0]).epoch == 2
    assert refusal(receiver, frame, NOW) == BpciRefusal.WRONG_EPOCH


def test_keys_are_replaced_by_use(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("metanode.network.bpci.session.KEY_RECORDS", 3)
    sender, receiver = pair()
    frames = [record(sender, b"x") for _ in range(600)]
    assert [parse_header(frame[0]).epoch for frame in frames] == [i // 3 % 256 for i in range(600)]
    assert {opened(receiver, frame) for frame in frames} == {b"x"}
    monkeypatch.setattr("metanode.network.bpci.session.KEY_RECORDS", 1 << 20)
    monkeypatch.setattr("metanode.network.bpci.session.KEY_BYTES", 64)
    sender, _ = pair()
    frames = [record(sender, bytes(32)) for _ in range(5)]
    assert [parse_header(frame[0]).epoch for frame in frames] == [0, 0, 1, 1, 2]


def test_a_sender_that_never_replaces_its_key_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    sender, receiver = pair()
    assert opened(receiver, record(sender, b"a"), NOW + STALE_AGE_MS) == b"a"
    assert refusal(receiver, record(sender, b"b"), NOW + STALE_AGE_MS + 1) == BpciRefusal.STALE_KEY
    monkeypatch.setattr("metanode.network.bpci.session.STALE_RECORDS", 1)
    assert refusal(receiver, record(sender, b"c"), NOW) == BpciRefusal.STALE_KEY


def test_an_old_epoch_s_secret_is_gone() -> None:
    first = hkdf_sha256(FORTH, salt=SESSION, info=b"bpci1 epoch\x00\x00\x00\x00\x00", length=64)
    second = hkdf_sha256(first[32:], salt=SESSION, info=b"bpci1 epoch\x00\x00\x00\x00\x01", length=64)[:32]
    sender, _ = pair()
    header, body = record(sender, b"a", NOW + KEY_AGE_MS)
    tick = digest(Tag.TICK, SESSION, b"\x00", (1).to_bytes(4))
    logical = b"\x01" + WEST + EAST + service_hash(Stream.SYNC) + SESSION + b"\x00" + (1).to_bytes(4) + tick + header
    assert Aead(second).open(0, body, logical) == b"a"


# Checkpoints


def cut(sender: Sender, now_ms: int = NOW) -> list[Checkpoint]:
    return [checkpoint for checkpoint, _ in sender.checkpoints(now_ms)]


def hear(receiver: Receiver, checkpoint: Checkpoint, now_ms: int = NOW) -> list[tuple[Checkpoint, bytes]]:
    receiver.hear_checkpoint(checkpoint)
    return receiver.matched(now_ms)


def test_a_checkpoint_is_due_by_count_or_by_age() -> None:
    sender, _ = pair(3)
    for _ in range(2):
        record(sender, b"x")
    assert cut(sender, NOW + CHECKPOINT_AGE_MS - 1) == []
    record(sender, b"x")
    assert [(c.number, c.first, c.last, c.count) for c in cut(sender)] == [(0, 0, 2, 3)]
    assert cut(sender, NOW + 10_000) == []
    record(sender, b"x", NOW + 10_000)
    assert cut(sender, NOW + 10_000 + CHECKPOINT_AGE_MS - 1) == []
    assert [(c.number, c.first, c.last, c.count) for c in cut(sender, NOW + 10_000 + CHECKPOINT_AGE_MS)] == [
        (1, 3, 3, 1)
    ]


def test_what_is_signed_is_what_the_receiver_checks() -> None:
    sender, receiver = pair(2)
    frames = [record(sender, b"a"), record(sender, b"b")]
    for frame in frames:
        opened(receiver, frame)
    [(checkpoint, message)] = sender.checkpoints(NOW)
    assert message == checkpoint_digest(SESSION, 0, checkpoint)
    signed = replace(checkpoint, signature=b"g" * 64)
    assert hear(receiver, signed) == [(signed, message)]
    receiver.check_unsigned(NOW + 10 * UNSIGNED_AGE_MS)


def test_control_words_use_counters_but_are_not_covered() -> None:
    sender, receiver = pair(2)
    frames = [record(sender, b"a"), sender.seal(Kind.CONTROL, 0, Stream.CONTROL, b"\x01", NOW), record(sender, b"b")]
    for frame in frames:
        opened(receiver, frame)
    [checkpoint] = cut(sender)
    assert (checkpoint.first, checkpoint.last, checkpoint.count) == (0, 2, 2)
    assert len(hear(receiver, checkpoint)) == 1


def test_any_number_of_control_words_may_lie_between_records() -> None:
    sender, receiver = pair(1)
    for _ in range(40_000):
        opened(receiver, sender.seal(Kind.CONTROL, 0, Stream.CONTROL, b"\x01", NOW))
    opened(receiver, record(sender, b"a"))
    [checkpoint] = cut(sender)
    assert (checkpoint.first, checkpoint.last) == (40_000, 40_000)
    assert len(hear(receiver, checkpoint)) == 1


@pytest.mark.parametrize(
    "change",
    [
        {"chain": b"c" * 32},
        {"epoch_key_digest": b"k" * 32},
        {"poh_tick": b"t" * 32},
        {"epoch": 1},
        {"count": 1},
        {"first": 1, "count": 1},
        {"count": 0},
        {"last": 1 << 40},
        {"first": 2},
        {"number": 64},
    ],
)
def test_a_checkpoint_that_says_something_else_is_refused(change: dict[str, Any]) -> None:
    sender, receiver = pair(2)
    for plain in (b"a", b"b"):
        opened(receiver, record(sender, plain))
    with pytest.raises(Rejected) as caught:
        hear(receiver, replace(cut(sender)[0], **change))
    assert caught.value.reason == BpciRefusal.WRONG_CHECKPOINT


def test_a_checkpoint_twice_is_refused() -> None:
    sender, receiver = pair(1)
    opened(receiver, record(sender, b"a"))
    [checkpoint] = cut(sender)
    hear(receiver, checkpoint)
    with pytest.raises(Rejected) as caught:
        hear(receiver, checkpoint)
    assert caught.value.reason == BpciRefusal.WRONG_CHECKPOINT


def test_a_checkpoint_over_other_ciphertext_is_refused() -> None:
    """What a header-and-tag signature could not tell: the receiver's own frames differ from the ones signed."""
    sender, receiver = pair(1)
    twin, _ = pair(1)
    opened(receiver, record(sender, b"paid 10"))
    record(twin, b"paid 99")
    with pytest.raises(Rejected) as caught:
        hear(receiver, cut(twin)[0])
    assert caught.value.reason == BpciRefusal.WRONG_CHECKPOINT


def test_records_and_checkpoints_may_arrive_in_any_order() -> None:
    sender, receiver = pair(2)
    frames = [record(sender, bytes((i,))) for i in range(6)]
    first, second, third = cut(sender)
    for position in (5, 2, 3, 0):
        opened(receiver, frames[position])
    assert hear(receiver, third) == []
    assert hear(receiver, second) == []
    assert hear(receiver, first) == []
    opened(receiver, frames[1])
    assert [checkpoint for checkpoint, _ in receiver.matched(NOW)] == [first, second]
    opened(receiver, frames[4])
    assert [checkpoint for checkpoint, _ in receiver.matched(NOW)] == [third]


def test_a_record_left_out_of_the_checkpoints_is_noticed() -> None:
    sender, receiver = pair(1)
    frames = [record(sender, b"a"), record(sender, b"b")]
    first, second = cut(sender)
    tick = digest(Tag.TICK, receiver.names.opening_tick(0), second.chain)
    liar = replace(second, number=0, poh_tick=tick)
    opened(receiver, frames[1])
    assert len(hear(receiver, liar)) == 1
    assert refusal(receiver, frames[0]) == BpciRefusal.WRONG_CHECKPOINT
    _, receiver = pair()
    for frame in frames:
        opened(receiver, frame)
    with pytest.raises(Rejected) as caught:
        hear(receiver, liar)
    assert caught.value.reason == BpciRefusal.WRONG_CHECKPOINT
    assert first.number == 0


def test_a_checkpoint_closes_each_epoch() -> None:
    sender, receiver = pair()
    opened(receiver, record(sender, b"a"))
    frame = record(sender, b"b", NOW + KEY_AGE_MS)
    opened(receiver, frame, NOW + KEY_AGE_MS)
    checkpoints = cut(sender, NOW + KEY_AGE_MS + CHECKPOINT_AGE_MS)
    assert [(c.epoch, c.first, c.last) for c in checkpoints] == [(0, 0, 0), (1, 1, 1)]
    assert checkpoints[0].epoch_key_digest != checkpoints[1].epoch_key_digest
    assert [len(hear(receiver, checkpoint, NOW + KEY_AGE_MS)) for checkpoint in checkpoints] == [1, 1]


def test_the_tick_chains_all_checkpoints() -> None:
    sender, _ = pair(1)
    record(sender, b"a")
    record(sender, b"b")
    first, second = cut(sender)
    start = digest(Tag.TICK, SESSION, b"\x00", bytes(4))
    assert first.poh_tick == digest(Tag.TICK, start, first.chain)
    assert second.poh_tick == digest(Tag.TICK, first.poh_tick, second.chain)


def test_records_that_stay_unsigned_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    sender, receiver = pair()
    opened(receiver, record(sender, b"a"))
    receiver.check_unsigned(NOW + UNSIGNED_AGE_MS)
    with pytest.raises(Rejected) as caught:
        receiver.check_unsigned(NOW + UNSIGNED_AGE_MS + 1)
    assert caught.value.reason == BpciRefusal.UNSIGNED_TOO_LONG
    monkeypatch.setattr("metanode.network.bpci.session.UNSIGNED_RECORDS_MAX", 1)
    opened(receiver, record(sender, b"b"))
    with pytest.raises(Rejected) as caught:
        receiver.check_unsigned(NOW)
    assert caught.value.reason == BpciRefusal.UNSIGNED_TOO_LONG
