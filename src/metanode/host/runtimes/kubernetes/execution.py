"""A command in a pod, by a websocket to the API server, which relays to the kubelet."""

import asyncio
import contextlib
import importlib
import json
import threading
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, Final

from metanode.host.runtimes.driver import Chunk
from metanode.host.runtimes.kubernetes.access import Api, failure_of, unreachable
from metanode.host.runtimes.kubernetes.pods import CONTAINER
from metanode.host.runtimes.refusals import RuntimeRefusal
from metanode.host.runtimes.states import Exit
from metanode.primitives.refusal import Rejected

STDIN: Final = 0
ERROR: Final = 3
"""The channel on which the server says how it ended."""
RESIZE: Final = 4
CLOSE: Final = 255
"""Says that a channel has ended; from version 5 of the protocol on."""
FIFTH: Final = "v5.channel.k8s.io"
INPUT_STEP: Final = 32 << 10
"""Bytes of input in one message."""
AHEAD: Final = 16
"""Messages read before somebody takes them; then the connection waits."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What is to be executed: where, which words, whether in a terminal."""

    path: str
    command: tuple[str, ...]
    tty: bool


def exit_of(said: bytes) -> Exit:
    """How a command ended, by the server's `Status`. Raises `Rejected` where it did not begin."""
    now = time.time_ns()
    try:
        status = json.loads(said)
        if status.get("status") == "Success":
            return Exit(0, 0, oom=False, at_ns=now)
        causes = (status.get("details") or {}).get("causes") or ()
        for cause in causes:
            if cause.get("reason") == "ExitCode":
                code = int(cause["message"])
                return Exit(code, code - 128 if 128 < code <= 192 else 0, oom=False, at_ns=now)
        message = str(status.get("message", ""))
    except (ValueError, AttributeError, KeyError, TypeError):
        message = said[:200].decode(errors="replace") or "the connection ended without a word"
    if "not found" in message or "no such file" in message:
        raise Rejected(RuntimeRefusal.COMMAND_NOT_FOUND, message[:300])
    if "permission denied" in message:
        raise Rejected(RuntimeRefusal.COMMAND_NOT_EXECUTABLE, message[:300])
    raise Rejected(RuntimeRefusal.SETUP_FAILED, message[:300])


class KubernetesExecution:
    """KUBE-10. It begins when it is first given input, or told that there is none, or asked for its output. Without
    input it has none: give it before the output is read."""

    def __init__(self, api: Api, asked: Asked) -> None:
        self._api: Final = api
        self._asked: Final = asked
        self._loop: Final = asyncio.get_running_loop()
        self._chunks: Final[asyncio.Queue[Chunk | None]] = asyncio.Queue(AHEAD)
        self._end: Final[asyncio.Future[Exit]] = self._loop.create_future()
        self._socket: Any = None
        self._opening: Final = asyncio.Lock()

    async def _open(self, *, stdin: bool) -> None:
        async with self._opening:
            if self._socket is not None or self._end.done():
                return
            query = {
                "container": CONTAINER,
                "command": self._asked.command,
                "stdin": stdin or self._asked.tty,
                "stdout": True,
                "stderr": not self._asked.tty,
                "tty": self._asked.tty,
            }
            try:
                self._socket = await asyncio.to_thread(self._connect, self._api.url(self._asked.path, query))
            except Rejected as refused:
                self._finish(refused)
                raise
            threading.Thread(target=self._read, name="exec-in-pod", daemon=True).start()

    def _connect(self, url: str) -> Any:
        client: Any = importlib.import_module("kubernetes.stream.ws_client")
        try:
            return client.create_websocket(
                self._api.configuration, "ws" + url.removeprefix("http"), self._api.headers()
            )
        except Exception as error:
            if (status := getattr(error, "status_code", None)) is not None:  # the server's answer was no websocket
                body = getattr(error, "resp_body", None) or b""
                said = body if isinstance(body, bytes) else str(body).encode()
                raise failure_of(int(status), said).rejected() from None
            raise unreachable(error) from None

    def _read(self) -> None:
        """In a thread: every message until the server closes."""
        status = b""
        try:
            while True:
                operation, frame = self._socket.recv_data_frame(control_frame=True)
                if operation == frame.OPCODE_CLOSE:
                    break
                data = frame.data if operation in (frame.OPCODE_BINARY, frame.OPCODE_TEXT) else b""
                data = data if isinstance(data, bytes) else str(data).encode()
                if len(data) < 2 or data[0] == CLOSE:
                    continue
                if data[0] == ERROR:
                    status += data[1:]
                else:
                    self._hand(Chunk(data[0], data[1:]))
        except Exception as error:
            status = status or f"the connection broke: {type(error).__name__}".encode()
        how: Exit | Rejected
        try:
            how = exit_of(status)
        except Rejected as refused:
            how = refused
        with contextlib.suppress(RuntimeError):
            self._hand(None)
            self._loop.call_soon_threadsafe(self._finish, how)
        with contextlib.suppress(Exception):
            self._socket.close(timeout=1)
        with contextlib.suppress(Exception):
            self._socket.shutdown()

    def _hand(self, chunk: Chunk | None) -> None:
        """From the thread to who reads; waits while he does not."""
        asyncio.run_coroutine_threadsafe(self._chunks.put(chunk), self._loop).result()

    def _finish(self, how: Exit | Rejected) -> None:
        if self._end.done():
            return
        if isinstance(how, Rejected):
            self._end.set_exception(how)
            self._end.exception()  # whoever waits is told; whoever does not has not forgotten it
            if self._socket is None:
                self._chunks.put_nowait(None)
        else:
            self._end.set_result(how)

    async def write(self, data: bytes) -> None:
        """Give it input."""
        await self._open(stdin=True)
        for at in range(0, len(data), INPUT_STEP):
            await self._say(bytes([STDIN]) + data[at : at + INPUT_STEP])

    async def end_input(self) -> None:
        """There is no more. Refused where the server's protocol has no word for it and something was given."""
        if self._socket is None:
            await self._open(stdin=False)
            if not self._asked.tty:
                return
        if self._asked.tty:
            await self._say(bytes([STDIN, 4]))
        elif self._socket.subprotocol == FIFTH:
            await self._say(bytes([CLOSE, STDIN]))
        else:
            self._socket.shutdown()
            raise Rejected(
                RuntimeRefusal.ENGINE_CANNOT,
                "this API server cannot say that input has ended; one of 1.30 or later can",
            )

    async def resize(self, rows: int, columns: int) -> None:
        """The size of its terminal."""
        await self._open(stdin=False)
        await self._say(bytes([RESIZE]) + json.dumps({"Width": columns, "Height": rows}).encode())

    async def _say(self, data: bytes) -> None:
        def send() -> None:
            try:
                self._socket.send_binary(data)
            except Exception as error:
                raise unreachable(error) from None

        await asyncio.to_thread(send)

    async def output(self) -> AsyncIterator[Chunk]:
        """Its output until it ends."""
        await self._open(stdin=False)
        while (chunk := await self._chunks.get()) is not None:
            yield chunk

    async def wait(self) -> Exit:
        """How it ended."""
        await self._open(stdin=False)
        return await asyncio.shield(self._end)
