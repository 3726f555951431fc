"""All a node can hear. Every event carries `now_ms`, the wall clock of the host (or of the simulated world)."""

from dataclasses import dataclass
from typing import Any, TypeAlias

from metanode.records.vote import Vote


@dataclass(frozen=True, slots=True)
class Booted:
    """The first event: what the journal holds, in order, and whether it may be trusted.

    `may_vote` is false where the journal is damaged in the middle or the sign guard is missing: the node observes.
    """

    now_ms: int
    journal: tuple[bytes, ...]
    may_vote: bool
    guard: bytes


@dataclass(frozen=True, slots=True)
class Ticked:
    """The clock's pulse, every `TICK_MS`: what has no timer of its own looks at the time."""

    now_ms: int


@dataclass(frozen=True, slots=True)
class TimerFired:
    """A timer set earlier has run out and was not cancelled."""

    now_ms: int
    timer: str


@dataclass(frozen=True, slots=True)
class LinkOpened:
    """A carrier is open; to whom, the handshake will tell. `dialled` is the peer asked for, if we dialled."""

    now_ms: int
    link: int
    dialled: bytes
    remote: str


@dataclass(frozen=True, slots=True)
class LinkClosed:
    """A carrier is gone, or could not be opened."""

    now_ms: int
    link: int


@dataclass(frozen=True, slots=True)
class BytesArrived:
    """Bytes on a carrier, in order, cut anywhere."""

    now_ms: int
    link: int
    data: bytes


@dataclass(frozen=True, slots=True)
class LinkDrained:
    """The carrier's buffer fell below its low mark: more may be sent."""

    now_ms: int
    link: int


@dataclass(frozen=True, slots=True)
class Computed:
    """The answer to a `Compute` (handshake mathematics, transport signatures)."""

    now_ms: int
    room: str
    token: int
    result: Any


@dataclass(frozen=True, slots=True)
class SignaturesChecked:
    """The verdicts of a `CheckSignatures`, in its order."""

    now_ms: int
    room: str
    token: int
    verdicts: tuple[bool, ...]


@dataclass(frozen=True, slots=True)
class SharesChecked:
    """The answer to a `CheckShares`: the aggregate if all are good, else the positions of the bad ones."""

    now_ms: int
    token: int
    aggregate: bytes
    bad: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class AggregatesChecked:
    """The verdicts of a `CheckAggregates`, in its order."""

    now_ms: int
    room: str
    token: int
    verdicts: tuple[bool, ...]


@dataclass(frozen=True, slots=True)
class VoteSigned:
    """The signer's answer: the vote with envelope signature and, where asked, the BLS share."""

    now_ms: int
    vote: Vote


@dataclass(frozen=True, slots=True)
class VoteRefused:
    """The sign guard refused: it would be, or could be, a second word for the same step."""

    now_ms: int
    vote: Vote
    reason: str


@dataclass(frozen=True, slots=True)
class Asked:
    """A request through the public port: a method of the API table and its typed request."""

    now_ms: int
    request: int
    method: str
    arguments: Any


@dataclass(frozen=True, slots=True)
class SubmittedBatch:
    """Signed transactions through the public port, as bytes."""

    now_ms: int
    request: int
    transactions: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Stopping:
    """The host will stop: say good-bye to the peers."""

    now_ms: int


Event: TypeAlias = (
    Booted
    | Ticked
    | TimerFired
    | LinkOpened
    | LinkClosed
    | BytesArrived
    | LinkDrained
    | Computed
    | SignaturesChecked
    | SharesChecked
    | AggregatesChecked
    | VoteSigned
    | VoteRefused
    | Asked
    | SubmittedBatch
    | Stopping
)
