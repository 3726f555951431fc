"""All that the pool can hear, and all that it can ask for."""

from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from metanode.chain.mempool.messages import TransactionBatch
from metanode.primitives.names import Address, Hash, Height
from metanode.primitives.refusal import Refusal
from metanode.records.block import KnownTransaction
from metanode.records.parameters import Parameters


@dataclass(frozen=True, slots=True)
class Submitted:
    """A client's signed transactions, answered by one `Outcome` for all of them."""

    now_ms: int
    request: int
    transactions: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Gossiped:
    """A peer's batch."""

    now_ms: int
    peer: bytes
    batch: TransactionBatch


@dataclass(frozen=True, slots=True)
class SignaturesChecked:
    """The verdicts of a `CheckSignatures`, in its order."""

    now_ms: int
    token: int
    verdicts: tuple[bool, ...]


@dataclass(frozen=True, slots=True)
class BlockFinal:
    """A block is final and its state is what `Accounts` shows.

    `touched`: accounts that changed other than by a transaction of their own. `parameters`: of the next height.
    """

    now_ms: int
    height: Height
    timestamp_ms: int
    transactions: tuple[KnownTransaction, ...]
    touched: tuple[Address, ...]
    parameters: Parameters


@dataclass(frozen=True, slots=True)
class FoundInadmissible:
    """Execution refused these on the final state: (identity, code, detail) each.

    Not to be told of those for which the block was full, or which waited for an earlier one that was refused.
    """

    now_ms: int
    items: tuple[tuple[Hash, str, str], ...]


@dataclass(frozen=True, slots=True)
class Select:
    """Choose for a block with this timestamp; answered by `Selected` at once."""

    now_ms: int
    timestamp_ms: int
    bytes_max: int
    count_max: int
    work_max: int


@dataclass(frozen=True, slots=True)
class Lookup:
    """Which of a proposal's transactions are here; `leaves` as in `transactions_root`. Answered by `Found` at once, and
    by a second one for those whose signatures are being checked at this moment."""

    token: Hash
    leaves: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Tick:
    """Time passed: what expired is dropped."""

    now_ms: int


@dataclass(frozen=True, slots=True)
class PeerUp:
    """A link to a peer is open. `relays`: it is a validator, so it has told every other validator itself."""

    peer: bytes
    relays: bool


@dataclass(frozen=True, slots=True)
class PeerDown:
    """A link is gone."""

    peer: bytes


Event: TypeAlias = (
    Submitted
    | Gossiped
    | SignaturesChecked
    | BlockFinal
    | FoundInadmissible
    | Select
    | Lookup
    | Tick
    | PeerUp
    | PeerDown
)


@dataclass(frozen=True, slots=True)
class CheckSignatures:
    """Check Ed25519 signatures: (public key, message, signature)."""

    token: int
    items: tuple[tuple[bytes, bytes, bytes], ...]


class ItemOutcome(NamedTuple):
    """What became of one submitted transaction: `code` empty where it is accepted, `known` where it was before.

    `identity` is empty where it is no transaction.
    """

    identity: bytes
    code: str
    detail: str
    known: bool


@dataclass(frozen=True, slots=True)
class Outcome:
    """The answer to a `Submitted`, in its order."""

    request: int
    items: tuple[ItemOutcome, ...]


@dataclass(frozen=True, slots=True)
class Gossip:
    """Send to these peers."""

    peers: tuple[bytes, ...]
    batch: TransactionBatch


@dataclass(frozen=True, slots=True)
class Selected:
    """The answer to a `Select`: admissible one after another on the final state, as far as the pool can tell."""

    transactions: tuple[KnownTransaction, ...]


@dataclass(frozen=True, slots=True)
class Found:
    """The answer to a `Lookup`: what is here with checked signatures, and the leaves nothing is here of."""

    token: Hash
    transactions: tuple[KnownTransaction, ...]
    missing: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Evicted:
    """No longer in the pool, without being final: (identity, code, detail) each."""

    items: tuple[tuple[Hash, str, str], ...]


@dataclass(frozen=True, slots=True)
class Blame:
    """A peer sent what no honest node sends on."""

    peer: bytes
    refusal: Refusal
    detail: str


@dataclass(frozen=True, slots=True)
class Shed:
    """A peer's transactions were not looked at: too many are being checked."""

    peer: bytes
    count: int


@dataclass(frozen=True, slots=True)
class Waiting:
    """Whether a transaction now waits that a block could hold: said when it changes."""

    ready: bool


Effect: TypeAlias = CheckSignatures | Outcome | Gossip | Selected | Found | Evicted | Blame | Shed | Waiting
