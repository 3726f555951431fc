"""What the assembly remembers: bodies being gathered, and bodies that others may ask for."""

from dataclasses import dataclass, field
from typing import Final

from metanode.primitives.names import Hash, Height, Seat
from metanode.records.block import KnownTransaction
from metanode.records.proposal import ProposalContent

HELD_MAX: Final = 32
"""Blocks gathered or held: one a round of the height at hand and the one below; the oldest is forgotten."""
ASK_AGAIN_MS: Final = 300
"""So long a peer may take to answer before another is asked: some round trips, a part of a round's time."""
SERVED_TIMES: Final = 3
"""So often a peer may be handed the bytes of one block: it may have lost some, it has no use for more."""


@dataclass(slots=True)
class Gathering:
    """One block. `leaves`: the position of each, in order; `found`: what came for it; `left`: how many did not yet."""

    header_hash: Hash
    height: Height
    content: tuple[ProposalContent, ...]
    source: Seat
    leaves: dict[bytes, int]
    found: list[KnownTransaction | None]
    left: int
    looking: dict[bytes, None]
    """Leaves that the pool has not answered for yet."""
    signatures_left: int = 0
    """So many signatures of bodies that the pool did not have may still be checked."""
    checking: dict[bytes, None] = field(default_factory=dict)
    """Leaves whose signatures are being checked."""
    size: int = 0
    """Bytes of what was found."""
    asks: int = 0
    asked_ms: int = 0
    served: dict[bytes, int] = field(default_factory=dict)

    def is_complete(self) -> bool:
        """Whether every transaction is here."""
        return self.left == 0

    @property
    def missing(self) -> list[int]:
        """Positions that somebody has to be asked for."""
        looking, checking, found = self.looking, self.checking, self.found
        return [
            at for leaf, at in self.leaves.items() if found[at] is None and leaf not in looking and leaf not in checking
        ]


@dataclass(slots=True)
class Shelf:
    """All blocks, oldest first, the peers that can be asked, and what is being checked: block and transactions."""

    blocks: dict[Hash, Gathering] = field(default_factory=dict)
    peers: dict[bytes, None] = field(default_factory=dict)
    checks: dict[int, tuple[Hash, tuple[KnownTransaction, ...]]] = field(default_factory=dict)
    token: int = 0

    def put(self, gathering: Gathering) -> None:
        """Keep a block; the oldest of too many is forgotten."""
        self.blocks[gathering.header_hash] = gathering
        while len(self.blocks) > HELD_MAX:
            del self.blocks[next(iter(self.blocks))]
