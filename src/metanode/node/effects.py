"""All a node can ask of its host. Effects are carried out strictly in order."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from metanode.records.commit import BlsCommit
from metanode.records.receipt import Receipt
from metanode.records.vote import Vote

TICK_MS: Final = 50
"""Period of the pulse: fine enough for 250 ms checkpoints, cheap enough to do nothing."""


@dataclass(frozen=True, slots=True)
class Journal:
    """Make this record durable before any later effect of the list is carried out (DISK-1)."""

    record: bytes


@dataclass(frozen=True, slots=True)
class JournalCheckpoint:
    """Blocks and state up to here must be durable; then the journal may begin anew with these records."""

    records: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class SignVote:
    """Ask the signer, who alone holds the keys and whose guard refuses to sign twice. `signature` and `seal` of the
    vote are empty; `message` is what the vote key signs, `seal_message` what the BLS key signs, empty for no share."""

    vote: Vote
    chain_id: bytes
    validators_hash: bytes
    seal_message: bytes


@dataclass(frozen=True, slots=True)
class Dial:
    """Open a carrier to this address, expecting this peer."""

    peer: bytes
    address: str


@dataclass(frozen=True, slots=True)
class Transmit:
    """Send bytes on a carrier."""

    link: int
    data: bytes


@dataclass(frozen=True, slots=True)
class CloseLink:
    """Close a carrier."""

    link: int
    reason: str


@dataclass(frozen=True, slots=True)
class Compute:
    """Mathematics with fresh randomness or the transport key; answered by `Computed`."""

    room: str
    token: int
    operation: Any


@dataclass(frozen=True, slots=True)
class CheckSignatures:
    """Check Ed25519 signatures (public key, message, signature); answered by `SignaturesChecked`. `urgent`: votes."""

    room: str
    token: int
    items: tuple[tuple[bytes, bytes, bytes], ...]
    urgent: bool


@dataclass(frozen=True, slots=True)
class CheckShares:
    """Aggregate BLS shares of one message and check the sum once; answered by `SharesChecked`."""

    token: int
    message: bytes
    keys: tuple[bytes, ...]
    shares: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class CheckAggregates:
    """Check aggregate signatures (keys, message, aggregate); answered by `AggregatesChecked`."""

    room: str
    token: int
    items: tuple[tuple[tuple[bytes, ...], bytes, bytes], ...]


@dataclass(frozen=True, slots=True)
class SetTimer:
    """Fire `TimerFired` after this long; a timer of the same name is replaced."""

    timer: str
    delay_ms: int


@dataclass(frozen=True, slots=True)
class CancelTimer:
    """Forget a timer."""

    timer: str


@dataclass(frozen=True, slots=True)
class AppendBlock:
    """Append a final block to the block log. Durable at the next checkpoint; until then the journal holds it."""

    height: int
    block: bytes


@dataclass(frozen=True, slots=True)
class WriteStore:
    """One atomic batch of rows: `None` deletes. Visible to the readers at once, durable at the next checkpoint."""

    height: int
    rows: Mapping[bytes, bytes | None]


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to an `Asked`: a typed answer of the API table, or an `ApiError`."""

    request: int
    answer: Any


@dataclass(frozen=True, slots=True)
class Bug:
    """HTTP-21. What was raised while one question was answered. The host writes it down whole and the node goes on,
    unless it is a failure of the world, which only the host knows one by."""

    method: str
    error: Exception


@dataclass(frozen=True, slots=True)
class BatchAnswer:
    """The answer to a `SubmittedBatch`: (identity, code, detail, known) each, the code empty where accepted."""

    request: int
    outcomes: tuple[tuple[bytes, str, str, bool], ...]


@dataclass(frozen=True, slots=True)
class PublishFinal:
    """A block is final on this machine: what subscribers and waiting clients hear."""

    height: int
    header: bytes
    commit: BlsCommit
    timestamp_ms: int
    identities: tuple[bytes, ...]
    receipts: tuple[Receipt, ...]


@dataclass(frozen=True, slots=True)
class SetFault:
    """Development chains only: what the carriers pretend. An empty `kind` heals everything."""

    kind: str
    peers: tuple[bytes, ...]
    value_ms: int


@dataclass(frozen=True, slots=True)
class Note:
    """Something worth a log line or a counter. Cores have no logger: this is what logs and metrics fold over."""

    kind: str
    fields: Mapping[str, int | str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Halt:
    """This node cannot go on without harm (rules it does not know, results that differ from a final block)."""

    reason: str


Effect: TypeAlias = (
    Journal
    | JournalCheckpoint
    | SignVote
    | Dial
    | Transmit
    | CloseLink
    | Compute
    | CheckSignatures
    | CheckShares
    | CheckAggregates
    | SetTimer
    | CancelTimer
    | AppendBlock
    | WriteStore
    | Answer
    | Bug
    | BatchAnswer
    | PublishFinal
    | SetFault
    | Note
    | Halt
)
