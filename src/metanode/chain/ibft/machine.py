"""The door of IBFT: one height at a time, every message checked before it counts."""

from itertools import count
from typing import Final, assert_never

from metanode.chain.evidence import vote_claim
from metanode.chain.guard import LastWord, LastWordAsked
from metanode.chain.ibft.account import Account, account_of
from metanode.chain.ibft.answers import Answers
from metanode.chain.ibft.diary import Diary, Overdue
from metanode.chain.ibft.events import (
    NO_SEAT,
    AggregatesChecked,
    Behind,
    Blame,
    BlockDue,
    Built,
    CreditLate,
    Decide,
    Effect,
    Event,
    HeightBegins,
    Improved,
    Keep,
    Received,
    Replayed,
    Resumed,
    Seated,
    SharesChecked,
    SignaturesChecked,
    Signed,
    SignRefused,
    Started,
    TimerFired,
    Validated,
    VotingAllowed,
)
from metanode.chain.ibft.intake import AHEAD_HEIGHTS_MAX, Ahead, Intake, Judged, weight
from metanode.chain.ibft.leading import (
    lead_first_round,
    on_built,
    on_signed_proposal,
    on_signed_round_change,
)
from metanode.chain.ibft.messages import Content, Decided, Proposal, RoundChange, Wanted
from metanode.chain.ibft.moves import move, resend, start_timers
from metanode.chain.ibft.permission import STARTUP_TIMER, Permission, last_word
from metanode.chain.ibft.reception import (
    Signable,
    Spoken,
    enter_content,
    enter_judged,
    examine,
    go_on,
    height_of,
    is_of_use_late,
    note_late,
)
from metanode.chain.ibft.recovery import replay, resume, take_seat
from metanode.chain.ibft.rules import IbftRefusal
from metanode.chain.ibft.schedule import first_leader
from metanode.chain.ibft.state import HeightState
from metanode.chain.ibft.voting import commit_of, on_shares, on_signed_ballot, on_validated, request_shares
from metanode.primitives.names import Hash, Height, Round, Seat
from metanode.primitives.refusal import Rejected
from metanode.records.proposal import check_content
from metanode.records.transcript import NOTHING_NOTED
from metanode.records.vote import Vote, VoteKind


class Ibft:
    """Agrees on one header a height, by the QBFT rules (docs/protocol/ibft.md)."""

    def __init__(self, chain_id: Hash) -> None:
        self._chain_id: Final = chain_id
        self._tokens: Final = count(1)
        self._intake: Final = Intake(self._tokens)
        self._ahead: Final = Ahead()
        self._answers: Final = Answers()
        self._state: HeightState | None = None
        self._previous: HeightState | None = None
        self._hinted: Final[dict[Seat, int]] = {}
        self._overdue: Final = Overdue()
        self._permission: Final = Permission(chain_id, self._tokens)
        self._seat = NO_SEAT

    def handle(self, event: Event) -> list[Effect]:
        """One event in, the effects it makes due out, in order. Before the first `HeightBegins` nothing is heard."""
        if isinstance(event, HeightBegins):
            return self._begin(event)
        if isinstance(event, Started):
            assert self._state is None, "asked before anything is said"
            self._permission.start(event.guard)
            return []
        state = self._state
        if state is None:
            return self._permission.override() if isinstance(event, VotingAllowed) else []
        now_ms = getattr(event, "now_ms", 0)
        state.diary.now_ms = now_ms or state.diary.now_ms
        self._hear(state, event)
        self._check(state)
        return self._leave(state, now_ms)

    @property
    def account(self) -> Account | None:
        """STALL-1. What it can show of the height it works on, `None` before the first one."""
        return None if self._state is None else account_of(self._state, self._overdue)

    def _begin(self, event: HeightBegins) -> list[Effect]:
        """A new height: nothing is carried over but what was said of it too early."""
        state, self._previous = self._state, self._state
        assert state is None or event.height > state.height, "heights only go up"
        first = first_leader(event.previous_validators, event.previous_proposer, event.validators)
        self._state = begun = HeightState(
            chain_id=self._chain_id,
            height=event.height,
            validators=event.validators,
            first_leader=first,
            seat=event.seat,
            timeout_ms=event.round_timeout_ms,
            timeout_max_ms=event.round_timeout_max_ms,
            tokens=self._tokens,
            collects=len(event.validators) > event.all_to_all_max,
            diary=Diary(now_ms=event.now_ms, began_ms=event.now_ms),
        )
        self._seat = event.seat
        begun.out.extend(self._permission.begin(event.validators, event.seat))
        begun.seat = event.seat if self._permission.allows(begun) else NO_SEAT
        self._intake.forget()
        if state is not None:
            begun.out.extend(_kept(state))
            state.own.clear()
            state.contents.clear()
            state.decided = True  # by the others, where it was not decided here: whatever comes late only adds to it
        same = state is not None and state.validators.validators == event.validators.validators
        if not same:
            self._hinted.clear()
            self._answers.forget_peers()
        for message, origin, size in self._ahead.take(event.height, same=same):
            self._receive(begun, Received(event.now_ms, message, origin, size))
        self._check(begun)
        return self._leave(begun, event.now_ms)

    def _hear(self, state: HeightState, event: Event) -> None:
        match event:
            case BlockDue():
                start_timers(state)
                lead_first_round(state)
            case Received(origin=origin):
                if origin != NO_SEAT or _is_early(state, event):
                    self._receive(state, event)
            case SignaturesChecked(token=token, verdicts=verdicts) | AggregatesChecked(token=token, verdicts=verdicts):
                self._enter(state, self._intake.answered(token, verdicts))
                self._permit(state, self._permission.checked(token, good=all(verdicts)))
            case SharesChecked():
                self._on_shares(state, event)
            case Signed(vote=vote):
                self._on_signed(state, vote)
            case SignRefused():
                pass
            case Built(round=round_, content=content, height=height):
                if height == state.height:
                    on_built(state, round_, content, check_content(content).hash)
            case Validated():
                on_validated(state, event)
                go_on(state)
            case TimerFired(timer=timer):
                if timer == STARTUP_TIMER:
                    self._permit(state, self._permission.ask_again())
                _on_timer(state, timer)
            case VotingAllowed():
                self._permit(state, self._permission.override())
            case Replayed(record=record):
                replay(state, record)
            case Resumed():
                state.seat = self._seat if self._permission.allows(state) else NO_SEAT
                resume(state)
            case Seated(seat=seat):
                self._seat = seat
                self._permit(state, self._permission.begin(state.validators, seat))
            case CreditLate():
                self._credit_late(state)
            case HeightBegins() | Started():
                raise AssertionError("begun elsewhere")
            case _:
                assert_never(event)

    def _permit(self, state: HeightState, effects: list[Effect]) -> None:
        """GUARD-9. The observer takes its seat as soon as nothing stands against it."""
        state.out.extend(effects)
        waits = state.seat == NO_SEAT and self._seat != NO_SEAT and not state.settled
        if waits and self._permission.allows(state):
            state.seat = self._seat
            take_seat(state)

    def _receive(self, state: HeightState, event: Received) -> None:
        """IBFT-M3. Older heights are answered, coming ones kept within bounds, this one's examined."""
        message, origin = event.message, event.origin
        try:
            if isinstance(message, Wanted | LastWord | LastWordAsked):
                self._answer(state, message, origin)
                return
            height = height_of(message)
            if height < state.height or (state.decided and height == state.height):
                self._receive_late(state, message, event)
            elif height > state.height:
                self._receive_early(state, message, event)
            elif isinstance(message, Content):
                enter_content(state, message, origin)
            else:
                if isinstance(message, Proposal):
                    enter_content(state, message, origin)
                note_late(state, message, origin)
                self._offer(state, message, event)
        except Rejected as refusal:
            state.out.append(Blame(origin, refusal.reason, refusal.detail))

    def _answer(self, state: HeightState, message: Wanted | LastWord | LastWordAsked, origin: Seat) -> None:
        """Questions, and the answer to our own at the start."""
        match message:
            case Wanted():
                state.out.extend(self._answers.to_wanted(message, origin, state.contents))
            case LastWordAsked(vote_key=vote_key):
                if len(vote_key) != 32:
                    raise Rejected(IbftRefusal.WRONG_KIND, f"a vote key of {len(vote_key)} bytes")
                states = tuple(s for s in (state, self._previous) if s is not None)
                state.out.extend(self._answers.to_asked(last_word(states, message), origin))
            case LastWord():
                self._permit(state, self._permission.answered(origin, message))

    def _receive_late(self, state: HeightState, message: Spoken, event: Received) -> None:
        """IBFT-M3, C3. What is decided is answered with the decision; a COMMIT to it may still be credited."""
        if isinstance(message, Proposal | RoundChange) and message.vote.seat == event.origin != NO_SEAT:
            self._overdue.came(message.vote, event.now_ms)
        past = state if state.decided else self._previous
        of_use = past is not None and is_of_use_late(past, message)
        if not of_use or isinstance(message, RoundChange):
            state.out.extend(self._answers.to_late(message, event.origin, event.now_ms))
        if past is not None and of_use and not isinstance(message, Content):
            self._offer(past, message, event)

    def _receive_early(self, state: HeightState, message: Spoken, event: Received) -> None:
        """IBFT-M3. The next heights are kept in bounds by link; beyond them a peer only hints that we are behind."""
        height, origin = height_of(message), event.origin
        near = height <= state.height + AHEAD_HEIGHTS_MAX
        if near and not isinstance(message, Decided | Content):
            if not self._ahead.keep(height, message, origin, weight(message, event.size)):
                raise Rejected(IbftRefusal.FLOODING, "too much of coming heights")
            return
        if origin != NO_SEAT and height > self._hinted.get(origin, 0):
            self._hinted[origin] = height
            state.out.append(Behind(origin, Height(height)))

    def _offer(self, state: HeightState, message: Signable, event: Received) -> None:
        waiting = examine(state, message, event.origin)
        if waiting is not None and not self._intake.offer(waiting, weight(message, event.size)):
            raise Rejected(IbftRefusal.FLOODING, "too many unchecked messages")

    def _check(self, state: HeightState) -> None:
        """IBFT-M1. Send the next batch to be checked; messages that need no check any more enter at once."""
        asked, judged = self._intake.next_batch()
        while judged:
            self._enter(state, judged)
            asked, judged = self._intake.next_batch()
        state.out.extend(asked)

    def _enter(self, state: HeightState, judged: list[Judged]) -> None:
        """Each message to its height; what comes after the decision only adds to it."""
        for one in judged:
            message = one.waiting.message
            past = self._previous if height_of(message) < state.height else state
            if past is None:
                continue
            enter_judged(past, one)
            if past is not state:
                state.out.extend(past.out)
                past.out.clear()

    def _on_signed(self, state: HeightState, vote: Vote) -> None:
        """Our own word, as soon as it is signed: out to the others, and in by the same tables."""
        if vote.height != state.height:
            return
        self._intake.trust(vote_claim(vote, state.validators, state.chain_id))
        match vote.kind:
            case VoteKind.PROPOSAL:
                on_signed_proposal(state, vote)
            case VoteKind.ROUND_CHANGE:
                on_signed_round_change(state, vote)
            case _:
                on_signed_ballot(state, vote)

    def _on_shares(self, state: HeightState, event: SharesChecked) -> None:
        """Shares of this height, or of the last one's late COMMITs."""
        past = self._previous
        if event.token in state.asked:
            if state.decided:
                _improve(state, event, state)
            else:
                on_shares(state, event)
        elif past is not None and event.token in past.asked:
            _improve(past, event, state)

    def _credit_late(self, state: HeightState) -> None:
        """IBFT-C3. Sum again with the COMMITs that came after the certificate; the first one stays where this fails."""
        past = state if state.decided else self._previous
        if past is None or past.certified is None:
            return
        commit = past.certified
        key = (int(VoteKind.COMMIT), commit.round, commit.header_hash)
        buffer = past.shares.get(key)
        for request in buffer.ask_again() if buffer is not None else ():
            request_shares(past, key, request)
        if past is not state:
            state.out.extend(past.out)
            past.out.clear()

    def _leave(self, state: HeightState, now_ms: int) -> list[Effect]:
        effects, state.out = state.out, []
        for effect in effects:
            if isinstance(effect, Decide):
                self._answers.decided(effect, now_ms)
        return effects


def _is_early(state: HeightState, event: Received) -> bool:
    """IBFT-M2. Whether it is of a coming height, whose set may have a seat for who has none yet. Of this height a
    stranger has nothing to say, and is not told anything."""
    message = event.message
    return not isinstance(message, Wanted | LastWord | LastWordAsked) and height_of(message) > state.height


def _on_timer(state: HeightState, timer: str) -> None:
    """IBFT-V1. A timer of another round or height is over; a round that runs out moves this seat on."""
    if timer == state.round_timer:
        move(state, Round(state.round + 1), announce=True)
    elif timer == state.resend_timer:
        resend(state)


def _improve(past: HeightState, event: SharesChecked, state: HeightState) -> None:
    """IBFT-C3. The answer to an improvement."""
    kind, round_, header_hash = past.asked.pop(event.token)
    buffer = past.buffer(VoteKind(kind), round_, header_hash)
    credited = len(buffer.seats)
    for seat in buffer.answered(event.aggregate, event.bad):
        state.out.append(Blame(seat, IbftRefusal.BAD_SHARE, f"late COMMIT of round {round_}"))
    commit = past.certified
    of_decided = commit is not None and (commit.round, commit.header_hash) == (round_, header_hash)
    if of_decided and len(buffer.seats) > credited > 0:
        past.certified = commit_of(past, round_, header_hash)
        state.out.append(Improved(past.certified))


def _kept(state: HeightState) -> list[Effect]:
    """What forensics may need of a height that is over."""
    votes = tuple(vote for table in state.votes.values() for vote in table.values())
    if not votes:
        return []
    notes = state.diary.notes() if any(vote.round for vote in votes) else NOTHING_NOTED
    return [Keep(state.height, state.validators.hash, votes, tuple(state.justifications), notes)]
