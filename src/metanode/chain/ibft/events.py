"""All that IBFT can hear, and all that it can ask for."""

from dataclasses import dataclass
from typing import Final, TypeAlias

from metanode.chain.guard import GuardRecord
from metanode.chain.ibft.journal import Record
from metanode.chain.ibft.messages import Message
from metanode.primitives.names import Hash, Height, Round, Seat
from metanode.primitives.refusal import Refusal
from metanode.records.commit import BlsCommit
from metanode.records.evidence import Evidence
from metanode.records.proposal import ProposalContent
from metanode.records.transcript import NOTHING_NOTED, Notes
from metanode.records.validators import ValidatorSet
from metanode.records.vote import Justification, Vote

NO_SEAT: Final = Seat(-1)
"""Of an observer, of a stranger's link, and before the first block."""


@dataclass(frozen=True, slots=True)
class Started:
    """The first event of a process that may sign: what its guard holds. From here on the machine observes until enough
    peers have said that they heard nothing beyond it (GUARD-8)."""

    now_ms: int
    guard: GuardRecord


@dataclass(frozen=True, slots=True)
class VotingAllowed:
    """The operator vouches that this key signed nothing beyond its guard: the start-up question is not waited for."""

    now_ms: int


@dataclass(frozen=True, slots=True)
class HeightBegins:
    """The block below is final and executed: agree on `height`.

    `previous_validators`, `previous_proposer`: set and seat that made the block below (`NO_SEAT` at height 1), from
    which the order of leaders follows. `seat`: ours among `validators`, or `NO_SEAT` to observe. In sets of more than
    `all_to_all_max` seats votes go by way of the leader (IBFT-L1).
    """

    now_ms: int
    height: Height
    validators: ValidatorSet
    previous_validators: ValidatorSet
    previous_proposer: Seat
    seat: Seat
    round_timeout_ms: int
    round_timeout_max_ms: int
    all_to_all_max: int


@dataclass(frozen=True, slots=True)
class Seated:
    """From now on this node may vote in the current height, which it began as an observer."""

    now_ms: int
    seat: Seat


@dataclass(frozen=True, slots=True)
class BlockDue:
    """A block is due: the leader builds, everybody's round-0 timer starts. Repeating it does nothing."""

    now_ms: int


@dataclass(frozen=True, slots=True)
class Received:
    """A message of `size` bytes, by the link of the seat `origin` (`NO_SEAT`: not a validator's link)."""

    now_ms: int
    message: Message
    origin: Seat
    size: int = 0


@dataclass(frozen=True, slots=True)
class SignaturesChecked:
    """The verdicts of a `CheckSignatures`, in its order."""

    now_ms: int
    token: int
    verdicts: tuple[bool, ...]


@dataclass(frozen=True, slots=True)
class AggregatesChecked:
    """The verdicts of a `CheckAggregates`, in its order."""

    now_ms: int
    token: int
    verdicts: tuple[bool, ...]


@dataclass(frozen=True, slots=True)
class SharesChecked:
    """The answer to a `CheckShares`: the aggregate if all are good, else the positions of those bad by themselves."""

    now_ms: int
    token: int
    aggregate: bytes
    bad: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Signed:
    """The signer's answer to a `Sign`."""

    now_ms: int
    vote: Vote


@dataclass(frozen=True, slots=True)
class SignRefused:
    """The guard refused: this word is not spoken, the machine goes on without it."""

    now_ms: int
    vote: Vote
    reason: str


@dataclass(frozen=True, slots=True)
class Built:
    """The answer to a `Build`."""

    now_ms: int
    height: Height
    round: Round
    content: ProposalContent


@dataclass(frozen=True, slots=True)
class Validated:
    """The block of this header was judged; if `valid`, its body is durable here and executed. `refusal`: why not.

    `foreign`: the content's sections are not those of its header, so whoever delivered it is to blame, not the block.
    """

    now_ms: int
    header_hash: Hash
    valid: bool
    refusal: str = ""
    foreign: bool = False


@dataclass(frozen=True, slots=True)
class TimerFired:
    """A timer of a `SetTimer` ran out."""

    now_ms: int
    timer: str


@dataclass(frozen=True, slots=True)
class Replayed:
    """Recovery: one record of the journal, in order, after `HeightBegins`. No effect leaves."""

    record: Record


@dataclass(frozen=True, slots=True)
class Resumed:
    """Recovery is over: what was due is asked for again."""

    now_ms: int


@dataclass(frozen=True, slots=True)
class CreditLate:
    """Improve the last certificate with the COMMITs that came too late for it; answered by `Improved`, or nothing."""

    now_ms: int


Event: TypeAlias = (
    Started
    | VotingAllowed
    | HeightBegins
    | Seated
    | BlockDue
    | Received
    | SignaturesChecked
    | AggregatesChecked
    | SharesChecked
    | Signed
    | SignRefused
    | Built
    | Validated
    | TimerFired
    | Replayed
    | Resumed
    | CreditLate
)


@dataclass(frozen=True, slots=True)
class Journal:
    """Make the record durable before any later effect is carried out."""

    record: Record


@dataclass(frozen=True, slots=True)
class Sign:
    """Ask the signer, behind its guard. `vote` has neither seal nor signature; the signer makes the BLS share over
    `seal_message` (empty: no share), binds it by the attachment, and signs the envelope."""

    vote: Vote
    chain_id: Hash
    validators_hash: Hash
    seal_message: bytes


@dataclass(frozen=True, slots=True)
class Broadcast:
    """Send to every other validator."""

    message: Message


@dataclass(frozen=True, slots=True)
class SendTo:
    """Send to one validator."""

    seat: Seat
    message: Message


@dataclass(frozen=True, slots=True)
class Relay:
    """Send on what another seat said, to every validator but it and ourselves (IBFT-M4)."""

    seat: Seat
    message: Message


@dataclass(frozen=True, slots=True)
class CheckSignatures:
    """Check Ed25519 signatures: (public key, message, signature)."""

    token: int
    items: tuple[tuple[bytes, bytes, bytes], ...]


@dataclass(frozen=True, slots=True)
class CheckAggregates:
    """Check BLS aggregates: (public keys, message, aggregate)."""

    token: int
    items: tuple[tuple[tuple[bytes, ...], bytes, bytes], ...]


@dataclass(frozen=True, slots=True)
class CheckShares:
    """Sum BLS shares of one message, check the sum once, and on failure find the bad ones."""

    token: int
    message: bytes
    keys: tuple[bytes, ...]
    shares: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Build:
    """Make a block for this round; answered by `Built` as soon as there is one."""

    height: Height
    round: Round


@dataclass(frozen=True, slots=True)
class Validate:
    """Judge the block: gather its body, execute it, compare, make it durable. `source` delivered the content.

    `reproposed`: Q seats found it good before, so its time is not judged again.
    """

    content: ProposalContent
    header_hash: Hash
    height: Height
    round: Round
    source: Seat
    reproposed: bool


@dataclass(frozen=True, slots=True)
class SetTimer:
    """Fire `TimerFired` after this long."""

    timer: str
    delay_ms: int


@dataclass(frozen=True, slots=True)
class CancelTimer:
    """Forget a timer."""

    timer: str


@dataclass(frozen=True, slots=True)
class Decide:
    """Final. The block was validated here before."""

    height: Height
    round: Round
    header_hash: Hash
    content: ProposalContent
    commit: BlsCommit


@dataclass(frozen=True, slots=True)
class Diverged:
    """A certified block was judged invalid here: more than a third lie, or this node computes wrongly. Stop."""

    height: Height
    header_hash: Hash
    refusal: str


@dataclass(frozen=True, slots=True)
class Improved:
    """The last certificate, with more seats credited (IBFT-C3)."""

    commit: BlsCommit


@dataclass(frozen=True, slots=True)
class Accuse:
    """A proof of guilt, each of its signatures checked."""

    evidence: Evidence


@dataclass(frozen=True, slots=True)
class Blame:
    """Something was refused: by whose fault (`NO_SEAT`: a stranger's), and why."""

    seat: Seat
    refusal: Refusal
    detail: str


@dataclass(frozen=True, slots=True)
class Behind:
    """A validator speaks of a height above the next: a hint, not a proof, that blocks are missing here."""

    seat: Seat
    height: Height


@dataclass(frozen=True, slots=True)
class VotesFrom:
    """The start-up question is answered: from this height on this node votes (GUARD-9)."""

    height: Height


@dataclass(frozen=True, slots=True)
class Keep:
    """Everything checked in a height that is over: what forensics need within the evidence period. `notes`: what was
    noted beside, where somebody went beyond round 0."""

    height: Height
    validators_hash: Hash
    votes: tuple[Vote, ...]
    justifications: tuple[Justification, ...]
    notes: Notes = NOTHING_NOTED


BlockEffect: TypeAlias = Build | Validate | Decide | Diverged | Improved | Accuse | Blame | Behind | VotesFrom | Keep
"""What concerns blocks and guilt; the other effects speak to disk, signer, peers and clock."""

Effect: TypeAlias = (
    Journal
    | Sign
    | Broadcast
    | SendTo
    | Relay
    | CheckSignatures
    | CheckAggregates
    | CheckShares
    | SetTimer
    | CancelTimer
    | BlockEffect
)
