"""What sync remembers: what it verified, what lies ready, and of each peer what it has and was asked for."""

from collections import deque
from dataclasses import dataclass, field
from typing import Final, Protocol

from metanode.chain.light import Trusted
from metanode.records.block import Body, FinalBlock, KnownTransaction
from metanode.records.commit import BlsCommit
from metanode.records.header import Header

WINDOW_BLOCKS: Final = 512
"""How far above the last verified block others are asked for: enough for four peers with large ranges."""
BUFFER_BYTES_MAX: Final = 64 << 20
"""Bytes of blocks that wait to be verified or executed; above it nothing more is asked for."""
IN_FLIGHT_MAX: Final = 4
"""Peers asked at once."""
ASK_TIMEOUT_MS: Final = 5_000
"""So long a peer may take for one range; then another is asked."""
PAUSE_MS: Final = 1_000
"""A peer that had nothing to give is asked again after this."""
BARRED_MS: Final = 60_000
"""A peer that lied is asked again after this: it may have been repaired."""
BATCH_BLOCKS_MAX: Final = 64
"""Certificates checked with one request: about 80 ms of pairings."""
IMPORT_BLOCKS_MAX: Final = 32
"""Blocks executed within one event, so that the node stays awake."""
IMPORT_TRANSACTIONS_MAX: Final = 2_000
"""Transactions executed within one event, unless a single block has more."""
LAG_MS: Final = 700
"""So long a block that others have may fail to come by consensus before a voting node asks for it."""
HEAD_PERIOD_MS: Final = 1_000
"""How often a changed head is told to validators, who hear of blocks by consensus anyway."""
HEAD_REPEAT_MS: Final = 5_000
"""How often an unchanged head is told again."""
SERVED_BYTES_MAX: Final = 32 << 20
"""Bytes of blocks one peer is handed within `SERVED_PERIOD_MS`."""
SERVED_PERIOD_MS: Final = 1_000
"""The period of that limit."""


class Archive(Protocol):
    """The log of final blocks."""

    @property
    def first(self) -> int:
        """The lowest height kept, 0 where nothing is."""
        ...

    @property
    def last(self) -> int:
        """The highest height kept, 0 where nothing is."""
        ...

    def block(self, height: int) -> bytes | None:
        """The bytes of a `FinalBlock`, `None` where it is not kept."""
        ...


@dataclass(slots=True)
class Peer:
    """One peer: the heights it keeps, the range it was asked for (count 0: none), when it may be asked again, how often
    in a row it gave nothing."""

    first: int = 0
    last: int = 0
    asked_first: int = 0
    asked_count: int = 0
    asked_ms: int = 0
    free_ms: int = 0
    misses: int = 0
    served_bytes: int = 0
    served_ms: int = 0


@dataclass(frozen=True, slots=True)
class Arrived:
    """A block as a peer gave it."""

    peer: bytes
    block: FinalBlock
    size: int


@dataclass(frozen=True, slots=True)
class Sound:
    """A block that follows the ones before, whose certificate is being checked or was."""

    header: Header
    commit: BlsCommit
    body: Body
    transactions: tuple[KnownTransaction, ...]
    size: int


@dataclass(frozen=True, slots=True)
class Run:
    """Consecutive blocks of one peer whose certificates are being checked; `after`: trusted if they are good."""

    token: int
    peer: bytes
    blocks: tuple[Sound, ...]
    after: Trusted


@dataclass(slots=True)
class Progress:
    """`tip`: applied. `verified`: the last block whose certificate was checked, at or above the tip."""

    tip: Trusted
    verified: Trusted
    votes: bool = False
    tip_ms: int = 0
    behind: bool = False
    peers: dict[bytes, Peer] = field(default_factory=dict)
    arrived: dict[int, Arrived] = field(default_factory=dict)
    run: Run | None = None
    ready: deque[Sound] = field(default_factory=deque)
    size: int = 0
    """Bytes of what arrived, is being checked or is ready."""
    token: int = 0
    told: int = -1
    told_ms: int = 0

    def drop(self, height: int) -> None:
        """Forget an arrived block."""
        self.size -= self.arrived.pop(height).size

    def drop_peer(self, peer: bytes) -> None:
        """Forget everything that arrived from a peer."""
        for height in [h for h, arrived in self.arrived.items() if arrived.peer == peer]:
            self.drop(height)

    @property
    def set_is_known(self) -> bool:
        """Whether the set that signs after `verified` is known: it is not until a block that changes it is applied."""
        header = self.verified.header
        return not header or header[0].next_validators_hash == self.verified.validators.hash
