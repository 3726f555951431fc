"""Between the wire and the rules: everything waits here until its signatures are checked, in one batch at a time."""

from dataclasses import dataclass, field
from itertools import count
from typing import Final, TypeVar

from metanode.chain.bls import AggregateClaim
from metanode.chain.evidence import SignatureClaim
from metanode.chain.ibft.events import NO_SEAT, CheckAggregates, CheckSignatures
from metanode.chain.ibft.messages import Ballot, Content, Decided, Message, Prepared, Proposal, RoundChange
from metanode.primitives.names import Seat
from metanode.primitives.refusal import Rejected
from metanode.records.block import LEAF_BYTES

WAITING_MAX: Final = 1_024
"""Unchecked messages by one link: 256 relayed votes of each of four kinds (IBFT-M3)."""
WAITING_BYTES_MAX: Final = 24 << 20
"""Unchecked bytes by one link: two of the largest proposals and some (IBFT-M3)."""
CHECKED_MAX: Final = 16_384
"""Remembered signatures: every vote of 256 seats in 16 rounds. The oldest is forgotten, and would be checked again."""
AHEAD_HEIGHTS_MAX: Final = 2
"""Messages of heights further ahead are a hint that we are behind, and not kept (IBFT-M3)."""
AHEAD_MAX: Final = 64
"""Messages of coming heights by one link: its own words of two rounds, and what it may relay (IBFT-M3)."""
AHEAD_BYTES_MAX: Final = 10 << 20
"""Bytes of coming heights by one link: one of the largest proposals (IBFT-M3)."""
_Claim = TypeVar("_Claim", SignatureClaim, AggregateClaim)
_VOTE_BYTES: Final = 320
_SIGNATURE_BYTES: Final = 66


@dataclass(frozen=True, slots=True)
class Waiting:
    """A message whose form is right, what has to be checked before it counts, and what is known against it.

    `own_signatures`: how many of the first signatures are the sender's own; `unjustified`: why the sender, if the
    message is really his, is guilty of an unjustified proposal.
    """

    message: Proposal | Ballot | Prepared | RoundChange | Decided
    origin: Seat
    signatures: tuple[SignatureClaim, ...]
    aggregates: tuple[AggregateClaim, ...]
    unjustified: tuple[Rejected, ...] = ()


@dataclass(frozen=True, slots=True)
class Judged:
    """A message with the verdicts on it: the sender's own signature, and everything else it carries."""

    waiting: Waiting
    signed: bool
    supported: bool


def weight(message: Message, size: int = 0) -> int:
    """How much of its link's share a message takes: its bytes, and where they are few what it costs to hold it. Fields
    that nobody has looked at yet may be as long as the message."""
    return max(size, _held_bytes(message))


def _held_bytes(message: Message) -> int:
    match message:
        case Proposal(content=content, justification=justification):
            proofs = sum(len(c.proof) * _SIGNATURE_BYTES for c in justification.certificates)
            carried = len(content.leaves) + len(content.evidence) * LEAF_BYTES
            return (len(justification.round_changes) + 2) * _VOTE_BYTES + proofs + carried
        case Prepared(certificate=certificate):
            return _VOTE_BYTES + len(certificate.proof) * _SIGNATURE_BYTES
        case Content(content=content):
            return _VOTE_BYTES + len(content.leaves)
        case _:
            return _VOTE_BYTES


class Ledger:
    """How much each link has waiting."""

    def __init__(self, count_max: int, bytes_max: int) -> None:
        self._count_max: Final = count_max
        self._bytes_max: Final = bytes_max
        self._used: dict[Seat, tuple[int, int]] = {}

    def take(self, origin: Seat, size: int) -> bool:
        """IBFT-M3. Whether there is room; if so it is taken."""
        items, total = self._used.get(origin, (0, 0))
        if items >= self._count_max or total + size > self._bytes_max:
            return False
        self._used[origin] = items + 1, total + size
        return True

    def clear(self) -> None:
        """Everything has left."""
        self._used.clear()


@dataclass(slots=True)
class _Flight:
    """One batch that is out. A token of 0 was not needed, or is answered."""

    batch: list[Waiting]
    signatures: dict[SignatureClaim, bool]
    aggregates: dict[AggregateClaim, bool]
    signature_token: int = 0
    aggregate_token: int = 0


@dataclass(slots=True)
class Intake:
    """Batches checks: what arrives while one batch is out goes into the next; nothing is checked twice (BLS-B6, M1)."""

    tokens: "count[int]"
    checked: dict[SignatureClaim | AggregateClaim, bool] = field(default_factory=dict)
    _queue: list[Waiting] = field(default_factory=list)
    _used: Ledger = field(default_factory=lambda: Ledger(WAITING_MAX, WAITING_BYTES_MAX))
    _flight: _Flight | None = None

    def offer(self, waiting: Waiting, size: int) -> bool:
        """IBFT-M3. Queue a message of so many bytes; false where its link has too much waiting already."""
        if not self._used.take(waiting.origin, size):
            return False
        self._queue.append(waiting)
        return True

    def trust(self, claim: SignatureClaim) -> None:
        """A signature known to be good: our own."""
        self._remember(claim)

    def next_batch(self) -> tuple[list[CheckSignatures | CheckAggregates], list[Judged]]:
        """IBFT-M1. The checks to ask for now, and the messages that need none; nothing while a batch is out."""
        if self._flight is not None or not self._queue:
            return [], []
        batch, self._queue = self._queue, []
        self._used.clear()
        flight = _Flight(batch, {}, {})
        for waiting in batch:
            flight.signatures.update((c, False) for c in waiting.signatures if c not in self.checked)
            flight.aggregates.update((c, False) for c in waiting.aggregates if c not in self.checked)
        asked: list[CheckSignatures | CheckAggregates] = []
        if flight.signatures:
            flight.signature_token = next(self.tokens)
            asked.append(CheckSignatures(flight.signature_token, tuple(flight.signatures)))
        if flight.aggregates:
            flight.aggregate_token = next(self.tokens)
            asked.append(CheckAggregates(flight.aggregate_token, tuple(flight.aggregates)))
        if not asked:
            return [], self._judge(flight)
        self._flight = flight
        return asked, []

    def answered(self, token: int, verdicts: tuple[bool, ...]) -> list[Judged]:
        """Take verdicts; once all of a batch are there, its messages in order of arrival."""
        flight = self._flight
        if flight is None or token == 0:
            return []
        if token == flight.signature_token:
            flight.signature_token = 0
            self._learn(flight.signatures, verdicts)
        elif token == flight.aggregate_token:
            flight.aggregate_token = 0
            self._learn(flight.aggregates, verdicts)
        else:
            return []
        if flight.signature_token or flight.aggregate_token:
            return []
        self._flight = None
        return self._judge(flight)

    def forget(self) -> None:
        """A height is over: what waits was for it. An answer that is still to come is ignored."""
        self._flight = None
        self._queue.clear()
        self._used.clear()
        self.checked.clear()

    def _learn(self, claims: dict[_Claim, bool], verdicts: tuple[bool, ...]) -> None:
        for claim, good in zip(tuple(claims), verdicts, strict=True):
            claims[claim] = good
            if good:
                self._remember(claim)

    def _remember(self, claim: SignatureClaim | AggregateClaim) -> None:
        if len(self.checked) >= CHECKED_MAX:
            del self.checked[next(iter(self.checked))]
        self.checked[claim] = True

    def _judge(self, flight: _Flight) -> list[Judged]:
        """What the batch did not ask about was checked before."""
        judged = []
        for waiting in flight.batch:
            own, others = waiting.signatures[:1], waiting.signatures[1:]
            signed = all(flight.signatures.get(c, True) for c in own)
            envelopes = all(flight.signatures.get(c, True) for c in others)
            supported = envelopes and all(flight.aggregates.get(c, True) for c in waiting.aggregates)
            judged.append(Judged(waiting, signed, supported))
        return judged


class Ahead:
    """IBFT-M3. Messages of the next heights: kept in order of arrival, bounded by link."""

    def __init__(self) -> None:
        self._kept: list[tuple[int, Message, Seat, int]] = []
        self._used: Final = Ledger(AHEAD_MAX, AHEAD_BYTES_MAX)

    def keep(self, height: int, message: Message, origin: Seat, size: int) -> bool:
        """Keep a message of a coming height, of so many bytes; false where its link has filled its share."""
        if not self._used.take(origin, size):
            return False
        self._kept.append((height, message, origin, size))
        return True

    def take(self, height: int, *, same: bool) -> list[tuple[Message, Seat, int]]:
        """Everything of this height; what is older is dropped. Not `same`: the set has changed, another validator has
        the seat by whose link a message came: nobody answers for it any more, at this height or a later one."""
        if not same:
            self._kept = [(at, message, NO_SEAT, size) for at, message, _, size in self._kept]
        due = [(message, origin, size) for at, message, origin, size in self._kept if at == height]
        self._kept = [entry for entry in self._kept if entry[0] > height]
        self._used.clear()
        for _, _, origin, size in self._kept:
            self._used.take(origin, size)
        return due
