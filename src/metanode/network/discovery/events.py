"""The two unions of the door of `Discovery`. Questions and answers of heavy mathematics are those of BPCI."""

from dataclasses import dataclass
from typing import TypeAlias

from metanode.network.bpci.events import Compute, Computed
from metanode.network.discovery.messages import DiscoveryRefusal


@dataclass(frozen=True, slots=True)
class KnownPeers:
    """Everybody who may be a peer (transport keys, 32 bytes, ours may be among them), replacing the list before."""

    keys: tuple[bytes, ...]
    now_ms: int


@dataclass(frozen=True, slots=True)
class PeerRose:
    """A peer can be spoken to."""

    peer: bytes
    now_ms: int


@dataclass(frozen=True, slots=True)
class PeerFell:
    """A peer cannot be spoken to any more."""

    peer: bytes
    now_ms: int


@dataclass(frozen=True, slots=True)
class Received:
    """A discovery message of a peer."""

    peer: bytes
    data: bytes
    now_ms: int


@dataclass(frozen=True, slots=True)
class Pulse:
    """The clock's pulse."""

    now_ms: int


DiscoveryEvent: TypeAlias = KnownPeers | PeerRose | PeerFell | Received | Computed | Pulse


@dataclass(frozen=True, slots=True)
class Dial:
    """Open a carrier to this peer at this address, host:port."""

    peer: bytes
    address: str


@dataclass(frozen=True, slots=True)
class Send:
    """A discovery message for a peer that can be spoken to."""

    peer: bytes
    data: bytes


@dataclass(frozen=True, slots=True)
class Mistrust:
    """A peer sent what no honest one sends."""

    peer: bytes
    reason: DiscoveryRefusal
    detail: str


DiscoveryEffect: TypeAlias = Dial | Send | Mistrust | Compute
