"""Server-sent events: what becomes final, as a stream that can be taken up again where it broke."""

import asyncio
import re
from collections.abc import Iterable
from typing import Final

from starlette.requests import Request
from starlette.types import Receive, Send
from starlette.types import Scope as Connection

from metanode.api.errors import ApiError, ApiRefusal
from metanode.api.methods import EVENT_LIST
from metanode.api.openapi import EVENTS
from metanode.host.http_answers import error_bytes, error_response
from metanode.host.http_calls import Calls
from metanode.host.http_guard import Caller
from metanode.host.http_head import Head, Rendered
from metanode.host.http_limits import Places
from metanode.host.http_settings import PortSettings

KINDS: Final = ("block", "transaction", "receipt")
"""What can be asked for."""
CHUNK_BYTES: Final = 65_536
"""What is handed to the socket at once; more waits until the reader has read."""
INDEX_LAST: Final = 999_999_999
"""Behind every event of a block: a cursor that begins with the next block."""
_CURSOR: Final = re.compile(r"[0-9]{1,19}:[0-9]{1,9}\Z")


def _chunks(items: Iterable[Rendered], kinds: frozenset[str], mentions: bytes) -> list[tuple[str, bytes]]:
    """The texts to send, each with the cursor after it."""
    chunks: list[tuple[str, bytes]] = []
    parts: list[bytes] = []
    size = 0
    cursor = ""
    for item in items:
        if item.kind in kinds and mentions in item.text:
            parts.append(item.text)
            size += len(item.text)
            cursor = item.id
        if size > CHUNK_BYTES:
            chunks.append((cursor, b"".join(parts)))
            parts, size = [], 0
    if parts:
        chunks.append((cursor, b"".join(parts)))
    return chunks


class _Stalled(Exception):
    """The reader did not take what was sent in time."""


class Events:
    """HTTP-15. The endpoint /v1/events. A stream reads stored blocks by cursor: nothing queues up for a slow reader."""

    def __init__(self, settings: PortSettings, calls: Calls, head: Head) -> None:
        self._settings: Final = settings
        self._calls: Final = calls
        self._head: Final = head
        self._places: Final = Places(settings.streams_max)

    @property
    def open(self) -> int:
        """How many streams are open."""
        return self._places.taken

    async def __call__(self, connection: Connection, receive: Receive, send: Send) -> None:
        """Answer one request with a stream, until either side ends it."""
        request = Request(connection)
        caller = connection["metanode.caller"]
        assert isinstance(caller, Caller), "the guard stands before every route"
        wrong = self._calls.refusal(EVENT_LIST, caller)
        after = request.headers.get("last-event-id") or request.query_params.get("after", "")
        kinds = frozenset(filter(None, request.query_params.get("kinds", "").split(",")))
        if after and not _CURSOR.match(after):
            wrong = wrong or ApiError(ApiRefusal.INVALID_ARGUMENTS, f"cursor {after[:40]!r} is not height:index")
        if not kinds <= frozenset(KINDS):
            wrong = wrong or ApiError(ApiRefusal.INVALID_ARGUMENTS, f"kinds are some of {','.join(KINDS)}")
        if wrong is None and not self._places.enter():
            wrong = ApiError(ApiRefusal.BUSY, f"{self._settings.streams_max} streams are open")
        if wrong is not None:
            await error_response(wrong)(connection, receive, send)
            return
        mentions = request.query_params.get("mentions", "").encode()
        try:
            await self._run(
                after or f"{self._head.height}:{INDEX_LAST}", kinds or frozenset(KINDS), mentions, receive, send
            )
        finally:
            self._places.leave()

    async def _run(self, cursor: str, kinds: frozenset[str], mentions: bytes, receive: Receive, send: Send) -> None:
        headers = [
            (b"content-type", EVENTS.encode()),
            (b"cache-control", b"no-store"),
            (b"x-content-type-options", b"nosniff"),
        ]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        writing = asyncio.ensure_future(self._write(cursor, kinds, mentions, send))
        gone = asyncio.ensure_future(_disconnected(receive))
        try:
            await asyncio.wait((writing, gone), return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (writing, gone):
                task.cancel()
            await asyncio.gather(writing, gone, return_exceptions=True)

    async def _write(self, cursor: str, kinds: frozenset[str], mentions: bytes, send: Send) -> None:
        try:
            last = await self._follow(cursor, kinds, mentions, send)
        except _Stalled:
            stalled = ApiError(ApiRefusal.SLOW_CONSUMER, f"nothing was read for {self._settings.stall_ms} ms")
            last = b"event: cut-off\ndata: %s\n\n" % error_bytes(stalled)
        async with asyncio.timeout(self._settings.stall_ms / 1000):
            await send({"type": "http.response.body", "body": last, "more_body": False})

    async def _follow(self, cursor: str, kinds: frozenset[str], mentions: bytes, send: Send) -> bytes:
        """Send until something ends the stream; the answer is the last word."""
        wanted = ",".join(kind for kind in KINDS if kind in kinds) if len(kinds) < len(KINDS) else ""
        await self._send(send, b"retry: 1000\nid: %s\n: from here\n\n" % cursor.encode())
        clock, beat_s = asyncio.get_running_loop().time, self._settings.heartbeat_ms / 1000
        said = clock()
        while True:
            changed = self._head.changed()
            page = await self._head.page(cursor, wanted)
            if isinstance(page, ApiError):
                return b"event: error\ndata: %s\n\n" % error_bytes(page)
            for _, text in _chunks(page.items, kinds, mentions):
                await self._send(send, text)
                said = clock()
            before, cursor = cursor, page.next or cursor
            if self._head.closed:
                return b"event: closing\nid: %s\ndata: {}\n\n" % cursor.encode()
            if not page.items and cursor == before:
                await asyncio.wait((changed,), timeout=max(0.0, said + beat_s - clock()))
            if clock() - said >= beat_s:  # blocks without a word for this reader are silence too
                await self._send(send, b"id: %s\n: beat\n\n" % cursor.encode())
                said = clock()

    async def _send(self, send: Send, text: bytes) -> None:
        try:
            async with asyncio.timeout(self._settings.stall_ms / 1000):
                await send({"type": "http.response.body", "body": text, "more_body": True})
        except TimeoutError:
            raise _Stalled from None


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
