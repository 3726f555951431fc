"""MESH-7, MESH-11, MESH-12. Bytes between two ends: sockets of this machine, or one of them and another agent."""

import asyncio
import contextlib
import socket
import struct
from collections.abc import Callable
from typing import Final, Protocol

from metanode.docklock.mesh import frames
from metanode.docklock.mesh.frames import DATA_BYTES_MAX, Kind, Message
from metanode.docklock.mesh.refusals import MeshRefusal
from metanode.docklock.mesh.window import Incoming, Outgoing
from metanode.primitives.refusal import Rejected

BUFFER_HIGH_BYTES: Final = 65_536
"""Above this much unsent the other end is held."""
BUFFER_LOW_BYTES: Final = 16_384
"""Below this it goes on."""
_RESET: Final = struct.pack("ii", 1, 0)
"""SO_LINGER: a close is a reset."""


class Sink(Protocol):
    """One end of a flow, as the other one sees it."""

    ended: bool
    """It has said all it says."""

    def join(self, flow: "Carried", other: "Sink") -> None:
        """From here on what it says goes to the other end."""

    def take(self, data: bytes) -> None:
        """Bytes of the other end."""

    def end(self) -> None:
        """The other end has said all."""

    def hold(self) -> None:
        """Say nothing for now."""

    def go(self) -> None:
        """Go on."""

    def close(self) -> None:
        """Both ways are over: leave when everything is said."""

    def reset(self, code: str) -> None:
        """Leave at once."""

    @property
    def said(self) -> int:
        """Bytes it has said so far."""
        ...


class Carried:
    """One flow between its caller and what it calls. `over` hears once that it ended."""

    __slots__ = ("_is_over", "_over", "callee", "caller", "moved", "number", "quiet")

    def __init__(self, number: int, caller: Sink, callee: Sink, over: Callable[["Carried"], None]) -> None:
        self.number: Final = number
        self.caller: Final = caller
        self.callee: Final = callee
        self.moved = 0
        self.quiet = 0
        self._over: Final = over
        self._is_over = False

    def begin(self) -> None:
        """Both ends hear of each other."""
        self.callee.join(self, self.caller)
        self.caller.join(self, self.callee)

    def ended(self) -> None:
        """MESH-7. One way has ended; when both have, the flow is over."""
        if not self._is_over and self.caller.ended and self.callee.ended:
            self._is_over = True
            self.caller.close()
            self.callee.close()
            self._over(self)

    def fail(self, code: str) -> None:
        """MESH-12. Both ends are reset."""
        if not self._is_over:
            self._is_over = True
            self.caller.reset(code)
            self.callee.reset(code)
            self._over(self)

    def look(self, half_s: int, whole_s: int, passed_s: int) -> None:
        """MESH-7. A flow on which nothing moves is over in the end, sooner where one way has ended."""
        moved = self.caller.said + self.callee.said
        self.quiet = self.quiet + passed_s if moved == self.moved else 0
        self.moved = moved
        if self.quiet >= (half_s if self.caller.ended or self.callee.ended else whole_s):
            self.fail(MeshRefusal.IDLE.value)


class _Speaking(asyncio.Protocol):
    """What a socket of this machine is told."""

    __slots__ = ("_transport", "ended", "gone")

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self.ended = False
        self.gone = False

    @property
    def transport(self) -> asyncio.Transport:
        """The connection."""
        assert self._transport is not None, "it was made"
        return self._transport

    def take(self, data: bytes) -> None:
        """Say it to the socket."""
        if not self.gone:
            self.transport.write(data)

    def end(self) -> None:
        """Close one way."""
        if not self.gone:
            with contextlib.suppress(OSError):  # whoever is there has gone meanwhile
                self.transport.write_eof()

    def hold(self) -> None:
        """Read nothing more."""
        if not self.gone and not self.ended:
            self.transport.pause_reading()

    def go(self) -> None:
        """Read again."""
        if not self.gone and not self.ended:
            self.transport.resume_reading()

    def close(self) -> None:
        """Close after what was said has left."""
        if not self.gone:
            self.transport.close()

    def reset(self, code: str) -> None:  # noqa: ARG002 - a socket has no words for why
        """Whoever is at the other side of the socket sees that it was cut, not that it ended."""
        if self.gone:
            return
        made = self.transport.get_extra_info("socket")
        if made is not None:
            with contextlib.suppress(OSError):
                made.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self.transport.abort()


class End(_Speaking):
    """A socket of this machine. `began` hears that it is there, `lost` that it went before it was joined."""

    __slots__ = ("_began", "_early", "_flow", "_lost", "_other", "number", "said")

    def __init__(self, began: Callable[["End"], None], lost: Callable[["End"], None]) -> None:
        super().__init__()
        self._began: Final = began
        self._lost: Final = lost
        self._flow: Carried | None = None
        self._other: Sink | None = None
        self._early = b""
        self.said = 0
        self.number = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """It is there, and says nothing until it is joined."""
        self._transport = transport  # type: ignore[assignment]
        self.transport.set_write_buffer_limits(BUFFER_HIGH_BYTES, BUFFER_LOW_BYTES)
        self.transport.pause_reading()
        self._began(self)

    def join(self, flow: Carried, other: Sink) -> None:
        """It may speak; what it said before that comes first."""
        self._flow, self._other = flow, other
        early, self._early = self._early, b""
        if self.gone:
            flow.fail(MeshRefusal.LOST.value)
            return
        if early:
            other.take(early)
        if self.ended:
            other.end()
            flow.ended()
        else:
            self.transport.resume_reading()

    def data_received(self, data: bytes) -> None:
        """It speaks."""
        self.said += len(data)
        if self._other is not None:
            self._other.take(data)
        else:  # a loop may begin to read in spite of `pause_reading`: once
            self._early += data
            self.transport.pause_reading()

    def eof_received(self) -> bool:
        """It has said all; the other way goes on."""
        self.ended = True
        if self._other is not None and self._flow is not None:
            self._other.end()
            self._flow.ended()
        return True

    def pause_writing(self) -> None:
        """It does not read."""
        if self._other is not None:
            self._other.hold()

    def resume_writing(self) -> None:
        """It reads again."""
        if self._other is not None:
            self._other.go()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's shape
        """It is gone: as it should where both ways were over."""
        self.gone = True
        if self._flow is not None:
            self._flow.fail(MeshRefusal.LOST.value)
        else:
            self._lost(self)


class Stream:
    """A flow's end at another agent. `ours`: we opened it. `say` sends a message; `left` hears that it is done with."""

    __slots__ = (
        "_closing", "_done", "_ending", "_flow", "_held", "_in", "_left", "_other", "_out", "_pending", "_say",
        "_stands", "ended", "number", "ours", "peer", "said",
    )  # fmt: skip

    def __init__(
        self,
        peer: bytes,
        number: int,
        say: Callable[[bytes], None],
        left: Callable[["Stream"], None],
        *,
        ours: bool,
    ) -> None:
        self.peer: Final = peer
        self.number: Final = number
        self.ours: Final = ours
        self._say: Final = say
        self._left: Final = left
        self._flow: Carried | None = None
        self._other: Sink | None = None
        self._out: Final = Outgoing()
        self._in: Final = Incoming()
        self._pending = b""
        self._ending = False
        self._held = False
        self._stands = False
        self._closing = False
        self._done = False
        self.ended = False
        self.said = 0

    @property
    def flow(self) -> Carried | None:
        """What it is an end of, once it is joined."""
        return self._flow

    def join(self, flow: Carried, other: Sink) -> None:
        """It may speak: whoever opened it was told, or has told."""
        self._flow, self._other = flow, other

    def hear(self, message: Message) -> None:
        """What the other agent says of a flow that carries. Raises `Rejected` where it may not."""
        flow, other = self._flow, self._other
        if flow is None or other is None:
            raise Rejected(MeshRefusal.MALFORMED, f"{message.kind.name} on a flow that is not accepted")
        match message.kind:
            case Kind.DATA if self.ended:
                raise Rejected(MeshRefusal.MALFORMED, "data after the end")
            case Kind.DATA:
                self._in.receive(len(message.data))
                self.said += len(message.data)
                other.take(message.data)
                if not self._held:
                    self._taken()
            case Kind.CREDIT:
                self._out.credit(message.credit)
                self._pump()
            case Kind.END:
                self.ended = True
                other.end()
                flow.ended()
            case Kind.RESET:
                self.leave()
                flow.fail(message.code)
            case _:
                raise Rejected(MeshRefusal.MALFORMED, f"{message.kind.name} on a flow that carries")

    def _taken(self) -> None:
        """MESH-11. What the socket behind has taken is credited."""
        self._in.taken = self._in.received
        if self._in.due():
            self._say(frames.write_credit(self.number, self._in.credit(), ours=self.ours))

    def take(self, data: bytes) -> None:
        """Send it as far as the window goes; the rest waits, and the socket is held."""
        self._pending += data
        self._pump()

    def _pump(self) -> None:
        while self._pending and self._out.is_open:
            piece = self._pending[: min(DATA_BYTES_MAX, self._out.room)]
            self._pending = self._pending[len(piece) :]
            self._out.spend(len(piece))
            self._say(frames.write(Kind.DATA, self.number, piece, ours=self.ours))
        if self._other is None:
            return
        stands = not self._out.is_open
        if stands != self._stands:
            self._stands = stands
            if stands:
                self._other.hold()
            else:
                self._other.go()
        if self._ending and not self._pending:
            self._ending = False
            self._say(frames.write(Kind.END, self.number, ours=self.ours))
        if self._closing and not self._pending:
            self.leave()

    def end(self) -> None:
        """The socket has said all."""
        self._ending = True
        self._pump()

    def hold(self) -> None:
        """The socket does not read: nothing is credited."""
        self._held = True

    def go(self) -> None:
        """It reads again."""
        self._held = False
        self._taken()

    def close(self) -> None:
        """Both ways are over; what waits for the window still leaves."""
        self._closing = True
        self._pump()

    def reset(self, code: str) -> None:
        """Tell the other agent, if it does not know."""
        if not self._done:
            self._say(frames.write_code(Kind.RESET, self.number, code, ours=self.ours))
            self.leave()

    def leave(self) -> None:
        """Nothing more is said of it, here or there."""
        if not self._done:
            self._done = True
            self._left(self)
