"""What is remembered of one link: half open, then open."""

from collections.abc import Iterator
from typing import Final

from metanode.network.bpci.handshake import Handshake
from metanode.network.bpci.messages import HEADER_BYTES, Header, Kind, parse_header
from metanode.network.bpci.outbox import Intake, Outbox
from metanode.network.bpci.refusals import BpciRefusal
from metanode.network.bpci.session import Receiver, Sender
from metanode.primitives.refusal import Rejected

PING_MS: Final = 5_000
"""As often we say that we are here, and how long the way there and back takes is measured."""
PONG_PAUSE_MS: Final = 1_000
"""Pings sooner after the last are not answered: who sends many does not make us send as many."""


class FrameBuffer:
    """Cuts a carrier's bytes into frames; holds at most one unfinished frame."""

    __slots__ = ("_chunks", "_held", "_needed", "handshaking")

    def __init__(self) -> None:
        self._chunks: list[bytes] = []
        self._held = 0
        self._needed = HEADER_BYTES
        self.handshaking = True
        """While true a frame of a session is OUT_OF_TURN by its header: a stranger may not make us hold a megabyte."""

    def feed(self, data: bytes) -> Iterator[tuple[Header, bytes, bytes]]:
        """BPCI-F2. Complete frames: header, its bytes, body. Raises `Rejected` at the first header that may not be."""
        if self._chunks:
            self._chunks.append(data)
            self._held += len(data)
            if self._held < self._needed:
                return
            data = b"".join(self._chunks)
            self._chunks = []
        size = len(data)
        offset = 0
        self._needed = HEADER_BYTES
        while size - offset >= HEADER_BYTES:
            header = parse_header(data, offset)
            if self.handshaking and header.kind >= Kind.RECORD:
                raise Rejected(BpciRefusal.OUT_OF_TURN, f"frame type {header.kind} before the handshake is over")
            body = offset + HEADER_BYTES
            end = body + header.length
            if end > size:
                self._needed = end - offset
                break
            yield header, data[offset:body], data[body:end]
            offset = end
        if offset < size:
            self._chunks = [data[offset:] if offset else data]
            self._held = size - offset


class Link:
    """One carrier until it is closed."""

    __slots__ = (
        "buffer",
        "hint",
        "number",
        "opened_ms",
        "outbound",
        "remote",
        "stage",
    )

    def __init__(
        self, number: int, hint: bytes, remote: str, handshake: Handshake, opened_ms: int, *, outbound: bool
    ) -> None:
        self.number: Final = number
        self.outbound: Final = outbound
        self.hint: Final = hint
        self.remote: Final = remote
        self.opened_ms: Final = opened_ms
        self.buffer: Final = FrameBuffer()
        self.stage: Handshake | Session = handshake


class Session:
    """A link whose both ends are known. `up` once the peer's keys have proved to be the same as ours."""

    __slots__ = (
        "awaits_pong",
        "credited_bytes",
        "heard_ms",
        "intake",
        "link",
        "outbox",
        "peer",
        "ping",
        "pinged_ms",
        "ponged_ms",
        "received_bytes",
        "receiver",
        "sender",
        "up",
    )

    def __init__(
        self, link: int, peer: bytes, sender: Sender, receiver: Receiver, outbox: Outbox, intake: Intake, now_ms: int
    ) -> None:
        self.link: Final = link
        self.peer: Final = peer
        self.sender: Final = sender
        self.receiver: Final = receiver
        self.outbox = outbox
        self.intake: Final = intake
        self.up = False
        self.heard_ms = now_ms
        self.received_bytes = 0
        self.credited_bytes = 0
        self.ping = 0  # number of our last one
        self.pinged_ms = now_ms - PING_MS  # when it left: the first one is due at once
        self.awaits_pong = False
        self.ponged_ms = now_ms - PONG_PAUSE_MS  # when we last answered one of the peer's
