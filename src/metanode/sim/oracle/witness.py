"""Engine and oracle in lock-step: a witness of one machine hears what it hears, and judges all that it does."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

from metanode.chain import ibft
from metanode.chain.guard import LastWord, LastWordAsked
from metanode.chain.ibft import Ballot, Content, Decided, Prepared, Proposal, RoundChange, Wanted
from metanode.records.commit import PreparedCertificate
from metanode.records.validators import ValidatorSet
from metanode.records.vote import Vote, VoteKind
from metanode.sim.oracle import may_decide, may_send, may_step
from metanode.sim.oracle.bounds import outgrown
from metanode.sim.oracle.guilt import accused_word, framed
from metanode.sim.oracle.knowledge import Debt, Knowledge, begin
from metanode.sim.oracle.memory import Chronicle, Signatures
from metanode.sim.oracle.must import must
from metanode.sim.oracle.numbers import quorum
from metanode.sim.oracle.proofs import COMMIT, PREPARE, PROPOSAL, ROUND_CHANGE, Proofs

AHEAD_HEIGHTS: Final = 2
"""IBFT-M3. Words of so many coming heights are kept."""
HIDDEN: Final = {"chain_id", "validators_hash", "seal", "signature", "now_ms", "leaves", "evidence", "proof", "version"}
"""Fields that tell the eye nothing."""
LOOK_EVERY: Final = 256
"""The engine's stores are measured after so many turns, and whenever a height begins."""


class Difference(AssertionError):
    """The machine did what a rule forbids, or did not do what one demands."""


_SOMEBODY: Final = -2
"""A link whose seat does not matter, and that is not ours."""


class Witness:
    """Of one machine, through one life. `signatures` is the memory of its key through all of them, `chronicle` that of
    all honest seats, `name` what to call it."""

    def __init__(
        self, name: str, machine: ibft.Ibft, proofs: Proofs, signatures: Signatures, chronicle: Chronicle
    ) -> None:
        self.name: Final = name
        self.machine: Final = machine
        self.proofs: Final = proofs
        self.signatures: Final = signatures
        self.chronicle: Final = chronicle
        self.turns = 0
        self.known: Knowledge | None = None
        self._ahead: list[tuple[int, ibft.Message, int]] = []
        self._guarded: tuple[int, int, int] | None = None
        self._from_height = -1
        self._answers: dict[int, bool] = {}
        self._vouched = False
        self._decision: tuple[int, bytes] = (0, b"")
        self._decisions: dict[int, int] = {}
        self._members: Final[dict[bytes, ValidatorSet]] = {}
        self._late: dict[int, bool] = {}
        self._event: ibft.Event | None = None
        self._effects: Final[dict[type, Callable[[Knowledge, Any], Iterator[str]]]] = {
            ibft.Journal: self._journal,
            ibft.Sign: self._sign,
            ibft.Broadcast: self._broadcast,
            ibft.SendTo: self._send,
            ibft.Relay: self._relay,
            ibft.SetTimer: self._set_timer,
            ibft.CancelTimer: self._cancel_timer,
            ibft.Build: self._build,
            ibft.Validate: self._validate,
            ibft.Decide: self._decide,
            ibft.Diverged: self._diverged,
            ibft.Improved: self._improved,
            ibft.Accuse: self._accuse,
            ibft.VotesFrom: self._votes_from,
        }

    # --- lock-step ----------------------------------------------------------------------------------------------------

    def turn(self, event: ibft.Event, effects: Sequence[ibft.Effect]) -> None:
        """The machine heard this and answered with that. Raises `Difference` at the first thing that is forbidden."""
        self.turns += 1
        self._event = event
        self._hear(event, effects)
        known = self.known
        if known is None:
            return
        for effect in effects:
            judge = self._effects.get(type(effect))
            if judge is not None:
                for wrong in judge(known, effect):
                    self._differ(wrong, effect)

    def rest(self) -> None:
        """Nothing follows any more from what happened outside: what is due must be done. Raises `Difference`."""
        known = self.known
        if known is None:
            return
        if self._late:
            self._differ(f"IBFT-V5: who still changes rounds hears the decision: seats {list(self._late)}", None)
        if known.owed:
            self._collect(known)
        if known.fresh:
            known.fresh = False
            for wrong in must(known):
                self._differ(wrong, None)
        if self.turns % LOOK_EVERY == 0:
            self._measure()

    def signed(self, vote: Vote) -> None:
        """The key let this out, whoever hears of it. Raises `Difference`."""
        if wrong := self.signatures.signed(self.name, vote):
            self._differ(wrong, vote)

    def _differ(self, wrong: str, did: object) -> None:
        known = self.known
        place = f"height {known.height}, round {known.round}" if known is not None else "before the first height"
        what = f"did {_show(did)}" if did is not None else "did nothing more"
        raise Difference(f"{self.name} at {place}: {wrong}\n  it heard {_show(self._event)}\n  it {what}")

    def _collect(self, known: Knowledge) -> None:
        """What this turn still owes; of no use any more once the height is decided."""
        owed, known.owed = known.owed, {}
        if known.settled is None and not known.decided:
            for debt, rule in owed.items():
                if not _is_void(known, debt):
                    self._differ(f"{rule}: owes {debt}", None)

    def _measure(self) -> None:
        for wrong in outgrown(self.machine):
            self._differ(wrong, None)

    # --- hearing ------------------------------------------------------------------------------------------------------

    def _hear(self, event: ibft.Event, effects: Sequence[ibft.Effect]) -> None:
        known = self.known
        match event:
            case ibft.Received(_, message, origin):
                if known is not None and not _is_flood(effects):
                    self._received(known, message, origin)
            case ibft.HeightBegins():
                self._begin(event)
            case ibft.Started(_, guard):
                self._guarded = guard.height, guard.round, guard.step
            case ibft.VotingAllowed():
                self._vouched = True
            case ibft.SignaturesChecked() | ibft.AggregatesChecked() | ibft.SharesChecked():
                pass
            case _:
                if known is not None:
                    self._happen(known, event)
        if self.known is not None and not isinstance(event, ibft.Received | ibft.SignaturesChecked):
            self._may_speak(self.known)

    def _happen(self, known: Knowledge, event: ibft.Event) -> None:
        """What is not a message."""
        known.fresh = True
        match event:
            case ibft.BlockDue():
                known.block_due = True
            case ibft.Validated(_, value, valid, _, _):
                known.judging.pop(value, None)
                (known.valid if valid else known.invalid)[value] = True
            case ibft.Signed(_, vote) if vote.height == known.height:
                known.speak(vote)
                if vote.kind in (PREPARE, COMMIT):
                    known.count_vote(vote)
                    if known.by_leader and known.leads:
                        known.said[vote.kind] = Ballot(vote=vote)
                    else:
                        known.owed["say", vote.kind, vote.round] = "IBFT-V4, L1: what was signed is sent"
                elif vote.kind == ROUND_CHANGE:
                    known.owed["say", vote.kind, vote.round] = "IBFT-V1: what was signed is sent to all"
            case ibft.TimerFired(_, timer) if not known.decided:
                self._fired(known, timer)
            case ibft.Replayed(record) if record.height == known.height:
                known.fold(record)
            case ibft.Resumed():
                known.resumed = bool(known.round or known.accepted or known.proposed or known.block_due)
            case ibft.Seated(_, seat):
                known.seat = seat
            case _:
                pass  # refused, built, credited: what comes of it is judged by itself

    def _fired(self, known: Knowledge, timer: str) -> None:
        """IBFT-V1, V4. A timer that still runs has run out."""
        if timer == known.round_timer and known.settled is None:
            known.round_timer, known.ran_out = "", known.round
        elif timer == known.slow_timer:
            known.slow_timer, known.fell_back = "", True
            if known.speaking and known.settled is None:
                for kind, message in known.said.items():
                    if kind == COMMIT or (message.vote.round == known.round and kind != PROPOSAL):
                        known.owed["say", kind, message.vote.round] = "IBFT-V4: our words are said again"

    def _received(self, known: Knowledge, message: ibft.Message, origin: int) -> None:
        """IBFT-M2, M3. To its height; a stranger has nothing to say of this one."""
        match message:
            case Wanted() | LastWordAsked():
                return
            case LastWord():
                self._answered(known, message, origin)
                return
            case Decided(commit=commit):
                height = commit.height
            case Content():
                height = message.height
            case Prepared(certificate=certificate):
                height = certificate.height
            case _:
                height = message.vote.height
        if height == known.height and not known.decided:
            if origin >= 0:
                known.hear(message, origin)
        elif height > known.height:
            if height <= known.height + AHEAD_HEIGHTS and not isinstance(message, Decided | Content):
                self._ahead.append((height, message, origin))
        elif isinstance(message, RoundChange) and height <= self._decision[0] and origin not in (-1, *self._decisions):
            self._late[origin] = True

    def _begin(self, event: ibft.HeightBegins) -> None:
        if self.known is not None:
            self._measure()
        if self.known is None or self.known.members.validators != event.validators.validators:
            self._decisions.clear()  # of another set each number is another peer (M3)
        known = self.known = begin(self.proofs, event)
        self._members[event.validators.hash] = event.validators
        self._may_speak(known)
        early, self._ahead = self._ahead, []
        for height, message, origin in early:
            if height == event.height:
                known.hear(message, _SOMEBODY)  # its seat may have another number by now; nobody's own word
            elif height > event.height:
                self._ahead.append((height, message, origin))

    # --- whether it may speak -----------------------------------------------------------------------------------------

    def _may_speak(self, known: Knowledge) -> None:
        """GUARD-8, 9, 10. A seat, enough answers, and a journal that goes as far as the guard."""
        allowed = known.seat >= 0
        if allowed and self._guarded is not None:
            reached = known.height, *known.reached
            allowed = 0 <= self._from_height <= known.height and reached >= self._guarded
        known.observed = known.observed or not allowed
        known.speaking = allowed

    def _answered(self, known: Knowledge, word: LastWord, origin: int) -> None:
        """GUARD-8, 9. An answer counts if it shows nothing above the guard, or a word that the key really signed."""
        if known.seat < 0 or origin < 0 or word.vote_key != known.members[known.seat].vote_key:
            return
        self._answers[origin] = True

    def _votes_from(self, known: Knowledge, effect: ibft.VotesFrom) -> Iterator[str]:
        answers = len(self._answers | {known.seat: True})
        if not self._vouched and answers < quorum(known.count):
            yield f"GUARD-8: may vote after {answers} answers, its own among them"
        self._from_height = effect.height
        self._may_speak(known)
        known.fresh = True

    # --- effects ------------------------------------------------------------------------------------------------------

    def _journal(self, known: Knowledge, effect: ibft.Journal) -> Iterator[str]:
        record = effect.record
        yield from may_step.may_step(known, record)
        again = isinstance(record, ibft.Locked) and known.prepared == record.certificate
        known.step(record)
        if isinstance(record, ibft.Locked):
            certificate = record.certificate
            if not again and not known.observed and _shows(known, certificate):
                known.owed["prepared",] = "IBFT-L2: the leader shows the certificate that made it prepared"
            if wrong := self.chronicle.locked(known.height, certificate.round, certificate.header_hash):
                yield wrong

    def _sign(self, known: Knowledge, effect: ibft.Sign) -> Iterator[str]:
        yield from may_send.may_sign(known, effect)
        if wrong := self.signatures.asked(self.name, effect.vote):
            yield wrong

    def _broadcast(self, known: Knowledge, effect: ibft.Broadcast) -> Iterator[str]:
        message = effect.message
        yield from may_send.may_broadcast(known, message)
        if isinstance(message, Proposal | Ballot | RoundChange):
            kind = message.vote.kind
            known.said[kind] = message
            known.owed.pop(("say", kind, message.vote.round), None)
        elif isinstance(message, Prepared):
            known.owed.pop(("prepared",), None)
        elif isinstance(message, Decided):
            known.owed.pop(("decided",), None)
        if isinstance(message, Proposal | RoundChange):
            known.hear(message, known.seat)

    def _send(self, known: Knowledge, effect: ibft.SendTo) -> Iterator[str]:
        yield from may_send.may_send(known, effect)
        message, seat = effect.message, effect.seat
        match message:
            case Proposal():
                known.owed.pop(("show", message.vote.round, seat), None)
            case RoundChange():
                known.owed.pop(("answer", message.vote.round, seat), None)
            case Wanted():
                known.wanted[message.header_hash] = True
            case Ballot(vote=vote):
                known.said[vote.kind] = message
                known.owed.pop(("say", vote.kind, vote.round), None)
            case Decided(commit=commit):
                self._late.pop(seat, None)
                times = self._decisions[seat] = self._decisions.get(seat, 0) + 1
                if times > may_send.DECISIONS_MAX:
                    yield f"IBFT-M3: tells seat {seat} the decision {times} times"
                if (commit.height, commit.header_hash) != self._decision:
                    yield "IBFT-C1: tells of a decision that it did not make"
            case _:
                pass

    def _relay(self, known: Knowledge, effect: ibft.Relay) -> Iterator[str]:
        yield from may_send.may_relay(known, effect)
        message = effect.message
        if isinstance(message, Proposal | Ballot | RoundChange):
            vote = message.vote
            known.owed.pop(("relay", vote.kind, vote.round, vote.seat), None)

    def _set_timer(self, known: Knowledge, effect: ibft.SetTimer) -> Iterator[str]:
        yield from may_send.may_set_timer(known, effect)
        if effect.timer.startswith(may_send.ROUND_TIMER):
            known.round_timer = effect.timer
        elif effect.timer.startswith(may_send.SLOW_TIMER):
            known.slow_timer = effect.timer

    def _cancel_timer(self, known: Knowledge, effect: ibft.CancelTimer) -> Iterator[str]:
        if effect.timer == known.round_timer:
            known.round_timer = ""
        elif effect.timer == known.slow_timer:
            known.slow_timer = ""
        yield from ()

    def _build(self, known: Knowledge, effect: ibft.Build) -> Iterator[str]:
        yield from may_send.may_build(known, effect)
        known.built = effect.round

    def _validate(self, known: Knowledge, effect: ibft.Validate) -> Iterator[str]:
        known.judging[effect.header_hash] = True
        known.wanted.pop(effect.header_hash, None)
        yield from ()

    def _decide(self, known: Knowledge, effect: ibft.Decide) -> Iterator[str]:
        yield from may_decide.may_decide(known, effect)
        known.decided = True
        self._decision = effect.height, effect.header_hash
        self._decisions.clear()
        if wrong := self.chronicle.decided(effect.height, effect.header_hash):
            yield wrong

    def _diverged(self, known: Knowledge, effect: ibft.Diverged) -> Iterator[str]:
        if effect.header_hash not in known.invalid:
            yield "IBFT-C1: stops, though the certified block was not found invalid"

    def _improved(self, known: Knowledge, effect: ibft.Improved) -> Iterator[str]:
        if known.decided:
            yield from may_decide.may_improve(known, effect.commit)

    def _accuse(self, known: Knowledge, effect: ibft.Accuse) -> Iterator[str]:
        members = self._members.get(effect.evidence.validators_hash, known.members)
        yield from framed(effect.evidence, members, self.chronicle.honest)
        vote = accused_word(effect.evidence)
        if vote is not None and vote.height == known.height:
            key = vote.kind, vote.round, vote.seat
            known.accused[key] = True
            known.owed.pop(("accuse", *key), None)


def _shows(known: Knowledge, certificate: PreparedCertificate) -> bool:
    """IBFT-L2. The leader of round 0 in a large set, prepared by what it heard itself."""
    leads = known.seat == known.leader(0) and certificate.round == 0
    return known.collects and leads and certificate != known.shown.get(0)


def _is_void(known: Knowledge, debt: Debt) -> bool:
    """What was due in a round that is over by now."""
    of_round = {"show": 1, "answer": 1, "relay": 2}.get(str(debt[0]))
    return of_round is not None and debt[of_round] != known.round


def _is_flood(effects: Sequence[ibft.Effect]) -> bool:
    """IBFT-M3. The machine says that a link brought too much: what it brought last does not count."""
    return any(isinstance(e, ibft.Blame) and e.refusal is ibft.IbftRefusal.FLOODING for e in effects)


def _show(did: object) -> str:
    """For the eye: names and numbers, hashes shortened."""
    if isinstance(did, Vote):
        return f"{VoteKind(did.kind).name}({did.height}, {did.round}, seat {did.seat}, {did.header_hash.hex()[:8]})"
    if isinstance(did, bytes):
        return did.hex()[:8]
    if isinstance(did, tuple):
        return "(" + ", ".join(_show(one) for one in did[:4]) + (", …" if len(did) > 4 else "") + ")"
    names = getattr(did, "__match_args__", ()) or getattr(did, "__struct_fields__", ())
    if names:
        shown = (f"{name}={_show(getattr(did, name))}" for name in names if name not in HIDDEN)
        return f"{type(did).__name__}({', '.join(shown)})"
    return repr(did)
