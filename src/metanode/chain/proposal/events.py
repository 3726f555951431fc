"""All that the assembly can hear, and all that it can ask for."""

from dataclasses import dataclass
from typing import TypeAlias

from metanode.chain.mempool import Found, Lookup
from metanode.chain.proposal.messages import Bodies, Message
from metanode.primitives.names import Hash, Height, Seat
from metanode.primitives.refusal import Refusal
from metanode.records.block import Body, KnownTransaction
from metanode.records.proposal import ProposalContent


@dataclass(frozen=True, slots=True)
class Assemble:
    """Gather the body of this content, whose sections belong to its header. `source`: the seat that delivered it;
    `signatures_max`: more than a block has work for."""

    now_ms: int
    content: ProposalContent
    header_hash: Hash
    source: Seat
    signatures_max: int


@dataclass(frozen=True, slots=True)
class Hold:
    """A body that is complete here already (our own proposal, or one out of the journal): others may ask for it."""

    header_hash: Hash
    height: Height
    transactions: tuple[KnownTransaction, ...]


@dataclass(frozen=True, slots=True)
class Forget:
    """The block is invalid: its body is not waited for and not handed out."""

    header_hash: Hash


@dataclass(frozen=True, slots=True)
class Release:
    """This height is decided: bodies of lower heights are forgotten; those of this one are still handed out."""

    height: Height


@dataclass(frozen=True, slots=True)
class Received:
    """A peer's message."""

    now_ms: int
    peer: bytes
    message: Message


@dataclass(frozen=True, slots=True)
class SignaturesChecked:
    """The verdicts of a `CheckSignatures`, in its order."""

    now_ms: int
    token: int
    verdicts: tuple[bool, ...]


@dataclass(frozen=True, slots=True)
class PeerUp:
    """A link to a peer is open."""

    peer: bytes


@dataclass(frozen=True, slots=True)
class PeerDown:
    """A link is gone."""

    peer: bytes


@dataclass(frozen=True, slots=True)
class Tick:
    """Time passed: who did not answer is not waited for."""

    now_ms: int


Event: TypeAlias = Assemble | Hold | Forget | Release | Found | Received | SignaturesChecked | PeerUp | PeerDown | Tick
"""`Found` is the pool's answer to `Lookup`."""


@dataclass(frozen=True, slots=True)
class AskSeat:
    """Send to the seat that delivered the proposal."""

    seat: Seat
    message: Message


@dataclass(frozen=True, slots=True)
class AskPeer:
    """Send to a peer."""

    peer: bytes
    message: Message


@dataclass(frozen=True, slots=True)
class Answer:
    """Send what a peer asked for."""

    peer: bytes
    messages: tuple[Bodies, ...]


@dataclass(frozen=True, slots=True)
class CheckSignatures:
    """Check Ed25519 signatures of transactions the pool never saw: (public key, message, signature)."""

    token: int
    items: tuple[tuple[bytes, bytes, bytes], ...]


@dataclass(frozen=True, slots=True)
class Complete:
    """The body of this block, each of its signatures checked."""

    header_hash: Hash
    body: Body
    transactions: tuple[KnownTransaction, ...]


@dataclass(frozen=True, slots=True)
class Unfit:
    """The block cannot be valid."""

    header_hash: Hash
    refusal: Refusal
    detail: str


@dataclass(frozen=True, slots=True)
class Blame:
    """A peer sent what it was not asked for."""

    peer: bytes
    refusal: Refusal
    detail: str


Effect: TypeAlias = Lookup | AskSeat | AskPeer | Answer | CheckSignatures | Complete | Unfit | Blame
"""`Lookup` is for the pool."""
