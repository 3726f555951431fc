"""Where the known peers are: signed addresses, spread by gossip, dialled with patience."""

from metanode.network.discovery.events import (
    Dial,
    DiscoveryEffect,
    DiscoveryEvent,
    KnownPeers,
    Mistrust,
    PeerFell,
    PeerRose,
    Pulse,
    Received,
    Send,
)
from metanode.network.discovery.machine import Discovery, DiscoverySettings
from metanode.network.discovery.messages import AddressRecord, DiscoveryRefusal

__all__ = [
    "AddressRecord",
    "Dial",
    "Discovery",
    "DiscoveryEffect",
    "DiscoveryEvent",
    "DiscoveryRefusal",
    "DiscoverySettings",
    "KnownPeers",
    "Mistrust",
    "PeerFell",
    "PeerRose",
    "Pulse",
    "Received",
    "Send",
]
