"""HTTP/1.1 as far as a load needs it: kept connections, one request at a time on each."""

import asyncio
from collections import deque
from typing import Any

CONNECTIONS_MAX = 64
"""To one node: an open loop opens another connection where all wait for answers."""


class Connection(asyncio.Protocol):
    """One request at a time; answers with a Content-Length or in chunks."""

    def __init__(self) -> None:
        self._transport: Any = None
        self._buffer = bytearray()
        self._answer: asyncio.Future[tuple[int, bytes]] | None = None
        self.closed = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        self.closed = True  # an idle one, while transactions were signed: the next request opens another
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(exc or ConnectionResetError("the node hung up"))

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head = self._buffer.find(b"\r\n\r\n")
        if head < 0 or self._answer is None:
            return
        body = _body(bytes(self._buffer[:head]).lower(), self._buffer, head + 4)
        if body is not None:
            status = int(self._buffer[9:12])
            self._buffer.clear()
            answer, self._answer = self._answer, None
            answer.set_result((status, body))

    async def post(self, path: str, kind: str, body: bytes) -> tuple[int, bytes]:
        """Ask, and read the answer."""
        self._answer = asyncio.get_running_loop().create_future()
        head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n"
        self._transport.write(head.encode() + body)
        return await self._answer


def _body(head: bytes, buffer: bytearray, start: int) -> bytes | None:
    """The body once all of it is there."""
    if b"transfer-encoding: chunked" in head:
        if not buffer.endswith(b"\r\n0\r\n\r\n"):
            return None
        parts: list[bytes] = []
        at = start
        while True:
            line = buffer.index(b"\r\n", at)
            size = int(buffer[at:line], 16)
            if not size:
                return b"".join(parts)
            parts.append(bytes(buffer[line + 2 : line + 2 + size]))
            at = line + 4 + size
    at = head.find(b"content-length:")
    length = int(head[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
    return bytes(buffer[start : start + length]) if len(buffer) >= start + length else None


class Door:
    """Connections to one port."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._free: deque[Connection] = deque()
        self._gate = asyncio.Semaphore(CONNECTIONS_MAX)

    async def post(self, path: str, kind: str, body: bytes) -> tuple[int, bytes]:
        """Ask on a free connection, or a new one."""
        async with self._gate:
            while self._free and self._free[-1].closed:
                self._free.pop()
            if self._free:
                connection = self._free.pop()
            else:
                _, connection = await asyncio.get_running_loop().create_connection(Connection, "127.0.0.1", self._port)
            answer = await connection.post(path, kind, body)
            self._free.append(connection)
            return answer
