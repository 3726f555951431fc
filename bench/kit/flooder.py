"""A process that floods one validator: python -m bench.kit.flooder ORDER (JSON). It prints what it did as JSON.

`peer`: with the keys of another validator, over a real handshake, junk of every kind as fast as the link takes it; hung
up on, it dials again. `client`: on the public port from one address, as many connections as are taken.
"""

import asyncio
import itertools
import json
import os
import random
import select
import socket
import sys
import time
from collections import Counter
from typing import Any

import msgspec
from bench.kit.senders import signed

from metanode.chain.mempool import TransactionBatch
from metanode.chain.sync.messages import WantBlocks
from metanode.host.keys import development_secrets
from metanode.network.bpci import (
    ENTROPY_BYTES,
    STREAMS,
    AllowedPeer,
    AllowPeers,
    Bpci,
    BpciSettings,
    BytesArrived,
    Close,
    Compute,
    Computed,
    Connected,
    Event,
    PeerUp,
    Quota,
    Role,
    SendMessages,
    Stream,
    Tick,
    Transmit,
    perform,
)
from metanode.node.talk import Letter
from metanode.primitives.codec import encode
from metanode.primitives.ed25519 import SigningKey

UNBOUNDED = dict.fromkeys(STREAMS, Quota(1 << 50, 1 << 50))
"""A liar grants itself what it likes."""
LETTERS = 200
"""Messages thrown at once."""
TRANSACTIONS = 1_000
WAIT_S = 0.05
BODY_BYTES = 8 << 20
"""The largest body that the public port takes."""
BODIES, STREAMS_OPEN, SENDERS, ASKERS = 192, 128, 32, 32
"""Connections of each kind: more together than are taken of one address."""


def forged(chain_id: bytes) -> list[bytes]:
    """Transactions well formed in everything, their signatures of no use."""
    expires_ms = time.time_ns() // 1_000_000 + 500_000
    made = [signed(chain_id, number, 0, 1, expires_ms)[0] for number in range(TRANSACTIONS)]
    return [one[:-64] + os.urandom(64) for one in made]


class PeerFlood:
    """One link at a time."""

    def __init__(self, order: dict[str, Any]) -> None:
        self._key = SigningKey(development_secrets(order["name"]).transport)
        self._target = SigningKey(development_secrets(order["target"]).transport).public_key
        self._port: int = order["port"]
        self._chain_id = bytes.fromhex(order["chain_id"])
        self._until = time.monotonic() + order["seconds"]
        self._forged = forged(self._chain_id)
        self.sent_bytes = self.dials = self.greeted = 0

    def run(self) -> None:
        """Until the time is over."""
        kinds = itertools.cycle((self.unknown, self.wants, self.noise, self.transactions))
        while time.monotonic() < self._until:
            try:
                self._link(next(kinds))
            except OSError:
                time.sleep(WAIT_S)

    def _link(self, kind: Any) -> None:
        """Dial, greet, throw until hung up on or three seconds have passed: then another kind of junk has its turn."""
        self._machine = Bpci(BpciSettings(self._chain_id, self._key.public_key, self._chain_id[:16], UNBOUNDED))
        self._up = self._over = False
        with socket.create_connection(("127.0.0.1", self._port), 5) as self._plug:
            self.dials += 1
            self._tell(AllowPeers((AllowedPeer(self._target, self._chain_id[:16], Role.VALIDATOR),), _now_ms()))
            self._tell(Connected(1, True, self._target, "127.0.0.1:1", _now_ms()))
            until = min(self._until, time.monotonic() + 3)
            counted = False
            while not self._over and time.monotonic() < until:
                if self._up:
                    self.greeted += not counted
                    counted = True
                    stream, messages = kind()
                    self._tell(SendMessages(self._target, stream, messages, _now_ms()))
                self._hear(0 if self._up else WAIT_S)

    def _hear(self, wait_s: float) -> None:
        if not select.select([self._plug], [], [], wait_s)[0]:
            self._tell(Tick(_now_ms()))
            return
        data = self._plug.recv(1 << 20)
        if data:
            self._tell(BytesArrived(1, data, _now_ms()))
        else:
            self._over = True

    def _tell(self, event: Event) -> None:
        for effect in self._machine.handle(event):
            match effect:
                case Transmit(_, data):
                    self._plug.sendall(data)
                    self.sent_bytes += len(data)
                case Compute(token, operation):
                    self._tell(Computed(token, perform(operation, self._key, os.urandom(ENTROPY_BYTES)), _now_ms()))
                case PeerUp():
                    self._up = True
                case Close():
                    self._over = True
                case _:
                    pass

    def unknown(self) -> tuple[Stream, tuple[bytes, ...]]:
        """Letters of a kind that does not exist."""
        return Stream.GOSSIP, (b"\xc8" + bytes(1_000),) * LETTERS

    def wants(self) -> tuple[Stream, tuple[bytes, ...]]:
        """Blocks from the first on, again and again."""
        return Stream.SYNC, (bytes([Letter.SYNC]) + encode(WantBlocks(version=1, first=1, count=64)),) * 20

    def noise(self) -> tuple[Stream, tuple[bytes, ...]]:
        """Letters to every room, of random bytes."""
        letters = [bytes([random.choice(list(Letter))]) + os.urandom(random.randrange(2_000)) for _ in range(LETTERS)]
        return Stream.CONSENSUS, tuple(letters)

    def transactions(self) -> tuple[Stream, tuple[bytes, ...]]:
        """A batch of forged transactions."""
        batch = TransactionBatch(version=1, transactions=tuple(self._forged))
        return Stream.TRANSACTIONS, (bytes([Letter.POOL]) + encode(batch),)


class ClientFlood:
    """Many connections at once."""

    def __init__(self, order: dict[str, Any]) -> None:
        self._port: int = order["port"]
        self._until = time.monotonic() + order["seconds"]
        self._batch = msgspec.msgpack.encode(forged(bytes.fromhex(order["chain_id"])))
        self.sent_bytes = self.connections = 0
        self.answers: Counter[str] = Counter()

    async def run(self) -> None:
        """Until the time is over."""
        kinds = [self.bodies] * BODIES + [self.streams] * STREAMS_OPEN + [self.batches] * SENDERS + [self.asks] * ASKERS
        await asyncio.gather(*(self._again(kind) for kind in kinds))

    async def _again(self, kind: Any) -> None:
        while time.monotonic() < self._until:
            try:
                reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
            except OSError:
                await asyncio.sleep(WAIT_S)
                continue
            self.connections += 1
            try:
                async with asyncio.timeout(max(0.1, self._until - time.monotonic())):
                    await kind(reader, writer)
            except (OSError, TimeoutError, asyncio.IncompleteReadError):
                await asyncio.sleep(WAIT_S)
            finally:
                writer.close()

    async def _write(self, writer: asyncio.StreamWriter, data: bytes) -> None:
        writer.write(data)
        await writer.drain()
        self.sent_bytes += len(data)

    async def _answer(self, reader: asyncio.StreamReader) -> None:
        status = await reader.readline()
        if not status:
            raise ConnectionResetError
        self.answers[status[9:12].decode()] += 1
        length = 0
        while (line := await reader.readline()).strip():
            if line.lower().startswith(b"content-length:"):
                length = int(line[15:])
        await reader.readexactly(length)

    async def bodies(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """The largest body, all of it but the last byte; then wait."""
        head = f"POST /v1/transactions/batch HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {BODY_BYTES}\r\n"
        await self._write(writer, f"{head}Content-Type: application/octet-stream\r\n\r\n".encode())
        part = bytes(64 << 10)
        for _ in range(BODY_BYTES // len(part) - 1):
            await self._write(writer, part)
        await self._write(writer, part[1:])
        await self._answer(reader)

    async def streams(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """All events from the first on; after the first line nothing is read."""
        await self._write(writer, b"GET /v1/events?after=0:0 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        status = await reader.readline()
        self.answers[status[9:12].decode()] += 1
        await asyncio.sleep(5)  # the reader's buffer fills, then the kernel's

    async def batches(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Forged transactions, a thousand a request."""
        head = f"POST /v1/transactions/batch HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {len(self._batch)}\r\n"
        while time.monotonic() < self._until:
            await self._write(writer, f"{head}Content-Type: application/octet-stream\r\n\r\n".encode() + self._batch)
            await self._answer(reader)

    async def asks(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Many questions at once, for what is long."""
        paths = ("/openapi.json", "/v1/blocks?limit=100", "/v1/receipts?limit=100", "/v1/genesis", "/metrics")
        questions = "".join(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n" for path in paths).encode()
        while time.monotonic() < self._until:
            await self._write(writer, questions * 4)
            for _ in range(len(paths) * 4):
                await self._answer(reader)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def main() -> None:
    """What the order says."""
    order = json.loads(sys.argv[1])
    if order["kind"] == "peer":
        peer = PeerFlood(order)
        peer.run()
        told: dict[str, Any] = {
            "MiB": round(peer.sent_bytes / 2**20, 1),
            "dialled": peer.dials,
            "greeted": peer.greeted,
        }
    else:
        client = ClientFlood(order)
        asyncio.run(client.run())
        answers = dict(client.answers)
        told = {"MiB": round(client.sent_bytes / 2**20, 1), "dialled": client.connections, "answers": str(answers)}
    print(json.dumps(told))


if __name__ == "__main__":
    main()
