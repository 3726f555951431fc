"""Answers of an engine that do not end: logs, events, streams of a command. On sockets of their own, no threads."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

from metanode.host.runtimes.docker.api import EngineSays, complaint
from metanode.host.runtimes.refusals import RuntimeRefusal
from metanode.primitives.refusal import Rejected

HEAD_BYTES_MAX: Final = 64 << 10
"""Of the lines before an answer."""
BEGIN_TIMEOUT_S: Final = 30.0
"""Until an answer begins."""
COMPLAINT_BYTES_MAX: Final = 64 << 10
"""Of a refusal."""
FRAME_HEADER_BYTES: Final = 8
FRAME_BYTES_MAX: Final = 1 << 20
"""Of one piece of output; engines send 32 KiB at most."""
STREAMS: Final = (0, 1, 2)
"""Numbers a piece may have: input, output and errors of a process."""


class Stream:
    """An answer that goes on, and what is said into it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader: Final = reader
        self.writer: Final = writer

    async def frames(self) -> AsyncIterator[tuple[int, bytes]]:
        """Pieces of output with the number of their stream, until it ends. Raises `Rejected` for what is none."""
        while True:
            try:
                head = await self.reader.readexactly(FRAME_HEADER_BYTES)
                length = int.from_bytes(head[4:], "big")
                if head[0] not in STREAMS or length > FRAME_BYTES_MAX:
                    raise Rejected(RuntimeRefusal.ENGINE_ANSWER, f"no frame: stream {head[0]}, {length} bytes")
                data = await self.reader.readexactly(length)
            except (asyncio.IncompleteReadError, OSError):
                return
            yield head[0], data

    def close(self) -> None:
        """No more."""
        self.writer.close()


async def open_stream(socket: Path, verb: str, target: str, body: Any = None, *, hijack: bool = False) -> Stream:
    """Ask, and return when the answer begins. In HTTP/1.0 an answer that goes on is not cut into chunks; `hijack`: then
    the connection becomes a pipe both ways. Raises `EngineSays`, `Rejected`."""
    text = b"" if body is None else json.dumps(body).encode()
    upgrade = "Connection: Upgrade\r\nUpgrade: tcp\r\n" if hijack else ""
    head = (
        f"{verb} {target} HTTP/1.{int(hijack)}\r\nHost: engine\r\n{upgrade}"
        f"Content-Type: application/json\r\nContent-Length: {len(text)}\r\n\r\n"
    )
    try:
        async with asyncio.timeout(BEGIN_TIMEOUT_S):
            reader, writer = await asyncio.open_unix_connection(socket, limit=HEAD_BYTES_MAX)
            stream = Stream(reader, writer)
            try:
                await _begin(stream, head.encode() + text)
            except BaseException:
                stream.close()
                raise
    except (OSError, TimeoutError, asyncio.IncompleteReadError) as error:
        raise Rejected(RuntimeRefusal.ENGINE_GONE, f"{socket}: {str(error) or 'no answer'}") from None
    except asyncio.LimitOverrunError:
        raise Rejected(RuntimeRefusal.ENGINE_ANSWER, f"{target}: an answer without a beginning") from None
    return stream


async def _begin(stream: Stream, request: bytes) -> None:
    """Ask, and read the lines before the answer. Raises `EngineSays` where it is a refusal."""
    stream.writer.write(request)
    status = _status(await stream.reader.readuntil(b"\r\n\r\n"))
    if status >= 400:
        raise EngineSays(status, complaint(await stream.reader.read(COMPLAINT_BYTES_MAX)))


def _status(head: bytes) -> int:
    words = head.split(b"\r\n", 1)[0].split()
    if len(words) < 2 or not words[0].startswith(b"HTTP/") or not words[1].isdigit():
        raise Rejected(RuntimeRefusal.ENGINE_ANSWER, f"{head[:40]!r} is no answer")
    return int(words[1])
