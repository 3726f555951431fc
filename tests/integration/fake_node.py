"""A node that is none: it answers from the method table, and keeps just enough chain for events and waiting."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from hashlib import sha256
from typing import Any, TypeVar

import msgspec
import uvloop

from metanode.api.blocks import EventItem, EventList, EventPage
from metanode.api.errors import ApiError, ApiRefusal
from metanode.api.methods import METHODS
from metanode.api.node import FaultSet, FaultView
from metanode.api.shapes import Answer, Request
from metanode.api.transactions import TransactionGet, TransactionStatus
from metanode.host.http_door import Outcome
from metanode.host.http_server import HttpServer
from metanode.host.http_settings import PortSettings

Result = TypeVar("Result")

SAMPLES = {
    "^[0-9a-f]{64}$": "ab" * 32,
    "^([0-9a-f]{2})*$": "00ff",
    "^bpi1[02-9ac-hj-np-z]{38}$": "bpi1" + "q" * 38,
    "^(0|[1-9][0-9]{0,38})$": "42",
}


def sample(kind: Any) -> Any:
    """A value of a type of the table."""
    return _sample(msgspec.inspect.type_info(kind))


def _sample(info: Any) -> Any:
    match info:
        case msgspec.inspect.StructType(cls=cls, fields=fields):
            return cls(**{field.name: _sample(field.type) for field in fields})
        case msgspec.inspect.IntType():
            return 3
        case msgspec.inspect.StrType(pattern=pattern):
            return SAMPLES.get(pattern or "", "text")
        case msgspec.inspect.BoolType():
            return True
        case msgspec.inspect.LiteralType(values=values):
            return values[0]
        case msgspec.inspect.VarTupleType(item_type=item):
            return (_sample(item),)
        case msgspec.inspect.DictType():
            return {"type": 1} if isinstance(info.value_type, msgspec.inspect.IntType) else {"type": "sample"}
        case msgspec.inspect.Metadata(type=inner):
            return _sample(inner)
        case _:
            raise AssertionError(f"no sample for {info!r}")


class FakeNode:
    """Implements `Door`. `seal` makes a block of what is pending: one event for it and one for each transaction."""

    def __init__(self) -> None:
        self.height = 0
        self.is_ready = True
        self.pending: dict[bytes, bytes] = {}
        self.final: dict[bytes, int] = {}
        self.blocks: list[list[bytes]] = []
        self.submitted: list[bytes] = []
        self.fault = FaultView(kind="", peers=(), value_ms=0)
        self.answers: dict[str, Answer | ApiError | Exception] = {}
        self.refusals: list[Outcome] = []
        self.delay_s = 0.0
        self.asked: list[tuple[str, Request]] = []
        self.padding = ""
        self.wakers: list[Callable[[], None]] = []

    def ask(self, method: str, request: Request) -> Awaitable[Answer | ApiError]:
        return self._ask(method, request)

    async def _ask(self, method: str, request: Request) -> Answer | ApiError:
        self.asked.append((method, request))
        if self.delay_s:
            await asyncio.sleep(self.delay_s)
        planned = self.answers.get(method)
        if isinstance(planned, Exception):
            raise planned
        if planned is not None:
            return planned
        match request:
            case TransactionGet() if method == "transaction.get":
                return self._status(bytes.fromhex(request.identity))
            case EventList():
                return self._events(request)
            case FaultSet():
                self.fault = FaultView(kind=request.kind, peers=request.peers, value_ms=request.value_ms)
                return self.fault
            case _ if method == "fault.clear":
                self.fault = FaultView(kind="", peers=(), value_ms=0)
                return self.fault
            case _:
                answer: Answer = sample(METHODS[method].answer)
                return answer

    def _status(self, identity: bytes) -> TransactionStatus:
        if identity in self.final:
            height = self.final[identity]
            return TransactionStatus(identity=identity.hex(), state="final", height=height, succeeded=True)
        state = "pending" if identity in self.pending else "unknown"
        return TransactionStatus(identity=identity.hex(), state=state)  # type: ignore[arg-type]

    def _events(self, request: EventList) -> Answer | ApiError:
        height, index = (int(part) for part in (request.after or "0:0").split(":"))
        if height == 13:
            return ApiError(ApiRefusal.PRUNED, "block 13 is gone")
        found: list[EventItem] = []
        for at, identities in enumerate(self.blocks[max(0, height - 1) :], max(1, height)):
            kinds = ["block"] + ["receipt"] * len(identities)
            for place, kind in enumerate(kinds):
                if (at, place) > (height, index) and len(found) < request.limit:
                    found.append(self._event(at, place, kind))
        return EventPage(items=tuple(found), next=found[-1].id if found else request.after, last=self.height)

    def _event(self, height: int, place: int, kind: str) -> EventItem:
        answer = METHODS["block.list" if kind == "block" else "receipt.get"].answer
        data = msgspec.to_builtins(sample(answer))
        data = {**(data["items"][0] if kind == "block" else data), "height": height}
        if kind == "receipt":
            data["code"] = self.padding
        return EventItem(id=f"{height}:{place}", kind=kind, data=data)

    def submit(self, batch: tuple[bytes, ...]) -> Awaitable[Sequence[Outcome] | ApiError]:
        return self._submit(batch)

    async def _submit(self, batch: tuple[bytes, ...]) -> Sequence[Outcome] | ApiError:
        if self.delay_s:
            await asyncio.sleep(self.delay_s)
        planned = self.answers.get("submit")
        if isinstance(planned, Exception):
            raise planned
        return planned if isinstance(planned, ApiError) else [self._take(data) for data in batch]

    def _take(self, data: bytes) -> Outcome:
        self.submitted.append(data)
        if self.refusals:
            return self.refusals.pop(0)
        if len(data) < 4:
            return Outcome(b"", "codec.malformed", "too short")
        identity = sha256(data).digest()
        if data.startswith(b"bad!"):
            return Outcome(identity, "pool.nonce-used", "nonce 3, 4 is due")
        if identity in self.pending or identity in self.final:
            return Outcome(identity, ApiRefusal.ALREADY_KNOWN)
        self.pending[identity] = data
        return Outcome(identity)

    def seal(self) -> None:
        """One more block, of everything pending."""
        self.height += 1
        self.blocks.append(list(self.pending))
        self.final.update(dict.fromkeys(self.pending, self.height))
        self.pending.clear()
        for wake in list(self.wakers):
            wake()

    def head(self) -> int:
        return self.height

    def subscribe(self, wake: Callable[[], None]) -> Callable[[], None]:
        self.wakers.append(wake)
        return lambda: self.wakers.remove(wake)

    def metrics(self) -> bytes:
        return b"# HELP up\nmetanode_up 1\n"

    def ready(self) -> bool:
        return self.is_ready


class Port:
    """A fake node behind a real port, in a loop of its own thread."""

    def __init__(self, node: FakeNode, url: str, server: HttpServer, loop: asyncio.AbstractEventLoop) -> None:
        self.node = node
        self.url = url
        self.server = server
        self.loop = loop

    @property
    def address(self) -> tuple[str, int]:
        host, _, port = self.url.removeprefix("http://").rpartition(":")
        return host, int(port)

    def run(self, work: Coroutine[Any, Any, Result]) -> Result:
        """Run something in the loop and wait for it."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(20)

    def seal(self) -> None:
        """One more block."""

        async def seal() -> None:
            self.node.seal()

        self.run(seal())


@contextmanager
def open_port(settings: PortSettings | None = None, **changes: Any) -> Iterator[Port]:
    """A port on a free number, closed again at the end."""
    settings = settings or PortSettings(**{"port": 0, "development": True, **changes})
    loop = uvloop.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    node = FakeNode()

    async def start() -> tuple[HttpServer, str]:
        server = HttpServer(settings, node)
        return server, await server.start()

    try:
        server, url = asyncio.run_coroutine_threadsafe(start(), loop).result(10)
        try:
            yield Port(node, url, server, loop)
        finally:
            asyncio.run_coroutine_threadsafe(server.stop(), loop).result(10)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()
