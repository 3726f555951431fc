"""What one operator may choose for the node itself; each room receives only its own piece."""

from dataclasses import dataclass, field
from typing import Final

CHECKPOINT_BLOCKS: Final = 64
"""So many blocks after the last checkpoint the journal begins anew."""
CHECKPOINT_BYTES: Final = 16 << 20
"""Or after so many bytes of bodies in it: a restart replays at most this."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeSettings:
    """`transport_key`, `vote_key`: our public keys (32 bytes each); a vote key of no validator makes an observer.
    `listen_addresses`: what peers are told; `bootstrap`: (transport key, address) of peers to begin with.
    `discovery`: whether addresses of peers are learned from others. `entropy`: 32 bytes for jitter. `snapshot_sync`:
    whether a fresh node takes state from peers instead of executing every block. `name`: what status calls this node,
    empty for its validator's name."""

    transport_key: bytes
    vote_key: bytes
    listen_addresses: tuple[str, ...]
    bootstrap: tuple[tuple[bytes, str], ...]
    observers: tuple[bytes, ...] = field(default=())
    discovery: bool = True
    entropy: bytes = bytes(32)
    snapshot_sync: bool = False
    name: str = ""
