"""All that sync can hear, and all that it can ask for."""

from dataclasses import dataclass
from typing import TypeAlias

from metanode.chain.bls import AggregateClaim
from metanode.chain.sync.messages import Message
from metanode.primitives.merkle import Frontier
from metanode.primitives.names import Hash, Height, Millis
from metanode.primitives.refusal import Refusal
from metanode.records.block import Body, KnownTransaction
from metanode.records.commit import BlsCommit
from metanode.records.header import Header
from metanode.records.validators import ValidatorSet


@dataclass(frozen=True, slots=True)
class Applied:
    """A block is final and applied here, however it came. `validators` sign the next height; `votes`: we are among them
    and take part, so that the next block usually comes by consensus."""

    now_ms: int
    height: Height
    header_hash: Hash
    timestamp_ms: Millis
    validators: ValidatorSet
    votes: bool


@dataclass(frozen=True, slots=True)
class Hint:
    """A peer spoke of this height in consensus: it says that it has the block below."""

    peer: bytes
    height: int


@dataclass(frozen=True, slots=True)
class PeerUp:
    """A link to a peer is open."""

    peer: bytes


@dataclass(frozen=True, slots=True)
class PeerDown:
    """A link is gone."""

    peer: bytes


@dataclass(frozen=True, slots=True)
class Received:
    """A peer's message."""

    now_ms: int
    peer: bytes
    message: Message


@dataclass(frozen=True, slots=True)
class CommitsChecked:
    """The verdicts of a `CheckCommits`, in its order."""

    now_ms: int
    token: int
    verdicts: tuple[bool, ...]


@dataclass(frozen=True, slots=True)
class Tick:
    """Time passed."""

    now_ms: int


Event: TypeAlias = Applied | Hint | PeerUp | PeerDown | Received | CommitsChecked | Tick


@dataclass(frozen=True, slots=True)
class Send:
    """Send to these peers."""

    peers: tuple[bytes, ...]
    message: Message


@dataclass(frozen=True, slots=True)
class CheckCommits:
    """Check BLS aggregates: (public keys, message, aggregate)."""

    token: int
    items: tuple[AggregateClaim, ...]


@dataclass(frozen=True, slots=True)
class Import:
    """A block that a quorum made final, next in order: execute it, compare the roots, apply it, answer with `Applied`.

    Where its height was applied meanwhile, let it be. Results that differ are for `Halt`: a quorum vouched for it.
    """

    header: Header
    commit: BlsCommit
    body: Body
    transactions: tuple[KnownTransaction, ...]


@dataclass(frozen=True, slots=True)
class Install:
    """The whole state of a height, proved: it replaces whatever state is here, in one step with the tip.

    `validators` signed the header; who signs next is in the state. `frontier`: of all header hashes up to this one.
    Answer with `Applied`.
    """

    header: Header
    commit: BlsCommit
    validators: ValidatorSet
    frontier: Frontier
    pairs: tuple[tuple[bytes, bytes], ...]


@dataclass(frozen=True, slots=True)
class Behind:
    """Blocks up to this height are final elsewhere: do not vote until `CaughtUp`."""

    height: Height


@dataclass(frozen=True, slots=True)
class CaughtUp:
    """As far as anybody trustworthy knows, this node is where the others are."""

    height: Height


@dataclass(frozen=True, slots=True)
class Blame:
    """A peer sent what cannot be true. It is not asked again for a while."""

    peer: bytes
    refusal: Refusal
    detail: str


Effect: TypeAlias = Send | CheckCommits | Import | Install | Behind | CaughtUp | Blame
