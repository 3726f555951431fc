"""What a seat has heard at the height it works on, and the steps it took: all that the rules let it act upon."""

from dataclasses import dataclass, field
from typing import Final, TypeAlias

from metanode.chain import ibft
from metanode.chain.ibft import Accepted, Ballot, Decided, Held, Locked, Moved, Proposal, Proposed, RoundChange, Settled
from metanode.primitives.refusal import Rejected
from metanode.records.commit import BlsCommit, PreparedCertificate
from metanode.records.header import read_header
from metanode.records.validators import ValidatorSet
from metanode.records.vote import NO_ROUND, Vote
from metanode.sim.oracle.numbers import first_leader, liars, quorum
from metanode.sim.oracle.proofs import COMMIT, PREPARE, PROPOSAL, ROUND_CHANGE, Proofs, prepares_of, word

AHEAD: Final = 16
"""IBFT-M3. Votes are kept so many rounds ahead."""
BEHIND: Final = 64
"""IBFT-M3. COMMITs are kept so many rounds back."""
RELAY_SEATS_MAX: Final = 16
"""IBFT-M4. In larger sets nothing is passed on."""
ACCUSED: Final = 8
"""IBFT-M3. Of one seat's lies no more are told in one height."""

Debt: TypeAlias = tuple[str | int, ...]
"""Names something that must be said before the turn is over."""


@dataclass(slots=True)
class Knowledge:
    """One seat, one height, one life. `seat` is -1 for who has none; `owed` names what this turn still has to bring,
    with the rule that asks for it; `vouched`: accepted in some round, perhaps before a stop, so found valid then."""

    proofs: Proofs
    members: ValidatorSet
    height: int
    seat: int
    leader_0: int
    collects: bool
    timeout_ms: int
    timeout_max_ms: int
    count: int = 0
    quorum: int = 0
    liars: int = 0

    round: int = 0
    announced: bool = False
    block_due: bool = False
    resumed: bool = False
    accepted: bytes = b""
    vouched: dict[bytes, bool] = field(default_factory=dict)
    prepared: PreparedCertificate | None = None
    proposed: dict[int, Proposed] = field(default_factory=dict)
    settled: BlsCommit | None = None
    decided: bool = False
    held: set[bytes] = field(default_factory=set)
    reached: tuple[int, int] = (-1, 0)

    votes: dict[tuple[int, int], dict[int, Vote]] = field(default_factory=dict)
    tally: dict[tuple[int, int, bytes], int] = field(default_factory=dict)
    proposals: dict[int, Proposal | None] = field(default_factory=dict)
    changes: dict[int, dict[int, RoundChange]] = field(default_factory=dict)
    furthest: dict[int, RoundChange] = field(default_factory=dict)
    all_changes: dict[bytes, Vote] = field(default_factory=dict)
    free: dict[int, dict[int, bool]] = field(default_factory=dict)
    accused: dict[tuple[int, int, int], bool] = field(default_factory=dict)
    certified: dict[bytes, int] = field(default_factory=dict)
    told: dict[BlsCommit, bool] = field(default_factory=dict)
    taken_up: dict[int, bool] = field(default_factory=dict)
    speaking: bool = False
    observed: bool = False
    ran_out: int = -1
    fell_back: bool = False
    shown: dict[int, PreparedCertificate] = field(default_factory=dict)
    fresh: bool = True

    valid: dict[bytes, bool] = field(default_factory=dict)
    invalid: dict[bytes, bool] = field(default_factory=dict)
    judging: dict[bytes, bool] = field(default_factory=dict)
    wanted: dict[bytes, bool] = field(default_factory=dict)

    asked: dict[tuple[int, int], tuple[bytes, int, bytes]] = field(default_factory=dict)
    own: dict[bytes, Vote] = field(default_factory=dict)
    said: dict[int, Proposal | Ballot | RoundChange] = field(default_factory=dict)
    built: int = -1
    round_timer: str = ""
    slow_timer: str = ""
    passed: dict[tuple[int, int], bool] = field(default_factory=dict)
    owed: dict[Debt, str] = field(default_factory=dict)

    def leader(self, round_: int) -> int:
        """IBFT-P1. Every seat once in n rounds."""
        return (self.leader_0 + round_) % self.count

    @property
    def leads(self) -> bool:
        """Whether this seat leads its round."""
        return self.seat == self.leader(self.round)

    @property
    def by_leader(self) -> bool:
        """IBFT-L1, L3. Whether votes go to the leader alone: in large sets, in round 0, until the slow timer."""
        return self.collects and self.round == 0 and not self.fell_back

    @property
    def in_trouble(self) -> bool:
        """IBFT-M4. A round has failed, in a small set."""
        return self.round > 0 and self.count <= RELAY_SEATS_MAX

    def here(self) -> int:
        """IBFT-V8. How many seats are known to have come as far as this round, this one among them."""
        seats = {self.seat} | {seat for seat, change in self.furthest.items() if change.vote.round >= self.round}
        for (_, round_), table in self.votes.items():
            if round_ >= self.round:
                seats.update(table)
        return len(seats)

    # --- what is heard ------------------------------------------------------------------------------------------------

    def hear(self, message: ibft.Message, origin: int) -> None:
        """A message that speaks of this height. What the rules say not to count, is not counted."""
        match message:
            case Ballot(vote=vote):
                self._ballot(vote)
            case RoundChange():
                self._round_change(message, origin)
            case Proposal():
                self.wanted.pop(message.vote.header_hash, None)
                self._proposal(message, origin)
            case Decided(commit=commit, header=header):
                if _hash_of(header) == commit.header_hash and self.proofs.final(commit, self.members):
                    self.told[commit] = self.fresh = True
                    self.certified.setdefault(commit.header_hash, commit.round)
            case ibft.Prepared(certificate=certificate):
                self._prepared(certificate)
            case ibft.Content(content=content):
                self.wanted.pop(_hash_of(content.header), None)
            case _:
                pass  # questions, and answers to our own

    def _ballot(self, vote: Vote) -> None:
        """IBFT-M2, M3. A PREPARE of this round or up to 16 ahead, a COMMIT of up to 64 behind, too."""
        kind, round_, seat = vote.kind, vote.round, vote.seat
        least = self.round - BEHIND if kind == COMMIT else self.round
        if not least <= round_ <= self.round + AHEAD or kind not in (PREPARE, COMMIT):
            return
        if vote.prepared_round != NO_ROUND or not self.proofs.signed(vote, self.members):
            return
        known = self.votes.get((kind, round_), {}).get(seat)
        if not self.count_vote(vote):
            return
        self._owe_relay(vote, known)
        candidate = self.proposals.get(round_)
        if kind == PREPARE and round_ == self.round and candidate is not None and self.speaking:
            mine = candidate.vote.header_hash
            if vote.header_hash != mine and self.accepted in {b"", mine}:
                self.owed["show", round_, seat] = "IBFT-M5: who prepares another value is sent the proposal"

    def count_vote(self, vote: Vote) -> bool:
        """IBFT-M2. The first word of a (kind, round, seat) counts; another one accuses. Whether it was the first."""
        table = self.votes.setdefault((vote.kind, vote.round), {})
        known = table.get(vote.seat)
        if known is not None:
            if known is not vote and known != vote and word(known) != word(vote):
                self._owe_accusation(vote)
            return False
        table[vote.seat] = vote
        self.fresh = True
        if self.proofs.shared(vote, self.members):
            key = vote.kind, vote.round, vote.header_hash
            tally = self.tally[key] = self.tally.get(key, 0) + 1
            if vote.kind == COMMIT and tally >= self.quorum:
                self.certified.setdefault(vote.header_hash, vote.round)
        return True

    def _owe_accusation(self, vote: Vote) -> None:
        key = vote.kind, vote.round, vote.seat
        if key not in self.accused and sum(seat == vote.seat for _, _, seat in self.accused) < ACCUSED:
            self.owed["accuse", *key] = "IBFT-M2: a second word is evidence"

    def _owe_relay(self, vote: Vote, known: Vote | None) -> None:
        """IBFT-M4. Heard for the first time, in this round, after a round has failed, in a small set."""
        if known is not None or vote.round != self.round or not self.in_trouble or vote.seat == self.seat:
            return
        if self.speaking:
            self.owed["relay", vote.kind, vote.round, vote.seat] = "IBFT-M4: in trouble a vote is passed on"

    def _round_change(self, message: RoundChange, origin: int) -> None:
        """IBFT-M3, V2, V3. Of each seat the furthest one, however far; those of rounds at hand each once."""
        vote = message.vote
        known = self.furthest.get(vote.seat)
        if not self.proofs.round_change(message, self.members, self.height):
            return
        self.all_changes[vote.signature] = vote
        if not message.certificates:
            self.free.setdefault(vote.round, {})[vote.seat] = True
        if known is not None and (known.vote == vote or vote.round < known.vote.round):
            return
        if origin != self.seat:
            self._learn(message.certificates)
        first = vote.seat not in self.votes.get((ROUND_CHANGE, vote.round), {})
        kept = self.round <= vote.round <= self.round + AHEAD
        if kept and not self.count_vote(vote):
            return
        if known is None or vote.round > known.vote.round:
            self.furthest[vote.seat] = message
        self.fresh = True
        if kept:
            self.changes.setdefault(vote.round, {})[vote.seat] = message
            self._owe_relay(vote, None if first else vote)
        elif vote.round < self.round:
            said = self.said.get(ROUND_CHANGE)
            if said is not None and said.vote.round == self.round and vote.seat != self.seat:
                self.owed["answer", self.round, vote.seat] = (
                    "IBFT-V5: a ROUND-CHANGE to a lower round is answered with our own"
                )

    def _prepared(self, certificate: PreparedCertificate) -> None:
        """IBFT-L2. A certificate of this round stands for the PREPAREs that only the leader heard."""
        here = self.prepared is not None and self.prepared.round == self.round
        if certificate.round != self.round or self.round in self.shown or here:
            return
        if self.proofs.prepared(certificate, self.members, self.height):
            self.shown[self.round] = certificate
            self._learn((certificate,))
            self.fresh = True

    def _learn(self, certificates: tuple[PreparedCertificate, ...]) -> None:
        """IBFT-P5. PREPAREs learnt from certificates count like any."""
        for certificate in certificates:
            if self.round - BEHIND <= certificate.round <= self.round + AHEAD:
                for vote in prepares_of(certificate, self.count):
                    self.count_vote(vote)

    def _proposal(self, message: Proposal, origin: int) -> None:
        """IBFT-P2 … P6. The first of its round that its leader signed; one that nothing justifies convicts him, and
        takes the place of any other (M2)."""
        vote, why = message.vote, message.justification
        if vote.round < self.round or not self.proofs.proposal(message, self.members, self.leader(vote.round)):
            return
        if (PROPOSAL, vote.round, vote.seat) in self.accused or not self.proofs.own_words(vote, why):
            return
        if self.proofs.justified(self.height, vote.round, vote.header_hash, why, self.members):
            if vote.round <= self.round + AHEAD:
                self._owe_accusation(vote)
            return
        if not self.proofs.supported(why, self.members, self.height):
            return
        known = self.votes.get((PROPOSAL, vote.round), {}).get(vote.seat)
        if known == vote and origin != self.seat:
            return
        if origin != self.seat:
            for change in why.round_changes:
                self.count_vote(change)
            self._learn(why.certificates)
        first = self.count_vote(vote)
        if first or word(self.votes[PROPOSAL, vote.round][vote.seat]) == word(vote):
            self.proposals.setdefault(vote.round, message)
            self.taken_up[vote.round] = True
            self.fresh = True
            self._owe_relay(vote, known)

    # --- the steps it took --------------------------------------------------------------------------------------------

    def fold(self, record: ibft.Record) -> None:
        """GUARD-10. A record found at the start: how far the journal went, in the order of the guard's steps. What an
        observer writes later does not bring back the steps that were lost."""
        order = {Moved: 1, Proposed: 2, Accepted: 3}.get(type(record), 0)
        if isinstance(record, Moved | Proposed | Accepted):
            self.reached = max(self.reached, (record.round, order))
        elif isinstance(record, Locked):
            self.reached = max(self.reached, (record.certificate.round, 4))
        self.step(record)

    def step(self, record: ibft.Record) -> None:
        """A record of its journal, permitted or folded again."""
        self.fresh = True
        match record:
            case Held(content=content):
                self.held.add(_hash_of(content.header))
            case Proposed(round=round_):
                self._enter(round_, announced=False)
                self.proposed[round_] = record
            case Accepted(round=round_, header_hash=header_hash):
                self._enter(round_, announced=False)
                self.accepted = header_hash
                self.vouched[header_hash] = True
            case Locked(certificate=certificate):
                self._enter(certificate.round, announced=False)
                self.prepared = certificate
            case Moved(round=round_, announced=announced):
                self._enter(round_, announced=announced)
            case Settled(commit=commit):
                self.settled = commit
            case _:
                self.own[record.vote.signature] = record.vote
                self.count_vote(record.vote)

    def _enter(self, round_: int, *, announced: bool) -> None:
        """IBFT-P7, V7. A round entered: what was accepted is forgotten, what was prepared is not."""
        if round_ <= self.round:
            self.announced = self.announced or announced
            return
        self.round, self.announced = round_, announced
        self.accepted, self.round_timer, self.slow_timer = b"", "", ""
        for seat, change in self.furthest.items():
            if change.vote.round == round_:
                self.changes.setdefault(round_, {}).setdefault(seat, change)

    def speak(self, vote: Vote) -> None:
        """A word of this seat, signed."""
        self.own[vote.signature] = vote
        self.fresh = True


def begin(proofs: Proofs, event: ibft.HeightBegins) -> Knowledge:
    """Nothing is known of a height that begins."""
    count = len(event.validators)
    return Knowledge(
        proofs=proofs,
        members=event.validators,
        height=event.height,
        seat=event.seat,
        leader_0=first_leader(event.previous_validators, event.previous_proposer, event.validators),
        collects=count > event.all_to_all_max,
        timeout_ms=event.round_timeout_ms,
        timeout_max_ms=event.round_timeout_max_ms,
        count=count,
        quorum=quorum(count),
        liars=liars(count),
    )


def _hash_of(header: bytes) -> bytes:
    """The hash of a header; empty where it is none."""
    try:
        return read_header(header).hash
    except Rejected:
        return b""
