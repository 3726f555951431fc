"""A process that makes load: python -m bench.kit.loader. It signs what it is told to, then sends it by the clock.

Orders come as lines of JSON on standard input, answers leave as lines of JSON:
  {"prepare": {...}}  -> {"prepared": n}        sign the transactions of one run (not timed)
  {"run": {...}}      -> {"sent": [...], ...}   send them: open loop, each batch at its time, whatever the node does
"""

import asyncio
import gc
import json
import sys
import time
from collections import deque
from typing import Any

import msgspec
import uvloop
from bench.kit.senders import SENDERS, signed

_OUTCOMES = msgspec.msgpack.Decoder(list[tuple[bytes, str, str]])
CONNECTIONS_MAX = 64
"""To one validator: an open loop opens another connection where all wait for answers."""


class Connection(asyncio.Protocol):
    """HTTP/1.1 as far as we need it: one request at a time, answers with a Content-Length."""

    def __init__(self) -> None:
        self._transport: Any = None
        self._buffer = bytearray()
        self._answer: asyncio.Future[tuple[int, bytes]] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(exc or ConnectionResetError("the validator hung up"))

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head = self._buffer.find(b"\r\n\r\n")
        if head < 0 or self._answer is None:
            return
        lowered = bytes(self._buffer[:head]).lower()
        at = lowered.find(b"content-length:")
        length = int(lowered[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
        if len(self._buffer) >= head + 4 + length:
            body = bytes(self._buffer[head + 4 : head + 4 + length])
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


class Door:
    """Connections to one port."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._free: deque[Connection] = deque()
        self._open = 0
        self._gate = asyncio.Semaphore(CONNECTIONS_MAX)

    async def post(self, path: str, kind: str, body: bytes) -> tuple[int, bytes]:
        """Ask on a free connection, or a new one."""
        async with self._gate:
            if self._free:
                connection = self._free.pop()
            else:
                _, connection = await asyncio.get_running_loop().create_connection(Connection, "127.0.0.1", self._port)
            answer = await connection.post(path, kind, body)
            self._free.append(connection)
            return answer


class Loader:
    """One process's share of the load: senders `part`, `part + parts`, …"""

    def __init__(self, part: int, parts: int, chain_id: bytes, ports: list[int]) -> None:
        self._senders = range(part, SENDERS, parts)
        self._chain_id = chain_id
        self._ports = ports
        self._nonces = dict.fromkeys(self._senders, 0)
        self._next = 0
        self._ready: list[list[tuple[bytes, bytes]]] = []
        self._doors: list[Door] = []

    def prepare(self, count: int, calls: int, lifetime_ms: int) -> int:
        """Sign so many, each sender in its turn; a sender always goes to the same validator."""
        expires_ms = time.time_ns() // 1_000_000 + lifetime_ms
        lines: list[list[tuple[bytes, bytes]]] = [[] for _ in self._ports]
        for _ in range(count):
            sender = self._senders[self._next % len(self._senders)]
            lines[self._next % len(self._ports)].append(
                signed(self._chain_id, sender, self._nonces[sender], calls, expires_ms)
            )
            self._nonces[sender] += 1
            self._next += 1
        self._ready = lines
        gc.collect()
        gc.freeze()
        return count

    async def run(self, start: float, rate: float, batch: int) -> dict[str, Any]:
        """Send what is ready, `rate` transactions a second beginning at `start` (seconds of the monotonic clock)."""
        if not self._doors:
            self._doors = [Door(port) for port in self._ports]
        sent: list[tuple[str, float]] = []
        refused: dict[str, int] = {}
        slow: list[float] = []
        tasks: list[asyncio.Task[None]] = []
        loop = asyncio.get_running_loop()
        number = 0
        position = [0] * len(self._ports)
        while any(at < len(line) for at, line in zip(position, self._ready, strict=True)):
            where = number % len(self._ports)
            at = position[where]
            part = self._ready[where][at : at + batch]
            position[where] += batch
            number += 1
            if not part:
                continue
            due = start + len(sent) / rate
            body = msgspec.msgpack.encode([encoded for encoded, _ in part])
            wait = due - time.monotonic()
            if wait > 0:
                await asyncio.sleep(wait)
            else:
                await asyncio.sleep(0)
            slow.append(time.monotonic() - due)
            sent += [(identity.hex(), due) for _, identity in part]
            tasks.append(loop.create_task(self._send(self._doors[where], body, refused)))
        await asyncio.gather(*tasks)
        self._ready = []
        return {"sent": sent, "refused": refused, "late_max_ms": max(slow) * 1e3 if slow else 0.0}

    async def _send(self, door: Door, body: bytes, refused: dict[str, int]) -> None:
        try:
            status, answer = await door.post("/v1/transactions/batch", "application/octet-stream", body)
        except OSError as error:
            refused[str(error)] = refused.get(str(error), 0) + 1
            return
        if status != 200:
            text = f"{status} {answer[:200].decode(errors='replace')}"
            refused[text] = refused.get(text, 0) + 1
            return
        for _, code, _ in _OUTCOMES.decode(answer):
            if code:
                refused[code] = refused.get(code, 0) + 1


async def main() -> None:
    """Orders until the end of standard input."""
    loop = asyncio.get_running_loop()
    first = json.loads(sys.stdin.readline())
    loader = Loader(first["part"], first["parts"], bytes.fromhex(first["chain_id"]), first["ports"])
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        order = json.loads(line)
        answer = (
            {"prepared": loader.prepare(**order["prepare"])} if "prepare" in order else await loader.run(**order["run"])
        )
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    uvloop.run(main())
