"""MESH-2. Names are asked for in a container, by UDP and TCP, and answered when the mesh has said what they are."""

import asyncio
from collections.abc import Callable
from typing import Any, Final

from metanode.docklock.mesh.dns import QUERY_BYTES_MAX, Code, Question, read_query, refuse, respond

Reply = Callable[[Code, str], None]
Resolve = Callable[[str, Reply], None]
"""Ask for a name; the reply comes once, perhaps at once."""
CONNECTIONS_MAX: Final = 16
"""Connections of one container that ask for names."""
PATIENCE_S: Final = 10.0
"""How long one of them may last."""


def answer(data: bytes, resolve: Resolve, send: Callable[[bytes], None]) -> bool:
    """What follows from a query; false where nothing does."""
    match read_query(data):
        case Question() as question:
            resolve(question.name, lambda code, address: send(respond(question, code, address)))
            return True
        case None:
            return False
        case wrong:
            send(refuse(wrong))
            return True


class Datagrams(asyncio.DatagramProtocol):
    """By UDP."""

    def __init__(self, resolve: Resolve) -> None:
        self._resolve: Final = resolve
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The socket is ours."""
        self._transport = transport  # type: ignore[assignment]

    def datagram_received(self, data: bytes, addr: Any) -> None:
        """One query."""
        transport = self._transport
        if transport is not None and not transport.is_closing():
            answer(data, self._resolve, lambda said: transport.sendto(said, addr))


class Streams(asyncio.Protocol):
    """By TCP: two bytes of length before each. `open_`: the connections of this container."""

    def __init__(self, resolve: Resolve, open_: "set[Streams]") -> None:
        self._resolve: Final = resolve
        self._open: Final = open_
        self._data = b""
        self._transport: asyncio.Transport | None = None
        self._end: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Somebody connected."""
        self._transport = transport  # type: ignore[assignment]
        self._open.add(self)
        self._end = asyncio.get_running_loop().call_later(PATIENCE_S, self.close)
        if len(self._open) > CONNECTIONS_MAX:
            self.close()

    def data_received(self, data: bytes) -> None:
        """Queries, in turn."""
        self._data += data
        while len(self._data) >= 2:
            size = int.from_bytes(self._data[:2])
            if size > QUERY_BYTES_MAX:
                self.close()
                return
            if len(self._data) < 2 + size:
                return
            query, self._data = self._data[2 : 2 + size], self._data[2 + size :]
            if not answer(query, self._resolve, self._say):
                self.close()
                return

    def _say(self, said: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(len(said).to_bytes(2) + said)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's shape
        """It is gone."""
        self._open.discard(self)
        if self._end is not None:
            self._end.cancel()

    def close(self) -> None:
        """End it."""
        if self._transport is not None:
            self._transport.abort()
