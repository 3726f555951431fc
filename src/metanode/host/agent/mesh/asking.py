"""MESH-9. An operator's call through the mesh: what is sent, what comes back, who answered."""

import asyncio
import base64
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import msgspec

from metanode.docklock.mesh.refusals import MeshRefusal
from metanode.host.agent.mesh.carrying import Carried, Sink
from metanode.primitives.refusal import Rejected

PATH: Final = "/v1/mesh/call"
"""Where the agent's port takes it; part of what is signed."""
DATA_BYTES_MAX: Final = 2_048
"""Most bytes that are sent: with the signature they fit an opening."""
ANSWER_BYTES_MAX: Final = 1 << 20
"""Most bytes of an answer that are kept; then the flow is ended."""
PATIENCE_S: Final = 10.0
"""How long an answer may take."""


class CallAsked(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A service by name, its port (0: the first), what to send (base64), and whether that is all it is told (`end`: one
    way of the flow is closed, which servers of HTTP do not like)."""

    service: str
    port: int = 0
    data: str = ""
    end: bool = False


CALL_ASKED: Final = msgspec.json.Decoder(CallAsked)


def read_call(body: bytes) -> tuple[CallAsked, bytes]:
    """A request and the bytes it sends. Raises `Rejected` MALFORMED."""
    try:
        asked = CALL_ASKED.decode(body)
        data = base64.b64decode(asked.data, validate=True)
    except (msgspec.MsgspecError, ValueError) as error:
        raise Rejected(MeshRefusal.MALFORMED, str(error)[:200]) from None
    if len(data) > DATA_BYTES_MAX or not 0 <= asked.port < 65_536:
        raise Rejected(MeshRefusal.MALFORMED, f"at most {DATA_BYTES_MAX} bytes, to a port")
    return asked, data


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back, when its first byte came, and whether more would have come."""

    data: bytes
    first_us: int
    cut: bool


class Collector:
    """The caller's end of such a flow: says its bytes, then listens. `joined` hears the number of the flow."""

    def __init__(self, data: bytes, joined: Callable[[int], None], *, end: bool) -> None:
        self._data: Final = data
        self._end: Final = end
        self._joined: Final = joined
        self._flow: Carried | None = None
        self._parts: list[bytes] = []
        self._size = 0
        self._began_ns = time.monotonic_ns()
        self._first_ns = 0
        self._cut = False
        self._refused: Rejected | None = None
        self._done: Final = asyncio.Event()
        self.ended = False
        self.said = 0

    def join(self, flow: Carried, other: Sink) -> None:
        """The other end is there."""
        self._flow = flow
        self._joined(flow.number)
        self.said = len(self._data)
        if self._data:
            other.take(self._data)
        if self._end:
            self.ended = True
            other.end()

    def take(self, data: bytes) -> None:
        """Part of the answer."""
        self._first_ns = self._first_ns or time.monotonic_ns()
        self._parts.append(data)
        self._size += len(data)
        if self._size > ANSWER_BYTES_MAX:
            self._cut = True
            self._done.set()

    def end(self) -> None:
        """All of it."""
        self._done.set()

    def hold(self) -> None:
        """It says nothing more anyway."""

    def go(self) -> None:
        """Nor now."""

    def close(self) -> None:
        """Both ways are over."""
        self._done.set()

    def reset(self, code: str) -> None:
        """It was cut; what came before that is an answer."""
        if not self._parts:
            self.refuse(MeshRefusal(code), "the connection was cut")
        self._done.set()

    def refuse(self, code: MeshRefusal, detail: str) -> None:
        """It never began."""
        self._refused = self._refused or Rejected(code, detail)
        self._done.set()

    async def answer(self) -> Answer:
        """What came back. Raises `Rejected`."""
        try:
            async with asyncio.timeout(PATIENCE_S):
                await self._done.wait()
        except TimeoutError:
            if not self._parts:
                self.refuse(MeshRefusal.TOO_SLOW, f"no answer within {PATIENCE_S:.0f} s")
            self._cut = True
        if self._flow is not None:
            self.ended = True
            self._flow.fail(MeshRefusal.IDLE.value) if self._cut else self._flow.ended()
        if self._refused is not None:
            raise self._refused
        first_us = max(0, self._first_ns - self._began_ns) // 1_000
        return Answer(b"".join(self._parts)[:ANSWER_BYTES_MAX], first_us, self._cut)
