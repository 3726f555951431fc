"""What a node remembers between two events, beside what its rooms remember, and the trays the routes put things in."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from metanode.chain.ibft import Account, Validate
from metanode.ledger import Execution, Ledger
from metanode.node.effects import Effect, Journal, Note
from metanode.node.lines import Lines
from metanode.node.settings import NodeSettings
from metanode.node.shelf import Shelf
from metanode.node.storage import Archive, Rows
from metanode.primitives.merkle import Frontier
from metanode.primitives.names import NO_HASH, Hash, Height, Seat
from metanode.primitives.refusal import Refusal
from metanode.records.block import Body, KnownTransaction
from metanode.records.commit import BlsCommit
from metanode.records.evidence import Evidence
from metanode.records.genesis import Genesis
from metanode.records.header import Header
from metanode.records.parameters import Parameters
from metanode.records.validators import ValidatorSet

NO_SEAT: Final = Seat(-1)
"""Of an observer."""
DROPS_MAX: Final = 10_000
"""Dropped transactions whose reason is still known: some seconds of a flood."""


@dataclass(frozen=True, slots=True)
class Tip:
    """The last block applied, and what follows from it for the next. At height 0 `header` and `commit` are empty.

    `validators` sign the next height; `previous_validators` signed this one.
    """

    height: Height
    hash: Hash
    timestamp_ms: int
    header: tuple[Header, ...]
    commit: tuple[BlsCommit, ...]
    frontier: Frontier
    previous_validators: ValidatorSet
    validators: ValidatorSet
    parameters: Parameters
    rules_version: int
    history: Frontier = field(default_factory=Frontier)
    """Of the headers below this one: what its own `history_root` is the root of. Empty right after a snapshot."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A block of the next height, executed on the tip: it may be decided, or forgotten."""

    header: Header
    body: Body
    transactions: tuple[KnownTransaction, ...]
    execution: Execution


@dataclass(slots=True)
class Judgement:
    """One block under judgement; `waits` counts the answers still due."""

    request: Validate
    header: Header
    waits: int = 0
    assembled: list[tuple[Body, tuple[KnownTransaction, ...]]] = field(default_factory=list)


@dataclass(slots=True)
class Court:
    """All judgements of the next height, and whom the answers on their way belong to."""

    open: dict[Hash, Judgement] = field(default_factory=dict)
    tokens: dict[int, Hash] = field(default_factory=dict)
    next_token: int = 1

    def token(self, header_hash: Hash) -> int:
        """A fresh token for this block."""
        self.next_token += 1
        self.tokens[self.next_token] = header_hash
        return self.next_token

    def clear(self) -> None:
        """Another height begins: answers still under way belong to nobody."""
        self.open.clear()
        self.tokens.clear()


@dataclass(slots=True)
class Suspicion:
    """A peer's evidence whose signatures are being checked."""

    peer: bytes
    evidence: Evidence
    waits: int


@dataclass(slots=True)
class Desk:
    """The one mutable value the routes share. Routes never call a room of a neighbour: they put events in `internal`,
    which the node drains in order, and effects in `out`, which leave in order."""

    genesis: Genesis
    chain_id: Hash
    settings: NodeSettings
    rows: Rows
    archive: Archive
    ledger: Ledger
    tip: Tip
    now_ms: int = 0
    booted: bool = False
    may_vote: bool = False
    behind: bool = False
    out: list[Effect] = field(default_factory=list)
    internal: deque[tuple[str, Any]] = field(default_factory=deque)
    candidates: dict[Hash, Candidate] = field(default_factory=dict)
    journalled: dict[Hash, bool] = field(default_factory=dict)
    locked: Hash = NO_HASH
    applied_ms: int = 0
    journal_bytes: int = 0
    blocks_since_checkpoint: int = 0
    cut_peers: tuple[bytes, ...] = ()
    fault: tuple[str, tuple[str, ...], int] = ("", (), 0)
    peers: dict[bytes, int] = field(default_factory=dict)
    heard_ms: dict[bytes, int] = field(default_factory=dict)
    court: Court = field(default_factory=Court)
    ready: bool = False
    building: tuple[int, int] = (0, 0)
    installing: tuple[Tip, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    evidence_known: dict[Hash, bool] = field(default_factory=dict)
    suspicions: dict[int, Suspicion] = field(default_factory=dict)
    suspicion_token: int = 0
    drops: dict[bytes, tuple[str, str]] = field(default_factory=dict)
    started_ms: int = 0
    round: int = 0
    heights: dict[bytes, int] = field(default_factory=dict)
    lines: Lines = field(default_factory=Lines)
    refusals: dict[str, int] = field(default_factory=dict)
    account: Callable[[], Account | None] = lambda: None
    """What the agreement can show of the height that is open (STALL-1)."""
    shelf: Shelf = field(init=False)

    def __post_init__(self) -> None:
        self.shelf = Shelf(self.rows, self.archive)

    def tell(self, room: str, event: Any) -> None:
        """Queue an event for a room of this node."""
        self.internal.append((room, event))

    def emit(self, *effects: Effect) -> None:
        """Let effects leave, in order."""
        self.out.extend(effects)

    def note(self, kind: str, **fields: int | str) -> None:
        """Let a note leave, for logs and metrics."""
        self.out.append(Note(kind, fields))

    def journal(self, record: bytes) -> None:
        """Make a record durable before any later effect leaves."""
        self.journal_bytes += len(record)
        self.out.append(Journal(record))

    def blame(self, peer: bytes, reason: Refusal, detail: str) -> None:
        """A peer broke a rule of a room above the transport."""
        self.note("blame", peer=peer.hex()[:16], reason=reason.value, detail=detail)

    def blame_seat(self, seat: Seat, reason: Refusal, detail: str) -> None:
        """A validator (or, with no seat, a stranger) broke a rule of consensus."""
        validators = self.tip.validators
        name = validators[seat].name if 0 <= seat < len(validators) else "?"
        self.note("blame", peer=name, reason=reason.value, detail=detail)

    def dropped(self, identity: bytes, code: str, detail: str) -> None:
        """The pool gave a transaction up: remembered for whoever asks, the last `DROPS_MAX` of them."""
        self.drops[identity] = (code, detail)
        while len(self.drops) > DROPS_MAX:
            del self.drops[next(iter(self.drops))]

    def refused(self, code: str, count: int) -> None:
        """The pool turned so many transactions of clients away: counted by code for `mempool.status`."""
        self.refusals[code] = self.refusals.get(code, 0) + count

    @property
    def seat(self) -> Seat:
        """Our seat at the next height, or `NO_SEAT`."""
        return self.tip.validators.seats_by_vote_key.get(self.settings.vote_key, NO_SEAT)
