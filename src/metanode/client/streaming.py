"""Events as they become final: an iterator that takes the stream up again where it broke."""

import http.client
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from functools import cache
from typing import Any, Final, TypeAlias
from urllib.parse import urlencode

import msgspec

from metanode.api.blocks import BlockSummary
from metanode.api.errors import ApiRefusal
from metanode.api.transactions import ReceiptView, TransactionView
from metanode.client.calling import refusal_of
from metanode.client.connection import Connection, Response
from metanode.client.failures import Unreachable, failure

SILENCE_S: Final = 40.0
"""The node says something every 15 s; after this long the connection is taken for dead."""
PAUSE_S: Final = 0.5
"""Between two attempts to connect again."""
LINE_BYTES_MAX: Final = 8 << 20
"""No event is longer."""

Data: TypeAlias = BlockSummary | TransactionView | ReceiptView
_SHAPES: Final[dict[str, type[Any]]] = {"block": BlockSummary, "transaction": TransactionView, "receipt": ReceiptView}


@cache
def _decoder(kind: str) -> "msgspec.json.Decoder[Any]":
    """Made when the first event of a kind comes: most programs read none."""
    return msgspec.json.Decoder(_SHAPES[kind])


class Event(msgspec.Struct, frozen=True):
    """One event. `id` is the cursor to go on after; `kind` says which of the three `data` is."""

    id: str
    kind: str
    data: Data


class Frame(msgspec.Struct, frozen=True):
    """One message of a stream, as it is on the wire (WHATWG HTML, server-sent events)."""

    id: str
    kind: str
    data: bytes


def frames(lines: Iterator[bytes]) -> Iterator[Frame]:
    """The messages in lines that end with a line feed; comments are left out, ids without data are kept."""
    identifier, kind, data = "", "", b""
    for line in lines:
        field, _, value = line.rstrip(b"\r\n").partition(b": ")
        match field:
            case b"id":
                identifier = value.decode(errors="replace")
            case b"event":
                kind = value.decode(errors="replace")
            case b"data":
                data += value
            case b"" if not value:
                if identifier or kind:
                    yield Frame(identifier, kind, data)
                identifier, kind, data = "", "", b""
            case _:
                pass


class Stream:
    """HTTP-15. Iterate over it, once; `cursor` is always the place to go on after, also in another process.

    `close` may be called from any thread: whoever iterates comes to the end.
    """

    def __init__(self, connection: Connection, query: dict[str, str], cursor: str, patience_s: float) -> None:
        self._connection: Final = connection
        self._path: Final = "/v1/events" + (f"?{urlencode(query)}" if query else "")
        self._patience_s: Final = patience_s
        self._plug: socket.socket | None = None
        self._closed = threading.Event()
        self.cursor = cursor

    def close(self) -> None:
        """Hang up. Does not wait: closing a response that another thread reads would, until the node says something."""
        self._closed.set()
        if self._plug is not None:
            with suppress(OSError):  # gone already
                self._plug.shutdown(socket.SHUT_RDWR)

    def __iter__(self) -> Iterator[Event]:
        """Events until `close`. Raises `Unreachable` where the node stays away, `ClientError` where it refuses."""
        last_heard = time.monotonic()
        while not self._closed.is_set():
            try:
                for frame in frames(self._lines()):
                    last_heard = time.monotonic()
                    event = self._event(frame)
                    if event is not None:
                        yield event
            except (OSError, http.client.HTTPException, Unreachable):
                if not self._closed.is_set() and time.monotonic() - last_heard > self._patience_s:
                    raise
            self._closed.wait(PAUSE_S)

    def _lines(self) -> Iterator[bytes]:
        headers = {"Accept": "text/event-stream", **({"Last-Event-ID": self.cursor} if self.cursor else {})}
        response, self._plug = self._connection.stream(self._path, headers, timeout_s=SILENCE_S)
        with closing(response):
            if response.status != 200:
                raise refusal_of(Response(response.status, "", response.read(65_536)))
            while not self._closed.is_set() and (line := response.readline(LINE_BYTES_MAX)):
                yield line

    def _event(self, frame: Frame) -> Event | None:
        self.cursor = frame.id or self.cursor
        if frame.kind == "error":
            raise refusal_of(Response(0, "", frame.data))
        if frame.kind not in _SHAPES:  # a beat, `closing` or `cut-off`: the cursor is all that counts
            return None
        try:
            return Event(frame.id, frame.kind, _decoder(frame.kind).decode(frame.data))
        except msgspec.MsgspecError as error:
            raise failure(ApiRefusal.BAD_ANSWER, f"event {frame.id}: {error}") from None
