"""What a real API server answered, written down by a relay, and played again to the driver by a server of ours.

A recording is an order of happenings: requests, answers, pieces of streams, frames of websockets, and `marks`, at which
somebody else did something in the cluster. When it is played, a piece of a stream comes once every change that the
driver had asked for before it (and every mark) has happened: the order of causes is kept, no time decides anything.

Left out: who asked (tokens), what the API server notes about writers of fields, what tells one machine from another.
"""

import base64
import contextlib
import hashlib
import http.client
import json
import re
import socket
import ssl
import struct
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

CHANGES: Final = frozenset({"POST", "PATCH", "DELETE"})
"""Methods that change something: streams wait for them."""
UNTOLD: Final = frozenset({"managedFields", "nodeInfo", "images", "node", "systemContainers", "rlimit", "fs"})
"""Keys of answers that are left out."""
BYTES_MAX: Final = 128 << 10
"""Of one recording."""
KEPT_OF_SPEC: Final = ("nodeName", "terminationGracePeriodSeconds", "unschedulable")
"""What is kept of the `spec` of objects in answers: the rest says what was asked."""
PATIENCE_S: Final = 60
"""For a cause that does not come: the test fails before."""
MAGIC: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

Happening = dict[str, Any]


def pruned(value: Any) -> Any:
    """An answer without what is left out."""
    if isinstance(value, dict):
        kept = {key: one for key, one in value.items() if key not in UNTOLD}
        if {"metadata", "spec"} <= set(kept) and isinstance(kept["spec"], dict):
            kept["spec"] = {key: kept["spec"][key] for key in KEPT_OF_SPEC if key in kept["spec"]}
        return {key: pruned(one) for key, one in kept.items()}
    return [pruned(one) for one in value] if isinstance(value, list) else value


def pruned_text(text: str) -> str:
    """The same of a line of JSON; other lines are as they are."""
    try:
        return json.dumps(pruned(json.loads(text)), separators=(",", ":"))
    except ValueError:
        return text


def asked(method: str, path: str, body: Any) -> tuple[str, str, str]:
    """What two requests for the same have in common: since when a log is asked for depends on the clock."""
    path = re.sub(r"&sinceTime=[^&]*", "", path)
    return method, path, json.dumps(body, sort_keys=True)


class Frames:
    """Websocket messages in a stream of bytes (RFC 6455), as (operation, data)."""

    def __init__(self) -> None:
        self._held = b""

    def feed(self, data: bytes) -> list[tuple[int, bytes]]:
        """What is complete now."""
        self._held += data
        found = []
        while (one := self._one()) is not None:
            found.append(one)
        return found

    def _one(self) -> tuple[int, bytes] | None:
        held = self._held
        if len(held) < 2:
            return None
        operation, length, at = held[0] & 15, held[1] & 127, 2
        if length == 126:
            length, at = struct.unpack_from(">H", held, 2)[0] if len(held) >= 4 else 1 << 62, 4
        elif length == 127:
            length, at = struct.unpack_from(">Q", held, 2)[0] if len(held) >= 10 else 1 << 62, 10
        mask = held[at : at + 4] if held[1] & 128 else b""
        at += len(mask)
        if len(held) < at + length:
            return None
        data = held[at : at + length]
        self._held = held[at + length :]
        return operation, bytes(byte ^ mask[n % 4] for n, byte in enumerate(data)) if mask else data


def frame(operation: int, data: bytes) -> bytes:
    """A message of a server."""
    head = bytes([128 | operation])
    if len(data) < 126:
        return head + bytes([len(data)]) + data
    return head + bytes([126]) + struct.pack(">H", len(data)) + data


def server(answer: Callable[[BaseHTTPRequestHandler], None]) -> ThreadingHTTPServer:
    """A server on loopback whose every request goes to `answer`; it does not run yet."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def handle_one_request(self) -> None:
            with contextlib.suppress(OSError):
                super().handle_one_request()

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            pass

        def _answer(self) -> None:
            answer(self)

        do_GET = do_POST = do_PATCH = do_DELETE = _answer  # noqa: N815

    made = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made.daemon_threads = True
    return made


class Recorder:
    """The relay. `upstream`: where the API server is, `authority`: its certificate."""

    def __init__(self, host: str, port: int, authority: Path) -> None:
        self._target: Final = (host, port)
        self._context: Final = ssl.create_default_context(cafile=str(authority))
        self._lock: Final = threading.Lock()
        self._happenings: Final[list[Happening]] = []
        self._over = False
        self._server: Final = server(self.relay)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        """Of the relay."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def note(self, **what: Any) -> int:
        """One more happening; its number."""
        with self._lock:
            if not self._over:
                self._happenings.append(what)
            return len(self._happenings) - 1

    def relay(self, handler: BaseHTTPRequestHandler) -> None:
        """One request."""
        length = int(handler.headers.get("Content-Length", "0"))
        data = handler.rfile.read(length) if length else b""
        body = json.loads(data) if data else None
        number = self.note(kind="request", method=handler.command, path=handler.path, body=body)
        if handler.headers.get("Upgrade", "").lower() == "websocket":
            self._tunnel(handler, number)
            return
        upstream = http.client.HTTPSConnection(*self._target, context=self._context)
        kept = {
            key: handler.headers[key] for key in ("Authorization", "Accept", "Content-Type") if key in handler.headers
        }
        upstream.request(handler.command, handler.path, data or None, kept)
        answer = upstream.getresponse()
        kind = answer.headers.get("Content-Type", "")
        handler.send_response(answer.status)
        handler.send_header("Content-Type", kind)
        if answer.headers.get("Content-Length") is None and answer.status == 200:
            self._stream(handler, upstream, answer, number)
            return
        said = answer.read()
        told: Any = pruned(json.loads(said)) if "json" in kind else said.decode()
        self.note(kind="answer", of=number, status=answer.status, type=kind, body=told)
        handler.send_header("Content-Length", str(len(said)))
        handler.end_headers()
        handler.wfile.write(said)
        upstream.close()

    def _stream(
        self, handler: BaseHTTPRequestHandler, upstream: http.client.HTTPSConnection, answer: Any, number: int
    ) -> None:
        self.note(kind="begins", of=number, type=answer.headers.get("Content-Type", ""))
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        handler.wfile.flush()
        with contextlib.suppress(OSError, http.client.HTTPException, ValueError):
            while line := answer.readline():
                self.note(
                    kind="piece", of=number, text=pruned_text(line.decode().rstrip("\n")) + "\n" * line.endswith(b"\n")
                )
                handler.wfile.write(b"%x\r\n%s\r\n" % (len(line), line))
                handler.wfile.flush()
            self.note(kind="ends", of=number)
            handler.wfile.write(b"0\r\n\r\n")
        upstream.close()

    def _tunnel(self, handler: BaseHTTPRequestHandler, number: int) -> None:
        """A websocket: bytes both ways, messages written down."""
        upstream = self._context.wrap_socket(socket.create_connection(self._target), server_hostname=self._target[0])
        lines = [f"{handler.command} {handler.path} HTTP/1.1"]
        lines += [f"{key}: {value}" for key, value in handler.headers.items()]
        upstream.sendall("\r\n".join([*lines, "", ""]).encode())
        head = b""
        while b"\r\n\r\n" not in head:
            head += upstream.recv(1)
        protocol = re.search(rb"(?i)sec-websocket-protocol: *(\S+)", head)
        self.note(kind="opens", of=number, protocol=protocol[1].decode() if protocol else "")
        client = handler.connection
        client.sendall(head)

        def pump(source: Any, target: Any, kind: str) -> None:
            frames = Frames()
            with contextlib.suppress(OSError):
                while data := source.recv(65536):
                    for operation, payload in frames.feed(data):
                        told = base64.b64encode(payload).decode()
                        self.note(kind=kind, of=number, operation=operation, data=told)
                    target.sendall(data)
            with contextlib.suppress(OSError):
                target.shutdown(socket.SHUT_WR)

        back = threading.Thread(target=pump, args=(client, upstream, "heard"), daemon=True)
        back.start()
        pump(upstream, client, "said")
        back.join(timeout=5)
        upstream.close()
        handler.close_connection = True

    def write(self, path: Path, version: str) -> None:
        """The recording, as a file."""
        with self._lock:
            self._over = True
            lines = [json.dumps({"server": version}), *(json.dumps(one) for one in self._happenings)]
        text = "\n".join(lines) + "\n"
        assert len(text) <= BYTES_MAX, (path.name, len(text))
        path.write_text(text)

    def close(self) -> None:
        """Relay no more."""
        self._server.shutdown()
        self._server.server_close()


class Player:
    """A server that answers as the recorded one did. What was not asked then is answered 501 and remembered."""

    def __init__(self, path: Path) -> None:
        head, *rest = [json.loads(line) for line in path.read_text().splitlines()]
        self.version: Final = str(head["server"])
        self._happenings: Final[list[Happening]] = rest
        self._open: Final = {
            n for n, one in enumerate(rest) if one["kind"] == "mark" or one.get("method") in CHANGES or _is_exec(one)
        }
        self._left: Final = [n for n, one in enumerate(rest) if one["kind"] == "request"]
        self._changed: Final = threading.Condition()
        self.strange: Final[list[str]] = []
        self._over = False
        self._server: Final = server(self.answer)
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    @property
    def url(self) -> str:
        """Of the server."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def mark(self, name: str) -> None:
        """What somebody else did has happened."""
        with self._changed:
            found = next(n for n, one in enumerate(self._happenings) if one["kind"] == "mark" and one["name"] == name)
            self._open.discard(found)
            self._changed.notify_all()

    def unasked(self) -> list[str]:
        """Changes that were recorded and not asked for."""
        left = [self._happenings[n] for n in self._left]
        return [f"{one['method']} {one['path']}" for one in left if one["method"] in CHANGES]

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        """One request."""
        length = int(handler.headers.get("Content-Length", "0"))
        data = handler.rfile.read(length) if length else b""
        wanted = asked(handler.command, handler.path, json.loads(data) if data else None)
        number = self._take(wanted)
        if number is None:
            self.strange.append(f"{wanted[0]} {wanted[1]} {wanted[2]}")
            handler.send_response(501)
            handler.send_header("Content-Length", "0")
            handler.end_headers()
            return
        answers = [(n, one) for n, one in enumerate(self._happenings) if one.get("of") == number]
        first: Happening = answers[0][1] if answers else {"kind": "none"}
        if first["kind"] == "answer":
            said = (json.dumps(first["body"]) if isinstance(first["body"], dict) else str(first["body"])).encode()
            handler.send_response(first["status"])
            handler.send_header("Content-Type", first["type"])
            handler.send_header("Content-Length", str(len(said)))
            handler.end_headers()
            handler.wfile.write(said)
        elif first["kind"] == "begins":
            self._stream(handler, first, answers[1:])
        elif first["kind"] == "opens":
            self._socket(handler, first, answers[1:])
        else:
            handler.close_connection = True

    def _take(self, wanted: tuple[str, str, str]) -> int | None:
        """The first recorded request of this kind that was not made yet; of logs the last again."""
        with self._changed:
            every = [n for n, one in enumerate(self._happenings) if one["kind"] == "request"]
            fitting = [
                n for n in every if asked(*(self._happenings[n][k] for k in ("method", "path", "body"))) == wanted
            ]
            left = [n for n in fitting if n in self._left]
            if not left:
                return fitting[-1] if fitting and "/log?" in wanted[1] else None
            self._left.remove(left[0])
            self._open.discard(left[0])
            self._changed.notify_all()
            return left[0]

    def _wait(self, number: int) -> bool:
        """Until every change before has been asked for."""
        with self._changed:
            return self._changed.wait_for(lambda: self._over or not any(n < number for n in self._open), PATIENCE_S)

    def _stream(self, handler: BaseHTTPRequestHandler, first: Happening, pieces: list[tuple[int, Happening]]) -> None:
        handler.send_response(200)
        handler.send_header("Content-Type", first["type"])
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        handler.wfile.flush()
        for number, piece in pieces:
            if not self._wait(number) or self._over:
                break
            if piece["kind"] == "piece":
                data = piece["text"].encode()
                handler.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
                handler.wfile.flush()
            else:
                handler.wfile.write(b"0\r\n\r\n")
                handler.wfile.flush()
                return
        with self._changed:  # the recorded connection was still open when the recording ended
            self._changed.wait_for(lambda: self._over, PATIENCE_S)
        handler.close_connection = True

    def _socket(self, handler: BaseHTTPRequestHandler, first: Happening, frames: list[tuple[int, Happening]]) -> None:
        key = handler.headers["Sec-WebSocket-Key"].encode()
        handler.send_response(101)
        handler.send_header("Upgrade", "websocket")
        handler.send_header("Connection", "Upgrade")
        handler.send_header(
            "Sec-WebSocket-Accept", base64.b64encode(hashlib.sha1(key + MAGIC, usedforsecurity=False).digest()).decode()
        )
        if first["protocol"]:
            handler.send_header("Sec-WebSocket-Protocol", first["protocol"])
        handler.end_headers()
        handler.wfile.flush()
        connection, incoming = handler.connection, Frames()
        waiting: list[tuple[int, bytes]] = []
        for number, one in frames:
            data = base64.b64decode(one["data"])
            if one["kind"] == "said":
                if not self._wait(number):
                    return
                connection.sendall(frame(one["operation"], data))
                continue
            if one["operation"] == 8:
                break  # the client's goodbye
            while not waiting:
                received = connection.recv(65536)
                if not received:
                    return
                waiting += incoming.feed(received)
            operation, payload = waiting.pop(0)
            if (operation, payload) != (one["operation"], data):
                self.strange.append(f"frame {operation} {payload!r}, not {data!r}")
        handler.close_connection = True

    def close(self) -> None:
        """Answer no more."""
        with self._changed:
            self._over = True
            self._changed.notify_all()
        self._server.shutdown()
        self._server.server_close()


def _is_exec(happening: Happening) -> bool:
    return happening["kind"] == "request" and "/exec?" in happening["path"]
