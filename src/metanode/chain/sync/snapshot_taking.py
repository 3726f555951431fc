"""Taking the state of a height from peers, piece by piece, each proved against a header that leads to the basis."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from metanode.chain.bls import AggregateClaim
from metanode.chain.light import Trusted, check_basis_age, check_signed, follow_set_change
from metanode.chain.sync import events as ev
from metanode.chain.sync.messages import PREFIX_MAX, PREFIXES_MAX, Manifest, StatePiece, WantManifest, WantPiece
from metanode.chain.sync.rules import SyncRefusal
from metanode.primitives.digest import Tag
from metanode.primitives.merkle import Frontier
from metanode.primitives.names import Hash
from metanode.primitives.refusal import Refusal, Rejected
from metanode.records.commit import BlsCommit
from metanode.records.header import Header, read_header

SEEK_AGAIN_MS: Final = 1_000
"""A peer that has not offered the snapshot is asked again after this."""
PIECE_TIMEOUT_MS: Final = 5_000
"""So long a peer may take for one piece; then another is asked."""
GIVE_UP_MS: Final = 30_000
"""Without any progress for so long blocks are executed from the basis on instead: whoever is asked first may have to
cut a large state before there is anything to offer."""
TAKEN_BYTES_MAX: Final = 512 << 20
"""A larger state is not taken into memory: execute the blocks, or copy a stopped node's data."""
SOURCE_BARRED_MS: Final = 60_000
"""A peer that lied is asked again after this."""
RESTART_MS: Final = 3_000
"""So long nobody may have the chosen snapshot before another is looked for."""
ABOVE_MIN: Final = 16
"""A snapshot must spare at least so many blocks."""

Pairs: TypeAlias = tuple[tuple[bytes, bytes], ...]
VerifyPiece: TypeAlias = Callable[[Hash, bytes, Pairs, bytes], bool]
"""`verify_subtree` of the state: (state root, prefix, pairs, proof bytes)."""
CoversAll: TypeAlias = Callable[[Sequence[bytes]], bool]
"""Whether prefixes cover every path exactly once."""


@dataclass(frozen=True, slots=True)
class StateCheck:
    """The two functions of the state that a snapshot needs, handed in because the chain knows no ledger."""

    verify_piece: VerifyPiece
    covers_all: CoversAll


@dataclass(frozen=True, slots=True)
class Candidate:
    """A manifest whose certificates are being checked, or were."""

    peer: bytes
    header: Header
    commit: BlsCommit
    trusted: Trusted
    frontier: Frontier
    prefixes: tuple[bytes, ...]


@dataclass(slots=True)
class Source:
    """One peer: when it was asked for a manifest, whether it offers the snapshot, the prefix it was asked for."""

    sought_ms: int = -SEEK_AGAIN_MS
    offers: bool = False
    piece: tuple[bytes, ...] = ()
    asked_ms: int = 0
    free_ms: int = 0
    misses: int = 0


@dataclass(slots=True)
class Taking:
    """All that is remembered while a snapshot is taken. `due`: prefixes nobody was asked for; `taken`: those proved."""

    sources: dict[bytes, Source] = field(default_factory=dict)
    checking: dict[int, Candidate] = field(default_factory=dict)
    chosen: list[Candidate] = field(default_factory=list)
    due: dict[bytes, None] = field(default_factory=dict)
    taken: dict[bytes, Pairs] = field(default_factory=dict)
    size: int = 0
    progress_ms: int = -1


class SnapshotTaking:
    """SYNC-8, SYNC-9. Used by `Sync` until it has given its `Install`, or gives up."""

    def __init__(self, basis: Trusted, check: StateCheck) -> None:
        self._basis: Final = basis
        self._check: Final = check
        self._taking: Final = Taking()
        self.over = False
        """Nothing more is to come."""

    def peer_up(self, peer: bytes) -> None:
        """Somebody to ask."""
        self._taking.sources[peer] = Source()

    def peer_down(self, peer: bytes) -> None:
        """What it was asked for is due again."""
        source = self._taking.sources.pop(peer, None)
        if source is not None:
            self._release(source)

    def tick(self, now_ms: int) -> list[ev.Effect]:
        """Ask whoever is free."""
        taking = self._taking
        if taking.progress_ms < 0:
            taking.progress_ms = now_ms
        if now_ms >= taking.progress_ms + GIVE_UP_MS:
            self.over = True
            return []
        offered = any(source.offers for source in taking.sources.values())
        if taking.chosen and not offered and now_ms >= taking.progress_ms + RESTART_MS:
            self._begin_again(now_ms)
        out: list[ev.Effect] = []
        for peer, source in sorted(taking.sources.items(), key=lambda item: item[1].misses):
            if source.piece and now_ms >= source.asked_ms + PIECE_TIMEOUT_MS:
                self._release(source)
                source.free_ms = now_ms + SEEK_AGAIN_MS
                source.misses += 1
            if now_ms < source.free_ms or source.piece:
                continue
            if not source.offers:
                out += self._seek(now_ms, peer, source)
            elif taking.due:
                prefix = next(iter(taking.due))
                del taking.due[prefix]
                source.piece, source.asked_ms = (prefix,), now_ms
                height = taking.chosen[0].header.height
                out.append(ev.Send((peer,), WantPiece(version=1, height=height, prefix=prefix)))
        return out

    def _seek(self, now_ms: int, peer: bytes, source: Source) -> list[ev.Effect]:
        """SYNC-8. First any snapshot, then the same one of everybody else."""
        taking = self._taking
        if now_ms < source.sought_ms + SEEK_AGAIN_MS or (taking.checking and not taking.chosen):
            return []
        source.sought_ms = now_ms
        height = taking.chosen[0].header.height if taking.chosen else 0
        return [ev.Send((peer,), WantManifest(version=1, height=height, above=self._basis.height))]

    def _begin_again(self, now_ms: int) -> None:
        """SYNC-9. Nobody has this snapshot any more: take another."""
        taking = self._taking
        taking.chosen.clear()
        taking.due.clear()
        taking.taken.clear()
        taking.size, taking.progress_ms = 0, now_ms
        for source in taking.sources.values():
            source.piece, source.sought_ms = (), -SEEK_AGAIN_MS

    def _release(self, source: Source) -> None:
        for prefix in source.piece:
            self._taking.due[prefix] = None
        source.piece = ()

    def _blame(self, now_ms: int, peer: bytes, refusal: Refusal, detail: str) -> list[ev.Effect]:
        source = self._taking.sources[peer]
        self._release(source)
        source.offers, source.free_ms = False, now_ms + SOURCE_BARRED_MS
        return [ev.Blame(peer, refusal, detail)]

    # --- the manifest -----------------------------------------------------------------------------------------------

    def manifest(self, now_ms: int, peer: bytes, manifest: Manifest, token: int) -> list[ev.Effect]:
        """SYNC-8. Judge an offer; certificates are checked under `token`."""
        taking = self._taking
        source = taking.sources[peer]
        if manifest.version == 1 and not manifest.header:
            return []  # it has none
        try:
            if taking.chosen:
                source.offers = manifest.header == taking.chosen[0].header.encoded
                return self.tick(now_ms) if source.offers else []
            if taking.checking:
                return []
            candidate, claims = self._judge(now_ms, peer, manifest)
        except Rejected as rejected:
            return self._blame(now_ms, peer, rejected.reason, rejected.detail)
        taking.checking[token] = candidate
        return [ev.CheckCommits(token, tuple(claims))]

    def _judge(self, now_ms: int, peer: bytes, manifest: Manifest) -> tuple[Candidate, list[AggregateClaim]]:
        """SYNC-8. From the basis over set changes to the header; the frontier is the header's; nothing is left out.

        Raises `Rejected`. A basis that is a header must be recent (LIGHT-3); who begins at genesis says by that that he
        trusts its members to have kept their keys.
        """
        claims: list[AggregateClaim] = []

        def later(keys: Sequence[bytes], message: bytes, aggregate: bytes) -> bool:
            claims.append((tuple(keys), message, aggregate))
            return True

        trusted = self._basis
        if len(manifest.commit) != 1:
            raise Rejected(SyncRefusal.WRONG_MANIFEST, f"{len(manifest.commit)} certificates")
        try:
            if trusted.header:
                check_basis_age(trusted, now_ms)
            for step in manifest.set_changes:
                change = read_header(step.header)
                trusted = follow_set_change(trusted, change, step.commit, step.next_validators.validators, later)
            header = read_header(manifest.header)
            check_signed(trusted, header, manifest.commit[0], later)
            frontier = Frontier(header.height - 1, manifest.frontier)
        except Rejected as rejected:
            raise Rejected(SyncRefusal.WRONG_MANIFEST, str(rejected)) from None
        if manifest.version != 1 or frontier.counted_root(Tag.HISTORY_ROOT) != header.history_root:
            raise Rejected(SyncRefusal.WRONG_MANIFEST, "the frontier is not that of the header's history")
        prefixes = manifest.prefixes
        if len(prefixes) > PREFIXES_MAX or any(len(one) > PREFIX_MAX for one in prefixes):
            raise Rejected(SyncRefusal.WRONG_MANIFEST, f"{len(prefixes)} pieces, at most {PREFIXES_MAX}")
        if not self._check.covers_all(prefixes):
            raise Rejected(SyncRefusal.WRONG_MANIFEST, "the pieces do not cover the state exactly once")
        after = frontier.append(header.hash)
        return Candidate(peer, header, manifest.commit[0], trusted, after, prefixes), claims

    def knows(self, token: int) -> bool:
        """Whether these verdicts are ours."""
        return token in self._taking.checking

    def checked(self, now_ms: int, token: int, verdicts: tuple[bool, ...]) -> list[ev.Effect]:
        """SYNC-8. The certificates of an offer."""
        taking = self._taking
        candidate = taking.checking.pop(token)
        source = taking.sources.get(candidate.peer)
        if not all(verdicts):
            if source is None:
                return []
            return self._blame(now_ms, candidate.peer, SyncRefusal.WRONG_MANIFEST, "a certificate does not verify")
        if candidate.header.height < self._basis.height + ABOVE_MIN:
            self.over = True  # not worth it
            return []
        taking.chosen.append(candidate)
        taking.due = dict.fromkeys(candidate.prefixes)
        taking.progress_ms = now_ms
        for other in taking.sources.values():
            other.sought_ms = -SEEK_AGAIN_MS
        if source is not None:
            source.offers = True
        return self.tick(now_ms)

    # --- the pieces -------------------------------------------------------------------------------------------------

    def piece(self, now_ms: int, peer: bytes, piece: StatePiece) -> list[ev.Effect]:
        """SYNC-9. A piece proves itself against the state root, or its sender is blamed and another asked."""
        taking = self._taking
        source = taking.sources[peer]
        if not taking.chosen or source.piece != (piece.prefix,):
            return []  # it was given up
        chosen = taking.chosen[0]
        if not piece.proof and piece.version == 1:
            self._release(source)
            source.offers = False  # it no longer has the snapshot
            return self.tick(now_ms)
        right = (piece.version, piece.height) == (1, chosen.header.height)
        if not right or not self._check.verify_piece(chosen.header.state_root, piece.prefix, piece.pairs, piece.proof):
            out = self._blame(now_ms, peer, SyncRefusal.WRONG_PIECE, f"piece {piece.prefix.hex() or 'whole'}")
            return out + self.tick(now_ms)
        source.piece, source.misses = (), 0
        taking.taken[piece.prefix] = piece.pairs
        taking.size += sum(len(key) + len(value) for key, value in piece.pairs)
        taking.progress_ms = now_ms
        if taking.size > TAKEN_BYTES_MAX:
            self.over = True
            return []
        if len(taking.taken) == len(chosen.prefixes):
            self.over = True
            return [self._install(chosen)]
        return self.tick(now_ms)

    def _install(self, chosen: Candidate) -> ev.Install:
        pairs = [pair for prefix in chosen.prefixes for pair in self._taking.taken[prefix]]
        return ev.Install(chosen.header, chosen.commit, chosen.trusted.validators, chosen.frontier, tuple(pairs))
