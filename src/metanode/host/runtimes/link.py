"""The agent's end of the shim: start it where none runs, ask it, hear its events."""

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import metanode
from metanode.host.runtimes.execution import ShimExecution, refused
from metanode.host.runtimes.refusals import RuntimeRefusal
from metanode.host.runtimes.shim.frames import Message, Unpacker, packed
from metanode.primitives.refusal import Rejected

SOCKET: Final = "shim.sock"
"""In the state directory."""
BOOT: Final = (
    "import sys; sys.path.insert(0, sys.argv[1]); from pathlib import Path; "
    "from metanode.host.runtimes.shim.main import main; main(Path(sys.argv[2]))"
)
"""The shim's program: it finds the package where the agent did, and nothing else."""
START_TIMEOUT_S: Final = 30.0
"""For a shim to say that it is ready, a sweep of what its predecessor left included."""
AGAIN_S: Final = 0.02
"""Between two tries to reach one that does not answer yet."""
READ_BYTES: Final = 64 << 10
"""One read of the socket."""
EVENTS_MAX: Final = 4096
"""Events a listener has not taken; then his iterator ends, and he looks at the list instead."""


@dataclass(frozen=True, slots=True)
class ShimPlace:
    """Where a shim lives. `python` and `library`: by what it is started; the agent's own unless said otherwise."""

    state: Path
    python: str = sys.executable
    library: str = str(Path(metanode.__file__).resolve().parents[1])


class ShimLink:
    """RUN-7. A connection to a shim. `facts` is what the shim said of itself and its machine."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader: Final = reader
        self._writer: Final = writer
        self._waiting: Final[dict[int, asyncio.Future[Message]]] = {}
        self._executions: Final[dict[int, ShimExecution]] = {}
        self._listeners: Final[list[asyncio.Queue[Message | None]]] = []
        self._last = 0
        self.is_open = True
        self.facts: Message = {}
        self._task: Final = asyncio.create_task(self._read())

    async def ask(self, request: str, **fields: Any) -> Message:
        """Ask and wait for the answer; raises `Rejected`."""
        if not self.is_open:
            raise Rejected(RuntimeRefusal.SHIM_GONE, f"before {request}")
        self._last += 1
        future: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
        self._waiting[self._last] = future
        self._writer.write(packed({"n": self._last, "do": request, **fields}))
        message = await future
        if "no" in message:
            raise refused(message["no"])
        answer: Message = message["ok"]
        return answer

    def say(self, request: str, **fields: Any) -> None:
        """Say something that is not answered."""
        if self.is_open:
            self._writer.write(packed({"do": request, **fields}))

    async def execute(self, **fields: Any) -> ShimExecution:
        """Begin a command."""
        answer = await self.ask("exec", **fields)
        begun: ShimExecution = answer["begun"]
        return begun

    async def events(self) -> AsyncIterator[Message]:
        """Messages about containers from now on; ends with the connection, or where the listener is too slow."""
        queue: asyncio.Queue[Message | None] = asyncio.Queue()
        self._listeners.append(queue)
        try:
            while (message := await queue.get()) is not None:
                yield message
        finally:
            self._forget(queue)

    def _forget(self, queue: asyncio.Queue[Message | None]) -> None:
        with contextlib.suppress(ValueError):
            self._listeners.remove(queue)

    async def _read(self) -> None:
        unpacker = Unpacker()
        with contextlib.suppress(OSError, Rejected):
            while data := await self._reader.read(READ_BYTES):
                for message in unpacker.feed(data):
                    self._heard(message)
        self._lost()

    def _heard(self, message: Message) -> None:
        if "n" in message:
            future = self._waiting.pop(int(message["n"]), None)
            if "exec" in message.get(
                "ok", {}
            ):  # known before its first and last words, which may come in the same read
                number = int(message["ok"]["exec"])
                self._executions[number] = message["ok"]["begun"] = ShimExecution(self, number)
            if future is not None and not future.done():
                future.set_result(message)
        elif "exec" in message:
            execution = self._executions.get(int(message["exec"]))
            if execution is not None and execution.hear(message):
                del self._executions[int(message["exec"])]
        else:
            for queue in tuple(self._listeners):
                if queue.qsize() >= EVENTS_MAX:
                    self._forget(queue)
                    queue.put_nowait(None)
                else:
                    queue.put_nowait(message)

    def _lost(self) -> None:
        """The connection is gone: so is everything that was asked over it."""
        self.is_open = False
        self._writer.close()
        gone = {"no": [RuntimeRefusal.SHIM_GONE, "the connection ended"]}
        for future in self._waiting.values():
            if not future.done():
                future.set_result(gone)
        for execution in self._executions.values():
            execution.lose()
        for queue in self._listeners:
            queue.put_nowait(None)
        self._waiting.clear()
        self._executions.clear()

    async def close(self) -> None:
        """Leave the shim to itself: what runs goes on."""
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task
        self._lost()
        with contextlib.suppress(OSError):
            await self._writer.wait_closed()

    async def end_shim(self) -> None:
        """End everything that runs, and the shim; returns when it is gone."""
        await self.ask("shutdown")
        await self._task


async def open_link(place: ShimPlace) -> ShimLink:
    """RUN-7. Connect to the shim of a state directory; start one where none runs. Raises `Rejected`.

    One that has the lock and does not answer is sweeping, or about to listen: it is given the time for that.
    """
    place.state.mkdir(0o700, parents=True, exist_ok=True)
    try:
        async with asyncio.timeout(START_TIMEOUT_S):
            while True:
                await _start(place)
                with contextlib.suppress(FileNotFoundError, ConnectionRefusedError):
                    link = ShimLink(*await _connected(place))
                    link.facts = await link.ask("hello")
                    return link
                await asyncio.sleep(AGAIN_S)
    except TimeoutError as error:
        detail = f"no shim answers in {place.state} within {START_TIMEOUT_S:g} s"
        raise Rejected(RuntimeRefusal.SHIM_GONE, detail) from error
    except OSError as error:
        raise Rejected(RuntimeRefusal.SHIM_GONE, f"{place.state / SOCKET}: {error.strerror}") from error


async def _connected(place: ShimPlace) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """By the open folder, for the address of a socket is at most 107 bytes."""
    folder = os.open(place.state, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        return await asyncio.open_unix_connection(f"/proc/self/fd/{folder}/{SOCKET}")
    finally:
        os.close(folder)


async def _start(place: ShimPlace) -> None:
    """Start a shim; where one runs already this one says so and ends."""
    with (place.state / "shim.log").open("ab") as log:
        child = await asyncio.create_subprocess_exec(
            place.python, "-I", "-S", "-c", BOOT, place.library, str(place.state),
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=log, start_new_session=True,
        )  # fmt: skip
    assert child.stdout is not None
    word = (await child.stdout.readline()).strip()
    await child.wait()
    if word not in {b"ready", b"runs"}:
        said = (place.state / "shim.log").read_text(errors="replace")[-1000:]
        raise Rejected(RuntimeRefusal.SETUP_FAILED, f"the shim did not start: {word!r} {said}".strip())
