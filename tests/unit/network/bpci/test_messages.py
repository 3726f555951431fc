"""Frames, message lists, fragments, control words: exact bytes, and what is refused."""

from dataclasses import replace

import pytest

from metanode.network.bpci.messages import (
    FRAME_BYTES_MAX,
    HANDSHAKE_BYTES_MAX,
    MESSAGES_MAX,
    Checkpoint,
    Credit,
    Fragment,
    Header,
    Kind,
    Ping,
    Pong,
    Ready,
    checkpoint_digest,
    decode_control,
    decode_fragment,
    encode_control,
    encode_fragment,
    handshake_frame,
    join_messages,
    parse_header,
    split_messages,
)
from metanode.network.bpci.refusals import BpciRefusal
from metanode.network.bpci.state import FrameBuffer
from metanode.primitives.refusal import Rejected


def header(length: int = 0, kind: int = 4, flags: int = 0, stream: int = 1, epoch: int = 0, counter: int = 0) -> bytes:
    return length.to_bytes(4) + bytes((kind, flags, stream, epoch)) + counter.to_bytes(8)


def reason(call: object, *arguments: object) -> object:
    with pytest.raises(Rejected) as caught:
        call(*arguments)  # type: ignore[operator]
    return caught.value.reason


def test_a_header_says_what_follows() -> None:
    data = header(FRAME_BYTES_MAX, 4, 1, 5, 7, 9)
    assert parse_header(data) == Header(FRAME_BYTES_MAX, 4, 1, 5, 7, 9)
    assert parse_header(b"xx" + header(1, 5, 0, 0, 3, 4), 2) == Header(1, 5, 0, 0, 3, 4)
    assert handshake_frame(Kind.HELLO, b"abc") == header(3, 1, stream=0) + b"abc"


@pytest.mark.parametrize(
    "data",
    [
        header(kind=0, stream=0),
        header(kind=6),
        header(flags=2),
        header(stream=0),
        header(stream=6),
        header(kind=5, flags=1, stream=0),
        header(kind=5, stream=1),
        header(kind=1, stream=1),
        header(kind=2, stream=0, epoch=1),
        header(kind=3, stream=0, counter=1),
        header(kind=1, stream=0, flags=1),
    ],
)
def test_a_header_that_means_nothing_is_refused(data: bytes) -> None:
    assert reason(parse_header, data) == BpciRefusal.MALFORMED_FRAME


def test_a_length_beyond_the_bound_is_refused() -> None:
    assert reason(parse_header, header(FRAME_BYTES_MAX + 1)) == BpciRefusal.TOO_LONG
    assert reason(parse_header, header(HANDSHAKE_BYTES_MAX + 1, 1, stream=0)) == BpciRefusal.TOO_LONG


def test_frames_are_cut_out_of_any_chunks() -> None:
    frames = [(header(3), b"abc"), (header(0), b""), (header(5), b"hello")]
    stream = b"".join(part for frame in frames for part in frame)
    for size in range(1, len(stream) + 1):
        buffer = FrameBuffer()
        buffer.handshaking = False
        found = [
            (head, body)
            for start in range(0, len(stream), size)
            for _, head, body in buffer.feed(stream[start : start + size])
        ]
        assert found == frames


def test_frames_before_a_bad_header_are_still_found() -> None:
    buffer = FrameBuffer()
    buffer.handshaking = False
    frames = buffer.feed(header(1) + b"a" + header(kind=9))
    assert next(frames)[2] == b"a"
    assert reason(next, frames) == BpciRefusal.MALFORMED_FRAME


def test_a_record_during_the_handshake_is_refused_by_its_header() -> None:
    assert reason(list, FrameBuffer().feed(header(FRAME_BYTES_MAX))) == BpciRefusal.OUT_OF_TURN


def test_messages_of_a_record() -> None:
    assert join_messages([b"ab", b"", b"c"]) == bytes.fromhex("00000003 00000002 00000000 00000001") + b"abc"
    assert split_messages(join_messages([b"ab", b"", b"c"])) == (b"ab", b"", b"c")
    assert split_messages(join_messages([b""] * MESSAGES_MAX)) == (b"",) * MESSAGES_MAX


@pytest.mark.parametrize(
    "plain",
    [
        b"",
        b"\0\0\0",
        bytes(4),
        join_messages([b"a"]) + b"b",
        join_messages([b"ab"])[:-1],
        b"\0\0\0\x02\0\0\0\0",
        b"\xff" * 8,
        join_messages([b""] * (MESSAGES_MAX + 1)),
        bytes.fromhex("00000002 ffffffff 00000001"),
    ],
)
def test_messages_that_do_not_add_up_are_refused(plain: bytes) -> None:
    assert reason(split_messages, plain) == BpciRefusal.MALFORMED_RECORD


def test_fragments() -> None:
    fragment = Fragment(7, 10, 4, b"xyz")
    assert encode_fragment(fragment) == bytes.fromhex("00000007 0000000a 00000004") + b"xyz"
    assert decode_fragment(encode_fragment(fragment)) == fragment
    assert reason(decode_fragment, bytes(12)) == BpciRefusal.MALFORMED_RECORD
    assert reason(decode_fragment, encode_fragment(Fragment(7, 10, 8, b"xyz"))) == BpciRefusal.MALFORMED_RECORD


CHECKPOINT = Checkpoint(1, 2, 3, 4, 2, b"c" * 32, b"k" * 32, b"t" * 32, 5, b"s" * 64)


def test_control_words() -> None:
    assert [encode_control(word) for word in (Ready(), Ping(258), Credit(258))] == [
        b"\0",
        b"\1" + (258).to_bytes(4),
        b"\2" + (258).to_bytes(8),
    ]
    assert len(encode_control(CHECKPOINT)) == 1 + 8 + 4 + 8 + 8 + 4 + 3 * 32 + 8 + 64
    assert encode_control(Pong(3)) == b"\4" + (3).to_bytes(4)
    for word in (Ready(), Ping(2**32 - 1), Credit(1), CHECKPOINT, Pong(0)):
        assert decode_control(encode_control(word)) == word


@pytest.mark.parametrize(
    "plain", [b"", b"\5", b"\0\0", b"\1", b"\4" + bytes(5), b"\2", b"\2" + bytes(9), encode_control(CHECKPOINT)[:-1]]
)
def test_other_control_words_are_refused(plain: bytes) -> None:
    assert reason(decode_control, plain) == BpciRefusal.MALFORMED_RECORD


def test_a_checkpoint_is_signed_for_one_session_and_direction() -> None:
    """BPCI-C1."""
    checkpoint = Checkpoint(0, 0, 1, 2, 2, bytes(32), bytes(32), bytes(32), 5)
    digests = {
        checkpoint_digest(b"s" * 32, 0, checkpoint),
        checkpoint_digest(b"t" * 32, 0, checkpoint),
        checkpoint_digest(b"s" * 32, 1, checkpoint),
        checkpoint_digest(b"s" * 32, 0, replace(checkpoint, last=3, count=3)),
    }
    assert len(digests) == 4
