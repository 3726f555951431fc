"""Server-sent events, by the rules of the HTML standard that we use."""

from hypothesis import given
from hypothesis import strategies as st

from metanode.client.streaming import Frame, frames


def read(text: bytes) -> list[Frame]:
    """The frames of a text."""
    return list(frames(iter(text.splitlines(keepends=True))))


def test_an_event_ends_with_an_empty_line() -> None:
    assert read(b"id: 1:0\nevent: block\ndata: {}\n\n") == [Frame("1:0", "block", b"{}")]


def test_a_beat_carries_the_cursor() -> None:
    assert read(b"retry: 1000\nid: 1:0\n: beat\n\n") == [Frame("1:0", "", b"")]


def test_comments_and_unknown_fields_are_left_out() -> None:
    assert read(b": hello\nx: y\nevent: block\ndata: {}\n\n") == [Frame("", "block", b"{}")]


def test_an_event_that_is_cut_off_is_none() -> None:
    assert read(b"id: 1:0\nevent: block\ndata: {}") == []
    assert read(b"\n\n") == []


@given(
    st.lists(st.sampled_from([b"id: 1:0", b"event: block", b"data: {}", b": x", b"", b"data", b"\xff", b"id: \xff"]))
)
def test_any_lines_are_frames(lines: list[bytes]) -> None:
    assert len(read(b"".join(line + b"\n" for line in lines))) <= lines.count(b"")
