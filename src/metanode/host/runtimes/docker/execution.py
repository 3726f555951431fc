"""A command in a container, by an engine's API: made, begun on a connection of its own, looked at when it ends."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any, Final

from metanode.host.runtimes.docker.answers import Created, Executed
from metanode.host.runtimes.docker.api import EngineApi, EngineSays
from metanode.host.runtimes.docker.streams import Stream, open_stream
from metanode.host.runtimes.driver import Chunk
from metanode.host.runtimes.refusals import RuntimeRefusal
from metanode.host.runtimes.shim.outside import NOT_EXECUTABLE, NOT_FOUND
from metanode.host.runtimes.states import Exit
from metanode.primitives.refusal import Rejected

CHUNKS_MAX: Final = 16
"""Pieces of output that wait for who reads them; then the engine waits, and the command."""
INPUT_BYTES_MAX: Final = 1 << 20
"""Input that a command has not taken yet."""
TERMINAL_BYTES: Final = 32 << 10
"""One read of a terminal, whose output has no frames."""
LOOK_EVERY_S: Final = 0.01
"""Between two looks whether a command whose output has ended has ended."""
END_TIMEOUT_S: Final = 30.0
"""Until it has, as the engine says."""
NOT_BEGUN: Final = (126, 127)
"""Exit codes of a command that could not be begun."""
SAID_BYTES: Final = 2000
"""Of the first output, in which the engine says why."""
_FAILED: Final = ("exec failed", "unable to start container process", "executable file")


def refusal_of(words: str) -> Rejected:
    """What an engine says when a program could not be begun."""
    said = words.lower()
    for phrases, reason in (
        (NOT_FOUND, RuntimeRefusal.COMMAND_NOT_FOUND),
        (NOT_EXECUTABLE, RuntimeRefusal.COMMAND_NOT_EXECUTABLE),
    ):
        if "exec" in said and any(phrase in said for phrase in phrases):
            return Rejected(reason, words)
    return Rejected(RuntimeRefusal.SETUP_FAILED, words)


def _told(task: "asyncio.Task[Exit]") -> None:
    """Whoever waits for a command is told how it ended; where nobody does nothing was forgotten."""
    if not task.cancelled():
        task.exception()


class DockerExecution:
    """DOCKER-5. Its streams and its end. Implements `Execution`."""

    def __init__(self, api: EngineApi, number: str, stream: Stream, *, tty: bool) -> None:
        self._api: Final = api
        self.number: Final = number
        self._stream: Final = stream
        self._tty: Final = tty
        self._chunks: Final[asyncio.Queue[Chunk | None]] = asyncio.Queue()
        self._room: Final = asyncio.Semaphore(CHUNKS_MAX)
        self._said = b""
        self._task: Final = asyncio.create_task(self._follow())
        self._task.add_done_callback(_told)

    @classmethod
    async def begin(cls, api: EngineApi, container: str, fields: dict[str, Any], *, tty: bool) -> "DockerExecution":
        """Make it and begin it. Raises `Rejected`, `EngineSays`."""
        wanted = {"AttachStdin": True, "AttachStdout": True, "AttachStderr": True, "Tty": tty, **fields}
        made = await api.asked(Created, "POST", f"/containers/{container}/exec", wanted)
        target = api.versioned(f"/exec/{made.id}/start")
        try:
            stream = await open_stream(api.socket, "POST", target, {"Detach": False, "Tty": tty}, hijack=True)
        except EngineSays as said:
            raise refusal_of(said.words) from None
        return cls(api, made.id, stream, tty=tty)

    @property
    def is_over(self) -> bool:
        """Whether its end is known."""
        return self._task.done()

    async def _follow(self) -> Exit:
        try:
            async for stream, data in self._pieces():
                if len(self._said) < SAID_BYTES:
                    self._said += data[:SAID_BYTES]
                await self._room.acquire()
                self._chunks.put_nowait(Chunk(stream, data))
            return await self._ended()
        finally:
            self._stream.close()
            self._chunks.put_nowait(None)

    async def _pieces(self) -> AsyncIterator[tuple[int, bytes]]:
        if not self._tty:
            async for number, data in self._stream.frames():
                yield number or 1, data
            return
        try:
            while data := await self._stream.reader.read(TERMINAL_BYTES):
                yield 1, data
        except OSError:
            return

    async def _ended(self) -> Exit:
        """What the engine says of its end."""
        until = time.monotonic() + END_TIMEOUT_S
        while (found := await self._looked()).running or found.exit_code is None:
            if time.monotonic() > until:
                raise Rejected(RuntimeRefusal.ENGINE_ANSWER, "a command whose output has ended does not end")
            await asyncio.sleep(LOOK_EVERY_S)
        words = self._said.decode(errors="replace").strip()
        if found.exit_code in NOT_BEGUN and not found.pid and any(phrase in words for phrase in _FAILED):
            raise refusal_of(words)
        code = (found.exit_code or 0) & 0xFF
        return Exit(code, 0, oom=False, at_ns=time.time_ns())

    async def _looked(self) -> Executed:
        try:
            return await self._api.asked(Executed, "GET", f"/exec/{self.number}/json")
        except EngineSays as said:
            raise Rejected(RuntimeRefusal.UNKNOWN, said.words) from None

    async def write(self, data: bytes) -> None:
        """Give it input. Raises `Rejected` where it takes none."""
        transport = self._stream.writer.transport
        if transport.get_write_buffer_size() + len(data) > INPUT_BYTES_MAX:
            raise Rejected(RuntimeRefusal.FULL, f"{INPUT_BYTES_MAX} bytes of input wait already")
        self._stream.writer.write(data)

    async def end_input(self) -> None:
        """There is no more."""
        if not self._stream.writer.is_closing():
            self._stream.writer.write_eof()

    async def resize(self, rows: int, columns: int) -> None:
        """The size of its terminal."""
        try:
            await self._api.call("POST", f"/exec/{self.number}/resize", h=rows, w=columns)
        except EngineSays as said:
            raise Rejected(RuntimeRefusal.UNKNOWN, said.words) from None

    async def output(self) -> AsyncIterator[Chunk]:
        """Its output, in order, until it ends."""
        while (chunk := await self._chunks.get()) is not None:
            self._room.release()
            yield chunk

    async def wait(self) -> Exit:
        """How it ended."""
        return await asyncio.shield(self._task)

    def leave(self) -> None:
        """Hear it no more."""
        self._task.cancel()

    async def pid(self) -> int:
        """Its process on this host, 0 where it runs no more."""
        try:
            found = await self._looked()
        except Rejected:
            return 0
        return found.pid if found.running else 0
