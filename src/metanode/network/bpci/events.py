"""The two unions of the door: all that a `Bpci` can be told, and all that it can ask for."""

from dataclasses import dataclass
from enum import IntEnum
from typing import TypeAlias

from metanode.network.bpci.compute import Operation, Result
from metanode.network.bpci.messages import Checkpoint, Stream
from metanode.network.bpci.refusals import BpciRefusal, EndReason


class Role(IntEnum):
    """Why a peer is allowed."""

    VALIDATOR = 1
    """In the validator set."""
    OBSERVER = 2
    """Follows the chain without a vote."""
    CLUSTER = 3
    """A machine of the cluster registry."""


@dataclass(frozen=True, slots=True)
class AllowedPeer:
    """Somebody who may speak to us: Ed25519 transport key (32 bytes), cluster (16 bytes), role."""

    key: bytes
    cluster: bytes
    role: Role


# Events -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class AllowPeers:
    """The whole list of who may speak to us, replacing the one before; links to others are closed."""

    peers: tuple[AllowedPeer, ...]
    now_ms: int


@dataclass(frozen=True, slots=True)
class Connected:
    """A carrier is open. `link`: a number never used before. `peer_hint`: the key we dialled, or empty.

    `remote`: host:port; unfinished handshakes are counted by host.
    """

    link: int
    outbound: bool
    peer_hint: bytes
    remote: str
    now_ms: int


@dataclass(frozen=True, slots=True)
class BytesArrived:
    """Bytes of a carrier, in order, cut anywhere."""

    link: int
    data: bytes
    now_ms: int


@dataclass(frozen=True, slots=True)
class Disconnected:
    """A carrier ended."""

    link: int
    now_ms: int


@dataclass(frozen=True, slots=True)
class SendMessages:
    """Carry these to a peer, in order, as one batch."""

    peer: bytes
    stream: Stream
    messages: tuple[bytes, ...]
    now_ms: int


@dataclass(frozen=True, slots=True)
class Computed:
    """The answer to a `Compute`."""

    token: int
    result: Result
    now_ms: int


@dataclass(frozen=True, slots=True)
class Punish:
    """A room above found the peer breaking its rules: close its links and cool it down."""

    peer: bytes
    detail: str
    now_ms: int


@dataclass(frozen=True, slots=True)
class Tick:
    """The clock's pulse, about every 50 ms."""

    now_ms: int


Event: TypeAlias = AllowPeers | Connected | BytesArrived | Disconnected | SendMessages | Computed | Punish | Tick


# Effects ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Transmit:
    """Bytes for a carrier."""

    link: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Close:
    """Close a carrier, after what was transmitted; no `Disconnected` is needed for it."""

    link: int
    reason: EndReason


@dataclass(frozen=True, slots=True)
class Compute:
    """Heavy mathematics, answered by `Computed` with the same token (see `compute.perform`)."""

    token: int
    operation: Operation


@dataclass(frozen=True, slots=True)
class PeerUp:
    """A peer can be spoken to. After a replacement of links it follows a `PeerDown`. `role`: what the registry says."""

    peer: bytes
    link: int
    outbound: bool
    role: Role


@dataclass(frozen=True, slots=True)
class PeerDown:
    """A peer cannot be spoken to any more; what was queued for it is lost unless `reason` is REPLACED."""

    peer: bytes
    reason: EndReason


@dataclass(frozen=True, slots=True)
class Delivered:
    """Messages of a peer, authenticated, in the order of one stream."""

    peer: bytes
    stream: Stream
    messages: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Witnessed:
    """A checkpoint of a peer with a good signature over its `checkpoint_digest`: it cannot deny what it sent."""

    peer: bytes
    session: bytes
    direction: int
    checkpoint: Checkpoint


@dataclass(frozen=True, slots=True)
class Blame:
    """Somebody broke a rule: `peer` where a registered key is proved or claimed, else empty."""

    peer: bytes
    link: int
    reason: BpciRefusal
    detail: str


@dataclass(frozen=True, slots=True)
class Dropped:
    """Messages were not carried (queue full, peer down, or beyond its quota when received)."""

    peer: bytes
    stream: Stream
    count: int


@dataclass(frozen=True, slots=True)
class RoundTrip:
    """How long a word to a peer and its answer took, through both machines."""

    peer: bytes
    took_ms: int


Effect: TypeAlias = Transmit | Close | Compute | PeerUp | PeerDown | Delivered | Witnessed | Blame | Dropped | RoundTrip
