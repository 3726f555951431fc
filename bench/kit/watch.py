"""Who tells from outside what became final when: one node's events, followed in a thread."""

import base64
import json
import os
import socket
import threading
import time
from http.client import HTTPConnection

from bench.kit.ask import ask


class Watch(threading.Thread):
    """Follows one node's blocks: (height, transactions, when we knew)."""

    def __init__(self, port: int) -> None:
        super().__init__(daemon=True)
        self.blocks: list[tuple[int, int, float]] = []
        self.total = 0
        self.changed = threading.Condition()
        self.port = port

    def add(self, height: int, transactions: int, at: float) -> None:
        """One more final block."""
        with self.changed:
            self.blocks.append((height, transactions, at))
            self.total += transactions
            self.changed.notify_all()

    def wait_total(self, total: int, timeout_s: float) -> bool:
        """Whether so many transactions became final in time."""
        with self.changed:
            return self.changed.wait_for(lambda: self.total >= total, timeout_s)

    def names(self, height: int) -> list[str]:
        """The writes of a block, by the names the load gave them."""
        raise NotImplementedError

    def close(self) -> None:
        """Hang up."""
        raise NotImplementedError


class MetanodeWatch(Watch):
    """The event stream."""

    def __init__(self, port: int) -> None:
        super().__init__(port)
        self._connection = HTTPConnection("127.0.0.1", port, timeout=60)
        self._connection.request("GET", "/v1/events?kinds=block")
        self._response = self._connection.getresponse()
        assert self._response.status == 200, self._response.read()
        self.start()

    def run(self) -> None:
        try:
            while line := self._response.readline():
                if line.startswith(b'data: {"height"'):
                    now = time.monotonic()
                    block = json.loads(line[6:])
                    self.add(block["height"], block["transactions"], now)
        except (OSError, ValueError, AttributeError):
            pass  # hung up

    def names(self, height: int) -> list[str]:
        """Identities."""
        status, body = ask(self.port, f"/v1/blocks/{height}", timeout_s=60)
        assert status == 200, body
        names: list[str] = json.loads(body)["transactions"]
        return names

    def close(self) -> None:
        """Hang up."""
        if self._connection.sock is not None:
            self._connection.sock.close()


class CometWatch(Watch):
    """CometBFT's subscription to what is told of each block after it was applied."""

    def __init__(self, port: int) -> None:
        super().__init__(port)
        self._socket = WebSocket(port, "/websocket")
        query = {"query": "tm.event='NewBlockEvents'"}
        self._socket.send(json.dumps({"jsonrpc": "2.0", "id": 0, "method": "subscribe", "params": query}).encode())
        told = json.loads(self._socket.receive())
        assert told.get("result") == {}, told
        self.start()

    def run(self) -> None:
        try:
            while message := self._socket.receive():
                now = time.monotonic()
                value = json.loads(message)["result"]["data"]["value"]
                self.add(int(value["height"]), int(value["num_txs"]), now)
        except OSError:
            pass  # hung up

    def names(self, height: int) -> list[str]:
        """Keys."""
        status, body = ask(self.port, f"/block?height={height}", timeout_s=60)
        assert status == 200, body
        listed = json.loads(body)["result"]["block"]["data"]["txs"] or []
        return [base64.b64decode(one).partition(b"=")[0].decode() for one in listed]

    def close(self) -> None:
        """Hang up."""
        self._socket.close()


class WebSocket:
    """RFC 6455 as far as a subscription needs it: whole messages, pings answered."""

    def __init__(self, port: int, path: str) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=120)
        key = base64.b64encode(os.urandom(16)).decode()
        self._socket.sendall(
            f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        self._file = self._socket.makefile("rb")
        status = self._file.readline()
        assert b" 101 " in status, status
        while self._file.readline().strip():
            pass

    def send(self, data: bytes, kind: int = 1) -> None:
        """One frame, masked as clients must."""
        mask = os.urandom(4)
        size = len(data)
        length = bytes([0x80 | size]) if size < 126 else b"\xfe" + size.to_bytes(2, "big")
        masked = bytes(byte ^ mask[at % 4] for at, byte in enumerate(data))
        self._socket.sendall(bytes([0x80 | kind]) + length + mask + masked)

    def receive(self) -> bytes:
        """One message of text; empty at the end."""
        message = b""
        while True:
            head = self._file.read(2)
            if len(head) < 2:
                return b""
            size = head[1] & 0x7F
            if size > 125:
                size = int.from_bytes(self._file.read(2 if size == 126 else 8), "big")
            data = self._file.read(size)
            kind = head[0] & 0x0F
            if kind == 8:
                return b""
            if kind == 9:
                self.send(data, kind=10)
            elif kind in (0, 1, 2):
                message += data
                if head[0] & 0x80:
                    return message

    def close(self) -> None:
        """Hang up."""
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
