"""The page of an agent's port on which somebody stands at a terminal: a command in a container, both ways at once."""

import asyncio
import base64
import contextlib
from collections.abc import Awaitable, Callable
from typing import Annotated, Any, Final

import msgspec
from starlette.requests import Request
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from metanode.host.agent.image_pages import Asking
from metanode.host.runtimes.driver import Driver, Execution
from metanode.host.runtimes.refusals import RuntimeRefusal
from metanode.primitives.refusal import Rejected
from metanode.records.agent_request import Asker

LINE_BYTES_MAX: Final = 128 << 10
"""Longest line of what comes: input is sent in pieces of at most 64 KiB, in base64."""
HANG_UP: Final = b"\x03\x04\x1c"
"""What a terminal says when nobody stands there any more: interrupt, end of input, quit."""
SIDE_MAX: Final = 10_000
"""Most rows or columns of a terminal."""


class AttachAsked(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A command, its variables, and whether it has a terminal."""

    command: tuple[str, ...]
    environment: tuple[tuple[str, str], ...] = ()
    tty: bool = False


Side = Annotated[int, msgspec.Meta(ge=1, le=SIDE_MAX)]


class Given(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One line of what comes: input in base64, that it is over, or the size of the terminal."""

    input: str = ""
    end: bool = False
    rows: Side = 24
    columns: Side = 80
    resize: bool = False


ATTACH_ASKED: Final = msgspec.json.Decoder(AttachAsked)
GIVEN: Final = msgspec.json.Decoder(Given)

Executed = Callable[[str, Asker, tuple[str, ...]], Awaitable[Callable[[str, str], None]]]
"""Somebody executes a command: what is returned hears how it ended."""


class Attaching:
    """AGENT-16. A request whose body goes on while its answer does: lines of JSON both ways. What is asked for stands
    in the path, which is signed; what is typed is not."""

    def __init__(self, driver: Driver, asking: Asking, executed: Executed) -> None:
        self._driver: Final = driver
        self._asking: Final = asking
        self._executed: Final = executed

    def route(self) -> Route:
        """The page."""
        return Route("/v1/containers/{name}/attach", self, methods=["POST"])

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Execute, and carry both ways until the command has ended or whoever asked is gone. Raises `Rejected`."""
        request = Request(scope, receive)
        asker = self._asking(request, b"", role="executors")
        assert isinstance(asker, Asker), "the port says who asks"
        name = request.path_params["name"]
        try:
            asked = ATTACH_ASKED.decode(base64.urlsafe_b64decode(request.query_params.get("asked", "")))
        except (msgspec.MsgspecError, ValueError) as error:
            raise Rejected(RuntimeRefusal.BAD_COMMAND, str(error)[:200]) from None
        request.state.command = asked.command
        was = await self._executed(name, asker, asked.command)
        try:
            execution = await self._driver.exec(name, asked.command, asked.environment, tty=asked.tty)
        except Rejected as refused:
            was("", str(refused.reason))
            raise
        headers = [(b"content-type", b"application/x-ndjson")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        hearing = asyncio.create_task(_hear(receive, execution, tty=asked.tty))
        try:
            await _tell(send, execution, was)
        finally:
            hearing.cancel()
            with contextlib.suppress(asyncio.CancelledError, Rejected):
                await hearing


async def _tell(send: Send, execution: Execution, was: Callable[[str, str], None]) -> None:
    """What the command says, and how it ended, as lines."""

    async def line(value: dict[str, Any], *, more: bool = True) -> None:
        await send({"type": "http.response.body", "body": msgspec.json.encode(value) + b"\n", "more_body": more})

    try:
        async for chunk in execution.output():
            await line({"stream": chunk.stream, "data": base64.b64encode(chunk.data).decode()})
        ended = await execution.wait()
    except Rejected as refused:
        was("", str(refused.reason))
        await line({"error": {"code": str(refused.reason), "message": refused.detail}}, more=False)
    else:
        was(str(min(ended.code, 255)), "")
        await line({"exit": ended.code}, more=False)


async def _hear(receive: Receive, execution: Execution, *, tty: bool) -> None:
    """What comes, line by line, until whoever sends is gone: then there is no more input, and a terminal hangs up."""
    left = b""
    while (message := await receive())["type"] != "http.disconnect":
        *lines, left = (left + message.get("body", b"")).split(b"\n")
        try:
            for line in lines:
                await _take(GIVEN.decode(line), execution)
        except (msgspec.MsgspecError, ValueError):
            break
        if len(left) > LINE_BYTES_MAX:
            break
        if not message.get("more_body", False):
            await execution.end_input()
    if tty:
        await execution.write(HANG_UP)
    await execution.end_input()


async def _take(given: Given, execution: Execution) -> None:
    data = base64.b64decode(given.input, validate=True)
    if data:
        await execution.write(data)
    if given.resize:
        await execution.resize(given.rows, given.columns)
    if given.end:
        await execution.end_input()
