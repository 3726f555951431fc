"""Whoever dials a node's port for peers: real handshakes and records over a real socket, and whatever lies between."""

import contextlib
import os
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Self

from tests.journeys.town import Town

from metanode.host.development import peer_port
from metanode.host.keys import development_secrets
from metanode.network.bpci import (
    ENTROPY_BYTES,
    AllowedPeer,
    AllowPeers,
    Bpci,
    BpciSettings,
    BytesArrived,
    Close,
    Compute,
    Computed,
    Connected,
    Delivered,
    Event,
    PeerUp,
    Role,
    SendMessages,
    Stream,
    Tick,
    Transmit,
    perform,
)
from metanode.primitives.ed25519 import SigningKey

LIMIT_S: Final = 10.0
TICK_S: Final = 0.05


def node_key(name: str) -> SigningKey:
    """The transport key of a node with development keys."""
    return SigningKey(development_secrets(name).transport)


@dataclass(frozen=True)
class Guise:
    """Who a caller says that it is. `key` is shown, `hand` signs; `clock_ms` is how far its clock is ahead."""

    key: SigningKey
    hand: SigningKey
    chain_id: bytes
    cluster: bytes
    clock_ms: int = 0


def dial(nodes: Town, index: int, source: str = "") -> socket.socket:
    """A bare connection to a node's port for peers, from another address of this machine where one is named."""
    bound = (source, 0) if source else None
    return socket.create_connection(("127.0.0.1", peer_port(nodes.base, index)), LIMIT_S, bound)


def is_hung_up(plug: socket.socket, limit_s: float = LIMIT_S) -> bool:
    """Whether the other side ends the connection within this time; what it says before that is not listened to."""
    deadline = time.monotonic() + limit_s
    with contextlib.suppress(ConnectionResetError, BrokenPipeError):
        while (left := deadline - time.monotonic()) > 0:
            plug.settimeout(left)
            try:
                if not plug.recv(65_536):
                    return True
            except TimeoutError:
                return False
        return False
    return True


@dataclass
class Caller:
    """One connection to a node, spoken with the project's own transport. `tamper`: what becomes of each piece sent."""

    nodes: Town
    index: int
    guise: Guise
    tamper: Callable[[bytes], bytes] = bytes
    up: bool = False
    over: bool = False
    sent: list[bytes] = field(default_factory=list)
    heard: list[bytes] = field(default_factory=list)

    def __enter__(self) -> Self:
        self._machine = Bpci(BpciSettings(self.guise.chain_id, self.guise.key.public_key, self.guise.cluster))
        self._peer = node_key(f"validator-{self.index}").public_key
        self._plug = dial(self.nodes, self.index)
        allowed = AllowedPeer(self._peer, self.nodes.chain_id[:16], Role.VALIDATOR)
        self._tell(AllowPeers((allowed,), self._now_ms()))
        self._tell(Connected(1, True, self._peer, "127.0.0.1:1", self._now_ms()))
        return self

    def __exit__(self, *_: object) -> None:
        self._plug.close()

    def _now_ms(self) -> int:
        return time.time_ns() // 1_000_000 + self.guise.clock_ms

    def run(self, done: Callable[[], bool] = lambda: False, limit_s: float = LIMIT_S) -> bool:
        """Speak until this is true; whether it came true before the end of the connection or of the time."""
        deadline = time.monotonic() + limit_s
        while not done() and not self.over and time.monotonic() < deadline:
            self._plug.settimeout(TICK_S)
            try:
                data = self._plug.recv(65_536)
            except TimeoutError:
                self._tell(Tick(self._now_ms()))
                continue
            except ConnectionResetError:
                data = b""
            if data:
                self._tell(BytesArrived(1, data, self._now_ms()))
            else:
                self.over = True
        return done()

    def greet(self) -> Self:
        """Return when the link is up. Fails where it does not come up."""
        assert self.run(lambda: self.up), "the link comes up"
        return self

    def is_turned_away(self, limit_s: float = LIMIT_S) -> bool:
        """Whether the node hangs up."""
        self.run(limit_s=limit_s)
        return self.over

    def say(self, stream: Stream, *messages: bytes) -> None:
        """Send messages in a record."""
        self._tell(SendMessages(self._peer, stream, messages, self._now_ms()))

    def throw(self, data: bytes) -> None:
        """Send bytes as they are, past the transport."""
        with contextlib.suppress(ConnectionResetError, BrokenPipeError):
            self._plug.sendall(data)

    def _tell(self, event: Event) -> None:
        for effect in self._machine.handle(event):
            match effect:
                case Transmit(_, data):
                    self.sent.append(self.tamper(data))
                    self.throw(self.sent[-1])
                case Compute(token, operation):
                    result = perform(operation, self.guise.hand, os.urandom(ENTROPY_BYTES))
                    self._tell(Computed(token, result, self._now_ms()))
                case PeerUp():
                    self.up = True
                case Delivered(_, _, messages):
                    self.heard.extend(messages)
                case Close():
                    self.over = True
                case _:
                    pass
