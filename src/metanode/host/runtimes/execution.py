"""A command in a container, as the agent holds it."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any, Final, Protocol

from metanode.host.runtimes.driver import Chunk
from metanode.host.runtimes.refusals import RuntimeRefusal
from metanode.host.runtimes.shim.frames import Message, bytes_of, text_of
from metanode.host.runtimes.states import Exit
from metanode.primitives.refusal import Rejected

TAKEN_EVERY: Final = 8
"""Chunks taken between two words to the shim, which waits after 16."""
INPUT_STEP: Final = 256 << 10
"""Bytes of input in one message."""


class Asker(Protocol):
    """What a command needs of the connection."""

    async def ask(self, request: str, **fields: Any) -> Message:
        """Ask and wait for the answer."""

    def say(self, request: str, **fields: Any) -> None:
        """Say something that is not answered."""


def refused(no: Any) -> Rejected:
    """A refusal as the shim sent it."""
    code, detail = no
    return Rejected(RuntimeRefusal(code), str(detail))


class ShimExecution:
    """RUN-16. Its streams and its end."""

    def __init__(self, link: Asker, number: int) -> None:
        self._link: Final = link
        self._number: Final = number
        self._chunks: Final[asyncio.Queue[Chunk | None]] = asyncio.Queue()
        self._end: Final[asyncio.Future[Exit]] = asyncio.get_running_loop().create_future()
        self._taken = 0

    def hear(self, message: Message) -> bool:
        """One message of the shim about it; whether it was the last."""
        if "data" in message:
            self._chunks.put_nowait(Chunk(int(message["stream"]), bytes_of(message["data"])))
            return False
        if "no" in message:
            self._finish(refused(message["no"]))
        else:
            code, signal, at_ns = message["end"]
            self._finish(Exit(code, signal, oom=False, at_ns=at_ns))
        return True

    def lose(self) -> None:
        """The shim is gone."""
        self._finish(Rejected(RuntimeRefusal.SHIM_GONE, "while the command ran"))

    def _finish(self, how: Exit | Rejected) -> None:
        self._chunks.put_nowait(None)
        if isinstance(how, Rejected):
            self._end.set_exception(how)
            self._end.exception()  # whoever waits is told; whoever does not has not forgotten it
        else:
            self._end.set_result(how)

    async def write(self, data: bytes) -> None:
        """Give it input."""
        for at in range(0, len(data), INPUT_STEP):
            await self._link.ask("input", exec=self._number, data=text_of(data[at : at + INPUT_STEP]))

    async def end_input(self) -> None:
        """There is no more."""
        await self._link.ask("end_input", exec=self._number)

    async def resize(self, rows: int, columns: int) -> None:
        """The size of its terminal."""
        await self._link.ask("resize", exec=self._number, rows=rows, columns=columns)

    async def output(self) -> AsyncIterator[Chunk]:
        """Its output until it ends."""
        while (chunk := await self._chunks.get()) is not None:
            self._taken += 1
            if self._taken % TAKEN_EVERY == 0 and not self._end.done():
                self._link.say("taken", exec=self._number, chunks=TAKEN_EVERY)
            yield chunk

    async def wait(self) -> Exit:
        """How it ended."""
        return await asyncio.shield(self._end)
