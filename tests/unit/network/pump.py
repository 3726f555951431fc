"""Bpci machines joined by a pump: pretend carriers, a virtual clock, real cryptography."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import TypeVar, assert_never

from metanode.network.bpci import (
    AllowedPeer,
    AllowPeers,
    Blame,
    Bpci,
    BpciRefusal,
    BpciSettings,
    BytesArrived,
    Close,
    Compute,
    Computed,
    Connected,
    Delivered,
    Disconnected,
    Dropped,
    Effect,
    Event,
    Operation,
    PeerDown,
    PeerUp,
    Result,
    Role,
    RoundTrip,
    SendMessages,
    Stream,
    Tick,
    Transmit,
    Witnessed,
    perform,
)
from metanode.primitives.ed25519 import SigningKey

Kind = TypeVar("Kind")

CHAIN = sha256(b"chain").digest()
NOW = 1_800_000_000_000


def signing_key(name: str) -> SigningKey:
    return SigningKey(sha256(name.encode()).digest())


def cluster(name: str) -> bytes:
    return sha256(b"cluster of " + name.encode()).digest()[:16]


def allowed(name: str, role: Role = Role.VALIDATOR) -> AllowedPeer:
    return AllowedPeer(signing_key(name).public_key, cluster(name), role)


@dataclass
class Node:
    """One machine with its key, and all that it ever asked for."""

    name: str
    settings: BpciSettings
    machine: Bpci
    key: SigningKey
    effects: list[Effect] = field(default_factory=list)

    @property
    def public(self) -> bytes:
        return self.key.public_key

    def of(self, kind: type[Kind]) -> list[Kind]:
        return [effect for effect in self.effects if isinstance(effect, kind)]

    def delivered(self, stream: Stream) -> list[bytes]:
        return [m for e in self.effects if isinstance(e, Delivered) and e.stream is stream for m in e.messages]

    def blamed(self) -> list[BpciRefusal]:
        return [effect.reason for effect in self.effects if isinstance(effect, Blame)]

    def closed(self) -> list[str]:
        return [effect.reason for effect in self.effects if isinstance(effect, Close)]


Tamper = Callable[[str, bytes], bytes]
Substitute = Callable[[str, Operation, Result], Result]


class Pump:
    """Carries effects of each machine to where they belong, in order, until nothing moves."""

    def __init__(self, *names: str, chains: dict[str, bytes] | None = None, **settings: object) -> None:
        self.now_ms = NOW
        self.clock_of: dict[str, int] = {}
        self.nodes: dict[str, Node] = {}
        self.ends: dict[tuple[str, int], tuple[str, int]] = {}
        self.tamper: Tamper = lambda _, data: data
        self.substitute: Substitute = lambda _, __, result: result
        self.moving: deque[tuple[str, Event]] = deque()
        self.entropy = 0
        self.links = 0
        for name in names:
            key = signing_key(name)
            own = BpciSettings((chains or {}).get(name, CHAIN), key.public_key, cluster(name))
            own = replace(own, **settings)  # type: ignore[arg-type]
            self.nodes[name] = Node(name, own, Bpci(own), key)
        for name in names:
            self.tell(name, AllowPeers(tuple(allowed(other) for other in names if other != name), self.time(name)))

    def time(self, name: str) -> int:
        return self.now_ms + self.clock_of.get(name, 0)

    def __getitem__(self, name: str) -> Node:
        return self.nodes[name]

    def dial(self, source: str, target: str, *, hint: bool = True, run: bool = True) -> tuple[int, int]:
        """A carrier from source to target; returns its number at both ends."""
        self.links += 1
        ends = (2 * self.links, 2 * self.links + 1)
        self.ends[source, ends[0]] = (target, ends[1])
        self.ends[target, ends[1]] = (source, ends[0])
        key = self[target].public if hint else b""
        self.moving.append((target, Connected(ends[1], False, b"", f"{source}:1000", self.time(target))))
        self.moving.append((source, Connected(ends[0], True, key, f"{target}:26600", self.time(source))))
        if run:
            self.run()
        return ends

    def send(self, source: str, target: str, stream: Stream, *messages: bytes) -> None:
        self.tell(source, SendMessages(self[target].public, stream, messages, self.time(source)))

    def tell(self, name: str, event: Event) -> None:
        self.moving.append((name, event))
        self.run()

    def cut(self, name: str, link: int) -> None:
        """The carrier breaks: both ends hear it."""
        other, far = self.ends.pop((name, link))
        self.ends.pop((other, far))
        self.moving.append((name, Disconnected(link, self.time(name))))
        self.moving.append((other, Disconnected(far, self.time(other))))
        self.run()

    def pass_time(self, period_ms: int, step_ms: int = 50) -> None:
        """Ticks for everybody."""
        until = self.now_ms + period_ms
        while self.now_ms < until:
            self.now_ms = min(self.now_ms + step_ms, until)
            for name in self.nodes:
                self.moving.append((name, Tick(self.time(name))))
            self.run()

    def step(self) -> None:
        name, event = self.moving.popleft()
        node = self[name]
        for effect in node.machine.handle(event):
            node.effects.append(effect)
            match effect:
                case Transmit(link, data):
                    data = self.tamper(name, data)
                    if (name, link) in self.ends and data:
                        other, far = self.ends[name, link]
                        self.moving.append((other, BytesArrived(far, data, self.time(other))))
                case Close(link, _):
                    if (name, link) in self.ends:
                        other, far = self.ends.pop((name, link))
                        self.ends.pop((other, far))
                        self.moving.append((other, Disconnected(far, self.time(other))))
                case Compute(token, operation):
                    self.entropy += 1
                    entropy = b"".join(sha256(b"%d %d" % (self.entropy, i)).digest() for i in range(3))
                    result = self.substitute(name, operation, perform(operation, node.key, entropy))
                    self.moving.append((name, Computed(token, result, self.time(name))))
                case PeerUp() | PeerDown() | Delivered() | Witnessed() | Blame() | Dropped() | RoundTrip():
                    pass
                case _:
                    assert_never(effect)

    def run(self, steps: int = 100_000) -> None:
        while self.moving and steps:
            steps -= 1
            self.step()
        assert steps, "the pump never comes to rest"


def joined(*names: str, **settings: object) -> Pump:
    """All dialled to all, once."""
    pump = Pump(*names, **settings)  # type: ignore[arg-type]
    for position, name in enumerate(names):
        for other in names[position + 1 :]:
            pump.dial(name, other)
    return pump


def ups(node: Node) -> list[bytes]:
    return [effect.peer for effect in node.effects if isinstance(effect, PeerUp)]
