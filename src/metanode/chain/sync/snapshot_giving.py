"""Handing out the state of a height: cut once, kept for a while, given piece by piece."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Final, Protocol

from metanode.chain.sync.messages import MESSAGE_BYTES_MAX, Manifest, StatePiece, WantManifest, WantPiece
from metanode.chain.sync.snapshot_taking import Pairs
from metanode.primitives.codec import encode
from metanode.records.commit import BlsCommit
from metanode.records.header import Header
from metanode.records.receipt_file import SetChangeStep

CUTS_MAX: Final = 2
"""Snapshots kept: the one that others are taking, and the next."""
CUT_PERIOD_MS: Final = 60_000
"""At most one snapshot is cut within this: it reads the whole state."""
CUT_KEPT_MS: Final = 1_800_000
"""A snapshot nobody takes any more is forgotten after this."""
SERVED_PIECES_MAX: Final = 2
"""Times the number of pieces a peer may be handed of one snapshot."""
BASES_MAX: Final = 8
"""Manifests remembered of one snapshot, by the height that who asks trusts."""
MANIFESTS_MAX: Final = 4
"""Manifests made for one peer within `MANIFEST_PERIOD_MS`: each takes reading every header that announces a set."""
MANIFEST_PERIOD_MS: Final = 2_000
"""The period of that limit; an honest peer asks once a second, and most often for one that is at hand."""
MESSAGE_ROOM: Final = 1024
"""What a message takes beside its pairs and its proof."""
PAIR_BYTES: Final = 12
"""What an array of two strings of bytes takes beside them."""
NO_MANIFEST: Final = Manifest(version=1, header=b"", commit=(), set_changes=(), frontier=(), prefixes=())
"""There is no snapshot to offer."""


@dataclass(frozen=True, slots=True)
class Cut:
    """The state of one height in pieces. `frontier`: peaks of the history below the header. `pieces`: pairs and proof
    bytes of each prefix; together they are the whole state."""

    header: Header
    commit: BlsCommit
    frontier: tuple[bytes, ...]
    pieces: Mapping[bytes, tuple[Pairs, bytes]]


class Snapshots(Protocol):
    """Who can cut."""

    def cut(self, height: int) -> Iterator[Cut | None]:
        """The state of a height, 0 for the last one, cut in turns: `None` where more is to be done, the whole at the
        end; nothing where it is not kept, or too large to be cut, or in pieces that fit no message."""
        ...

    def set_changes(self, above: int, below: int) -> tuple[SetChangeStep, ...] | None:
        """All headers with above < height < below that announce another set; `None` where one is not kept."""
        ...


@dataclass(slots=True)
class _Kept:
    cut: Cut
    until_ms: int
    served: dict[bytes, int] = field(default_factory=dict)
    manifests: dict[int, Manifest] = field(default_factory=dict)


class SnapshotGiving:
    """SYNC-10. At most `CUTS_MAX` snapshots, the oldest makes room."""

    def __init__(self, snapshots: Snapshots) -> None:
        self._snapshots: Final = snapshots
        self._kept: dict[int, _Kept] = {}
        self._cutting: Iterator[Cut | None] | None = None
        self._next_cut_ms = 0
        self._made: dict[bytes, tuple[int, int]] = {}

    def tick(self, now_ms: int) -> None:
        """Let go of what nobody takes; cut for one more turn."""
        if self._cutting is not None:
            self._cut(now_ms, self._cutting)
        for height in [height for height, kept in self._kept.items() if now_ms >= kept.until_ms]:
            del self._kept[height]
        for peer in [peer for peer, (since_ms, _) in self._made.items() if now_ms >= since_ms + MANIFEST_PERIOD_MS]:
            del self._made[peer]

    def manifest(self, now_ms: int, peer: bytes, want: WantManifest) -> Manifest:
        """SYNC-10. The wanted snapshot, or for height 0 the newest; an empty manifest where there is none."""
        kept = self._find(now_ms, want.height)
        if kept is None:
            return NO_MANIFEST
        if want.above not in kept.manifests:
            since_ms, made = self._made.get(peer, (now_ms, 0))
            if made >= MANIFESTS_MAX:
                return NO_MANIFEST
            self._made[peer] = since_ms, made + 1
            if len(kept.manifests) >= BASES_MAX:
                del kept.manifests[next(iter(kept.manifests))]
            kept.manifests[want.above] = self._make(kept.cut, want.above)
        return kept.manifests[want.above]

    def _make(self, cut: Cut, above: int) -> Manifest:
        changes = self._snapshots.set_changes(above, cut.header.height)
        if changes is None:
            return NO_MANIFEST
        manifest = Manifest(
            version=1,
            header=cut.header.encoded,
            commit=(cut.commit,),
            set_changes=changes,
            frontier=cut.frontier,
            prefixes=tuple(sorted(cut.pieces)),
        )
        return manifest if len(encode(manifest)) <= MESSAGE_BYTES_MAX else NO_MANIFEST

    def _find(self, now_ms: int, height: int) -> _Kept | None:
        if height in self._kept:
            return self._kept[height]
        if self._cutting is None and now_ms >= self._next_cut_ms:
            self._cut(now_ms, self._snapshots.cut(height))
        return self._kept.get(height or max(self._kept, default=0))

    def _cut(self, now_ms: int, cutting: Iterator[Cut | None]) -> None:
        """SYNC-10. One turn of a cut. A refusal in the first costs nothing, and does not count."""
        begun, self._cutting = self._cutting is not None, None
        for cut in islice(cutting, 1):
            if not begun:
                self._next_cut_ms = now_ms + CUT_PERIOD_MS
            if cut is None:
                self._cutting = cutting
                return
            self._kept[cut.header.height] = _Kept(cut, now_ms + CUT_KEPT_MS)
            if len(self._kept) > CUTS_MAX:
                del self._kept[next(iter(self._kept))]

    def piece(self, now_ms: int, peer: bytes, want: WantPiece) -> StatePiece:
        """SYNC-10. A piece with its proof; without one where it is not here, or the peer had enough."""
        kept = self._kept.get(want.height)
        found = kept.cut.pieces.get(want.prefix) if kept is not None else None
        if kept is None or found is None or kept.served.get(peer, 0) >= SERVED_PIECES_MAX * len(kept.cut.pieces):
            return StatePiece(version=1, height=want.height, prefix=want.prefix, pairs=(), proof=b"")
        kept.served[peer] = kept.served.get(peer, 0) + 1
        kept.until_ms = now_ms + CUT_KEPT_MS
        pairs, proof = found
        return StatePiece(version=1, height=want.height, prefix=want.prefix, pairs=pairs, proof=proof)


def piece_fits(pairs: Pairs, proof: bytes) -> bool:
    """SYNC-10. Whether a piece fits a message: some large values may lie side by side."""
    size = len(proof) + sum(len(key) + len(value) + PAIR_BYTES for key, value in pairs)
    return size + MESSAGE_ROOM <= MESSAGE_BYTES_MAX
