"""The stream of events: order, resuming, narrowing, slow readers, the end."""

import socket
import threading
import time
from collections.abc import Iterator
from typing import Self

import pytest
from tests.integration.fake_node import Port, open_port
from tests.integration.http_client import ask

from metanode.api.errors import ApiRefusal
from metanode.client.streaming import Frame, frames


@pytest.fixture
def port() -> Iterator[Port]:
    with open_port(heartbeat_ms=100) as opened:
        yield opened


class Reader:
    """One open stream."""

    def __init__(self, port: Port, query: str = "", headers: str = "") -> None:
        self.plug = socket.create_connection(port.address, timeout=10)
        self.plug.sendall(f"GET /v1/events{query} HTTP/1.0\r\nHost: localhost\r\n{headers}\r\n".encode())
        self.file = self.plug.makefile("rb")
        self.status = int(self.file.readline().split()[1])
        while self.file.readline().strip():
            pass
        self.frames = frames(iter(self.file.readline, b""))

    def events(self, count: int) -> list[tuple[str, str]]:
        """The next so many events, without beats."""
        found: list[tuple[str, str]] = []
        while len(found) < count:
            frame = next(self.frames)
            if frame.kind:
                found.append((frame.id, frame.kind))
        return found

    def until(self, kind: str) -> Frame:
        """The next frame of a kind."""
        return next(frame for frame in self.frames if frame.kind == kind)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.file.close()
        self.plug.close()


def seal(port: Port, transactions: int = 0) -> None:
    """One block with so many transactions."""

    async def work() -> None:
        await port.node.submit(tuple(b"%d in %d" % (i, port.node.height) for i in range(transactions)))
        port.node.seal()

    port.run(work())


def test_a_stream_begins_with_the_next_block(port: Port) -> None:
    seal(port, 2)
    with Reader(port) as reader:
        next(reader.frames)
        seal(port, 2)
        assert reader.events(3) == [("2:0", "block"), ("2:1", "receipt"), ("2:2", "receipt")]


def test_a_stream_goes_on_behind_the_last_event_seen(port: Port) -> None:
    for _ in range(3):
        seal(port, 1)
    for reader in (Reader(port, headers="Last-Event-ID: 1:1\r\n"), Reader(port, "?after=1:1")):
        with reader:
            assert reader.events(2) == [("2:0", "block"), ("2:1", "receipt")]
            seal(port)
            assert reader.events(2) == [("3:0", "block"), ("3:1", "receipt")]


def test_a_long_history_is_read_in_pages(port: Port) -> None:
    for _ in range(300):
        seal(port, 2)
    with Reader(port, "?after=0:0") as reader:
        expected = [(f"{h}:{i}", "receipt" if i else "block") for h in range(1, 301) for i in range(3)]
        assert reader.events(900) == expected
    with Reader(port, "?after=0:0") as reader:
        assert reader.events(900) == expected
    pages = [request.after for name, request in port.node.asked if name == "event.list"]  # type: ignore[attr-defined]
    # Each page was read once for both readers; an empty one is true only until the next block.
    assert [after for after in pages if after != "300:2"] == ["0:0", "67:1", "134:0", "200:2", "267:1"]


def test_a_stream_can_be_narrowed(port: Port) -> None:
    for _ in range(2):
        seal(port, 1)
    with Reader(port, "?after=0:0&kinds=receipt") as reader:
        assert reader.events(2) == [("1:1", "receipt"), ("2:1", "receipt")]
    with Reader(port, "?after=0:0&kinds=block,receipt&mentions=%22height%22:2") as reader:
        assert reader.events(2) == [("2:0", "block"), ("2:1", "receipt")]
    with Reader(port, "?after=0:0&mentions=nobody") as reader:
        beats = [next(reader.frames).id for _ in range(3)]
        assert beats == ["0:0", "2:1", "2:1"]  # what was left out is passed over, too


@pytest.mark.parametrize(
    "query", ["?after=x", "?after=1:", "?after=-1:0", "?after=1:1%0a", "?kinds=blocks", "?kinds=block,x"]
)
def test_a_wrong_wish_is_refused(port: Port, query: str) -> None:
    reply = ask(port, "GET", f"/v1/events{query}")
    assert (reply.status, reply.code) == (400, ApiRefusal.INVALID_ARGUMENTS)


def test_what_cannot_go_on_says_why(port: Port) -> None:
    with Reader(port, "?after=13:0") as reader:
        assert ApiRefusal.PRUNED.encode() in reader.until("error").data
        assert next(reader.frames, None) is None


def test_an_idle_stream_beats(port: Port) -> None:
    with Reader(port, "?after=5:0") as reader:
        assert [next(reader.frames).id for _ in range(3)] == ["5:0"] * 3


def test_blocks_without_a_word_for_this_reader_are_silence_too(port: Port) -> None:
    heard = threading.Event()
    for _ in range(20):
        seal(port)

    def work() -> None:
        while not heard.wait(0.01):  # ten blocks a beat
            seal(port)

    with Reader(port, "?kinds=receipt") as reader:
        next(reader.frames)
        blocks = threading.Thread(target=work)
        blocks.start()
        try:  # a beat carries the cursor on, too; without one the socket's patience ends
            assert any(int(frame.id.partition(":")[0]) > 20 for frame in reader.frames)
        finally:
            heard.set()
            blocks.join()


def test_streams_are_counted() -> None:
    with open_port(streams_max=1) as port, Reader(port) as reader:
        next(reader.frames)
        reply = ask(port, "GET", "/v1/events")
        assert (reply.status, reply.code) == (503, ApiRefusal.BUSY)


def test_a_closed_stream_gives_its_place_back() -> None:
    with open_port(streams_max=1) as port:
        for _ in range(3):
            with Reader(port) as reader:
                next(reader.frames)
            deadline = time.monotonic() + 5
            while port.server.connections.open and time.monotonic() < deadline:
                time.sleep(0.01)


def test_a_slow_reader_is_cut_off_and_may_come_back() -> None:
    with open_port(stall_ms=300) as port:
        port.node.padding = "x" * 20_000
        for _ in range(10):
            seal(port, 100)
        with Reader(port, "?after=0:0") as reader:
            first = reader.events(1)
            time.sleep(0.5)  # the socket's buffers are full, the node's patience ends
            seen = first
            cut = None
            for frame in reader.frames:
                if frame.kind == "cut-off":
                    cut = frame
                elif frame.kind:
                    seen.append((frame.id, frame.kind))
        assert cut is not None
        assert ApiRefusal.SLOW_CONSUMER.encode() in cut.data
        assert len(seen) < 1_010
        with Reader(port, f"?after={seen[-1][0]}") as reader:
            rest = reader.events(1_010 - len(seen))
        assert [i for i, _ in seen + rest] == [f"{h}:{i}" for h in range(1, 11) for i in range(101)]


def test_a_stopping_node_says_so() -> None:
    with open_port() as port:
        seal(port, 1)
        reader = Reader(port, "?after=0:0")
        reader.events(2)
    with reader:
        closing = reader.until("closing")
        assert (closing.id, next(reader.frames, None)) == ("1:1", None)
