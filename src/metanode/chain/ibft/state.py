"""What one seat remembers of one height."""

from dataclasses import dataclass, field
from enum import Enum
from itertools import count
from typing import Final

from metanode.chain.bls import ShareBuffer, has_seal
from metanode.chain.evidence import VALUE_KINDS, certificate_votes, conflict, contradicts, forgets
from metanode.chain.ibft.diary import Diary
from metanode.chain.ibft.events import NO_SEAT, Accuse, Effect, Sign
from metanode.chain.ibft.messages import Ballot, Proposal, RoundChange
from metanode.chain.ibft.schedule import leader, round_timeout_ms
from metanode.primitives.names import NO_HASH, Hash, Height, Round, Seat
from metanode.records.commit import BlsCommit, PreparedCertificate, commit_signing_bytes, prepare_signing_bytes
from metanode.records.evidence import Amnesia, ConflictingVotes, ContradictedCommit, Evidence
from metanode.records.proposal import ProposalContent
from metanode.records.validators import ValidatorSet
from metanode.records.vote import NO_ROUND, Justification, Vote, VoteKind

ROUNDS_AHEAD_MAX: Final = 16
"""Votes of rounds further ahead are not kept: a seat that far behind hears f+1 ROUND-CHANGEs first (IBFT-M3)."""
ROUNDS_BEHIND_MAX: Final = 64
"""Votes of older rounds are forgotten: 64 rounds at the capped timeout are half an hour (IBFT-C1)."""
ACCUSED_MAX: Final = 8
"""Accusations of one seat in one height: one convicts; a flood of them is neither kept nor passed on (IBFT-M3)."""

FIRST_ROUND: Final = Round(0)
"""Where every height begins."""


class Recorded(Enum):
    """What became of a checked vote."""

    FIRST = 1
    """It counts."""
    SAME = 2
    """Known already."""
    CONFLICT = 3
    """A second, different one: evidence, and nothing else (IBFT-M2)."""


@dataclass(slots=True)
class Lead:
    """What this seat is about to propose in the current round; `header_hash` is zeros while it is being built."""

    justification: Justification
    header_hash: Hash
    signing: bool = False


NO_JUSTIFICATION: Final = Justification(round_changes=(), certificates=())
"""Of round 0."""


@dataclass(slots=True)
class HeightState:
    """One height. Effects are gathered in `out` and taken by the door."""

    chain_id: Hash
    height: Height
    validators: ValidatorSet
    first_leader: Seat
    seat: Seat
    timeout_ms: int
    timeout_max_ms: int
    tokens: "count[int]"
    collects: bool = False

    out: list[Effect] = field(default_factory=list)
    due: bool = False
    round: Round = FIRST_ROUND
    announced: bool = False
    reached: tuple[int, int] = (-1, 0)
    candidate: Proposal | None = None
    accepted: Hash = NO_HASH
    shown: PreparedCertificate | None = None
    fell_back: bool = False
    prepared: PreparedCertificate | None = None
    certified: BlsCommit | None = None
    settled: bool = False
    decided: bool = False

    contents: dict[bytes, ProposalContent] = field(default_factory=dict)
    held: dict[bytes, bool] = field(default_factory=dict)
    valid: dict[bytes, bool] = field(default_factory=dict)
    validating: dict[bytes, tuple[bool, Seat]] = field(default_factory=dict)
    wanted: dict[bytes, list[Seat]] = field(default_factory=dict)

    lead: Lead | None = None
    proposed: dict[int, tuple[Hash, Justification]] = field(default_factory=dict)
    requested: dict[tuple[int, int], tuple[PreparedCertificate, ...]] = field(default_factory=dict)
    own: dict[int, Proposal | Ballot | RoundChange] = field(default_factory=dict)
    spoken: list[Vote] = field(default_factory=list)

    votes: dict[tuple[int, int], dict[Seat, Vote]] = field(default_factory=dict)
    accused: dict[tuple[int, int, int], bool] = field(default_factory=dict)
    changes: dict[int, dict[Seat, RoundChange]] = field(default_factory=dict)
    latest: dict[Seat, RoundChange] = field(default_factory=dict)
    justifications: list[Justification] = field(default_factory=list)

    shares: dict[tuple[int, int, bytes], ShareBuffer] = field(default_factory=dict)
    asked: dict[int, tuple[int, int, bytes]] = field(default_factory=dict)
    suspects: dict[Seat, bool] = field(default_factory=dict)
    diary: Diary = field(default_factory=Diary)
    asks: int = 0
    round_timer: str = ""
    resend_timer: str = ""

    @property
    def quorum(self) -> int:
        """Q of this height."""
        return self.validators.quorum

    @property
    def observes(self) -> bool:
        """Whether this node has no word in this height: no seat, or the height is settled (IBFT-C2)."""
        return self.seat == NO_SEAT or self.settled

    @property
    def leads(self) -> bool:
        """Whether this seat leads the current round."""
        return self.seat == self.leader_of(self.round)

    def leader_of(self, round_: int) -> Seat:
        """The leader of a round."""
        return leader(self.first_leader, len(self.validators), round_)

    def timeout_of(self, round_: int) -> int:
        """How long a round may take, in milliseconds."""
        return round_timeout_ms(self.timeout_ms, self.timeout_max_ms, round_)

    def keeps(self, kind: int, round_: int) -> bool:
        """IBFT-M3. Whether votes of this kind and round are kept: bounded ahead, and behind only COMMITs (C1)."""
        least = self.round - ROUNDS_BEHIND_MAX if kind == VoteKind.COMMIT else self.round
        return least <= round_ <= self.round + ROUNDS_AHEAD_MAX

    def record(self, vote: Vote) -> Recorded:
        """IBFT-M2. One checked vote a (kind, round, seat) counts; a second, different one accuses its sender, once."""
        table = self.votes.setdefault((vote.kind, vote.round), {})
        seat = Seat(vote.seat)
        known = table.get(seat)
        if known is None:
            table[seat] = vote
            self.diary.arrived(vote, self.round)
            self._hold_against(vote)
            return Recorded.FIRST
        if not conflict(known, vote):
            return Recorded.SAME
        self.accuse(vote, ConflictingVotes(validators_hash=self.validators.hash, first=known, second=vote))
        return Recorded.CONFLICT

    def _hold_against(self, vote: Vote) -> None:
        """EVID-3. Its words of other kinds in this round are for the same value, or it accepted two."""
        for kind in VALUE_KINDS:
            known = self.votes.get((kind, vote.round), {}).get(Seat(vote.seat))
            if known is not None and conflict(known, vote):
                self.accuse(vote, ConflictingVotes(validators_hash=self.validators.hash, first=known, second=vote))

    def learn_prepares(self, certificate: PreparedCertificate) -> None:
        """IBFT-P5, EVID-3. The PREPAREs of a checked certificate are votes like any: two certificates of one round for
        different values, which f liars cannot make, accuse every seat that is in both."""
        for vote in certificate_votes(certificate, self.validators):
            if is_learnt(self, vote):
                self.record(vote)

    def watch(self, vote: Vote) -> None:
        """EVID-4. Hold a COMMIT against every ROUND-CHANGE of its seat, and a ROUND-CHANGE against every COMMIT."""
        seat, is_commit = Seat(vote.seat), vote.kind == VoteKind.COMMIT
        other = VoteKind.ROUND_CHANGE if is_commit else VoteKind.COMMIT
        for (kind, _), table in self.votes.items():
            if kind == other and seat in table:
                self._compare(*((vote, table[seat]) if is_commit else (table[seat], vote)))

    def _compare(self, commit: Vote, change: Vote) -> None:
        """EVID-4. A COMMIT in a round and a ROUND-CHANGE to a later one that hides it convict, in whatever order."""
        if forgets(commit, change):
            evidence = Amnesia(validators_hash=self.validators.hash, commit=commit, round_change=change)
            self.accuse(change, evidence)

    def accuse(self, vote: Vote, evidence: Evidence) -> None:
        """IBFT-M3. One piece of evidence a (kind, round, seat) is enough, and a few a seat."""
        key = (vote.kind, vote.round, vote.seat)
        if key not in self.accused and not is_exposed(self, Seat(vote.seat)):
            self.accused[key] = True
            self.out.append(Accuse(evidence))

    def buffer(self, kind: VoteKind, round_: int, header_hash: bytes) -> ShareBuffer:
        """The shares of one seal message."""
        key = (int(kind), round_, header_hash)
        known = self.shares.get(key)
        if known is None:
            message = self._seal_message(kind, round_, header_hash)
            known = self.shares[key] = ShareBuffer(message, self.validators.bls_keys, self.quorum)
        return known

    def _seal_message(self, kind: VoteKind, round_: int, header_hash: bytes) -> bytes:
        """What a BLS share of this kind signs; empty where the kind has none."""
        if not has_seal(kind, len(self.validators)):
            return b""
        make = commit_signing_bytes if kind is VoteKind.COMMIT else prepare_signing_bytes
        return make(self.chain_id, self.validators.hash, self.height, Round(round_), Hash(header_hash))

    def sign(
        self,
        kind: VoteKind,
        header_hash: bytes,
        prepared_round: int = NO_ROUND,
        attachment: bytes = NO_HASH,
        certificates: tuple[PreparedCertificate, ...] = (),
    ) -> None:
        """Ask for our own vote in the current round. Callers journal the step before (IBFT-R1, R2, V1, P9)."""
        assert not self.observes, "observers do not sign"
        vote = Vote(
            version=1,
            kind=kind,
            height=self.height,
            round=self.round,
            seat=self.seat,
            header_hash=header_hash,
            prepared_round=prepared_round,
            attachment=attachment,
            seal=b"",
            signature=b"",
        )
        self.requested[kind, self.round] = certificates
        seal_message = self._seal_message(kind, self.round, header_hash)
        self.out.append(Sign(vote, self.chain_id, self.validators.hash, seal_message))


def hold_all_against(state: HeightState, commit: BlsCommit) -> None:
    """EVID-9. A certificate stands for a COMMIT of each of its seats: hold what they said against it."""
    for table in list(state.votes.values()):
        for vote in table.values():
            if contradicts(commit, vote, state.validators):
                hash_ = state.validators.hash
                state.accuse(vote, ContradictedCommit(validators_hash=hash_, commit=commit, vote=vote))


def is_learnt(state: HeightState, prepare: Vote) -> bool:
    """IBFT-M3. Whether a PREPARE is kept that a certificate shows: also of rounds that are over."""
    return state.round - ROUNDS_BEHIND_MAX <= prepare.round <= state.round + ROUNDS_AHEAD_MAX


def is_exposed(state: HeightState, seat: Seat) -> bool:
    """Whether a seat was accused so often that nothing more is to be gained from its lies."""
    return sum(accused == seat for _, _, accused in state.accused) >= ACCUSED_MAX
