"""From round to round, and the timers that push."""

from typing import Final

from metanode.chain.ibft.events import NO_SEAT, Broadcast, CancelTimer, Journal, Relay, SendTo, SetTimer
from metanode.chain.ibft.journal import Moved, Record, Spoke
from metanode.chain.ibft.messages import Ballot, Proposal, RoundChange, Wanted
from metanode.chain.ibft.state import ROUNDS_BEHIND_MAX, HeightState
from metanode.primitives.bitmap import decode as decode_bitmap
from metanode.primitives.names import NO_HASH, Round, Seat
from metanode.records.commit import PreparedCertificate, certificate_digest
from metanode.records.vote import VoteKind

CONTENTS_MAX: Final = 4
"""Contents kept of lower rounds beside those that certificates name: others may have prepared them (IBFT-M3)."""
RESEND_MS_MIN: Final = 100
"""Sending again more often than this helps no link that works at all."""
RESEND_MS_MAX: Final = 5_000
"""A seat that comes back hears within five seconds where the others are."""
RELAY_SEATS_MAX: Final = 16
"""In larger sets relaying everybody's words to everybody costs more than the dead link that it mends."""


def in_trouble(state: HeightState) -> bool:
    """IBFT-M4. A round has failed, so some link may be dead: in a small set others' words are passed on."""
    return state.round > 0 and len(state.validators) <= RELAY_SEATS_MAX and state.seat != NO_SEAT


def start_timers(state: HeightState, *, proven: bool = False) -> None:
    """IBFT-V1, V6. The slow timer that sends again, at once; the round's own as soon as it may run. A decision from
    before a stop, whose block is not here yet, has the slow one alone: it asks for the block again (C1)."""
    state.due = True
    if state.decided:
        return
    if not state.resend_timer:
        state.resend_timer = f"ibft.resend/{state.height}/{state.round}"
        state.out.append(SetTimer(state.resend_timer, resend_ms(state)))
    start_round_timer(state, proven=proven)


def start_round_timer(state: HeightState, *, proven: bool = False) -> None:
    """IBFT-V8. Above round 0 the time of a round runs only from when Q seats are known to have come as far.

    Who ran ahead waits there for the others. With timeouts that stop doubling, seats some rounds apart would otherwise
    climb at the same pace for ever and never meet. `proven`: a justified proposal shows that a quorum is there.
    """
    waits = state.due and not state.round_timer and state.seat != NO_SEAT and not state.settled
    if waits and (state.round == 0 or proven or _quorum_is_here(state)):
        state.round_timer = f"ibft.round/{state.height}/{state.round}"
        state.out.append(SetTimer(state.round_timer, state.timeout_of(state.round)))


def _quorum_is_here(state: HeightState) -> bool:
    """Whether Q seats, ours among them, were heard in this round or a higher one."""
    here = {seat: True for seat, change in state.latest.items() if change.vote.round >= state.round}
    here[state.seat] = True
    for (_, round_), table in state.votes.items():
        if round_ >= state.round:
            here.update(dict.fromkeys(table, True))
    return len(here) >= state.quorum


def resend_ms(state: HeightState) -> int:
    """IBFT-V4, V6. Half the round's timeout within limits, spread over the seats so that they do not speak at once."""
    half = min(max(state.timeout_of(state.round) // 2, RESEND_MS_MIN), RESEND_MS_MAX)
    return half + half * max(state.seat, 0) // (8 * len(state.validators))


def stop_timers(state: HeightState) -> None:
    """No timer outlives its round."""
    for timer in (state.round_timer, state.resend_timer):
        if timer:
            state.out.append(CancelTimer(timer))
    state.round_timer = state.resend_timer = ""


def move(state: HeightState, round_: Round, *, announce: bool) -> None:
    """IBFT-V1, V7, P7. Enter a higher round: what was accepted is forgotten, what was prepared is kept.

    `announce`: by our own ROUND-CHANGE; not where a justified proposal proves that a quorum is there already.
    """
    assert round_ > state.round, "rounds only go up"
    stop_timers(state)
    enter(state, round_, announced=announce and not state.observes)
    journal(state, Moved(height=state.height, round=round_, announced=state.announced))
    if state.announced:
        sign_round_change(state)
    start_timers(state)


def enter(state: HeightState, round_: Round, *, announced: bool) -> None:
    """IBFT-P7, V7. The state of a round just entered; `prepared` is not touched."""
    state.round, state.announced = round_, announced
    state.diary.entered(round_)
    state.accepted, state.candidate, state.lead = NO_HASH, None, None
    state.shown = None
    _forget(state)
    for seat, change in state.latest.items():
        if change.vote.round == round_:
            state.changes.setdefault(round_, {}).setdefault(seat, change)


def journal(state: HeightState, record: Record) -> None:
    """Our own votes since the last record go along with it: they need no flush of their own."""
    for vote in state.spoken:
        state.out.append(Journal(Spoke(height=state.height, vote=vote)))
    state.spoken.clear()
    state.out.append(Journal(record))


def sign_round_change(state: HeightState) -> None:
    """IBFT-V1. Our ROUND-CHANGE to the current round, with the highest certificate we hold."""
    prepared = state.prepared
    if prepared is None:
        state.sign(VoteKind.ROUND_CHANGE, NO_HASH)
    else:
        shown = (prepared,)
        state.sign(VoteKind.ROUND_CHANGE, prepared.header_hash, prepared.round, certificate_digest(shown), shown)


def resend(state: HeightState) -> None:
    """IBFT-V4, L3. Our latest ROUND-CHANGE, PREPARE and COMMIT again, to all; the proposal only to those who did not
    prepare it."""
    state.fell_back = True
    state.out.append(SetTimer(state.resend_timer, resend_ms(state)))
    if state.seat == NO_SEAT:
        _ask_decision(state)
    elif not state.settled:
        speak_again(state)
        _relay_again(state)
    for header_hash, seats in state.wanted.items():
        ask_next(state, header_hash, seats)


def _relay_again(state: HeightState) -> None:
    """IBFT-M4. What others said in this round, once more with the slow timer: the first time it may have been lost."""
    if not in_trouble(state):
        return
    for seat, change in state.changes.get(state.round, {}).items():
        if seat != state.seat:
            state.out.append(Relay(seat, change))
    for kind in (VoteKind.PREPARE, VoteKind.COMMIT):
        for seat, vote in state.votes.get((kind, state.round), {}).items():
            if seat != state.seat:
                state.out.append(Relay(seat, Ballot(vote=vote)))


def _ask_decision(state: HeightState) -> None:
    """IBFT-V5. An observer sends no ROUND-CHANGE that could be answered: it asks one seat after another."""
    seat = Seat(state.asks % len(state.validators))
    state.asks += 1
    if state.certified is None:
        state.out.append(SendTo(seat, Wanted(height=state.height, header_hash=NO_HASH)))


def speak_again(state: HeightState) -> None:
    """IBFT-V4. Our words of this round, and our last COMMIT whatever its round: it still counts (C1)."""
    _resend_proposal(state)
    for kind in (VoteKind.ROUND_CHANGE, VoteKind.PREPARE, VoteKind.COMMIT):
        message = state.own.get(kind)
        if message is not None and (kind is VoteKind.COMMIT or message.vote.round == state.round):
            state.out.append(Broadcast(message))


def holders_of(state: HeightState, certificate: PreparedCertificate) -> list[Seat]:
    """IBFT-P5. Who must hold the content of a certificate: who showed it, then all who prepared. A liar who shows one
    that honest seats made is not the only one to ask."""
    changes = state.changes.get(state.round, {})
    shown = [seat for seat in sorted(changes) if changes[seat].vote.header_hash == certificate.header_hash]
    prepared = decode_bitmap(certificate.validator_bitmap, len(state.validators))
    return list(dict.fromkeys([*shown, *(Seat(seat) for seat in prepared)]))


def want(state: HeightState, header_hash: bytes, seats: list[Seat]) -> None:
    """IBFT-C1. Ask those who must hold a content for it, one after another."""
    others = [seat for seat in seats if seat != state.seat]
    if header_hash in state.wanted or not others:
        return
    state.wanted[header_hash] = others
    ask_next(state, header_hash, others)


def ask_next(state: HeightState, header_hash: bytes, seats: list[Seat]) -> None:
    """Ask the next of them; whoever was asked goes to the end."""
    seat = seats.pop(0)
    seats.append(seat)
    state.out.append(SendTo(seat, Wanted(height=state.height, header_hash=header_hash)))


def answer_with_own_round_change(state: HeightState, seat: Seat) -> None:
    """IBFT-V5. A seat in a lower round hears where we are."""
    message = state.own.get(VoteKind.ROUND_CHANGE)
    if seat != state.seat and isinstance(message, RoundChange) and message.vote.round == state.round:
        state.out.append(SendTo(seat, message))


def _resend_proposal(state: HeightState) -> None:
    message = state.own.get(VoteKind.PROPOSAL)
    if not isinstance(message, Proposal) or message.vote.round != state.round:
        return
    prepared = state.votes.get((VoteKind.PREPARE, state.round), {})
    for seat in range(len(state.validators)):
        if seat != state.seat and seat not in prepared:
            state.out.append(SendTo(Seat(seat), message))


def _forget(state: HeightState) -> None:
    """IBFT-M3. What no later step can need: votes of long ago, and all but the last contents. A content that comes back
    is judged again, for nobody keeps every executed block either."""
    for key in [key for key in state.votes if key[1] < state.round - ROUNDS_BEHIND_MAX]:
        del state.votes[key]
        state.diary.arrivals.pop(key, None)
    for lower in [r for r in state.changes if r < state.round]:
        del state.changes[lower]
    for buffered in [k for k in state.shares if not state.keeps(k[0], k[1])]:
        del state.shares[buffered]
    named = {c.header_hash: True for c in (state.prepared, state.certified) if c is not None}
    unnamed = [h for h in state.contents if h not in named]
    for header_hash in unnamed[: max(len(unnamed) - CONTENTS_MAX, 0)]:
        del state.contents[header_hash]
        state.held.pop(header_hash, None)
        state.valid.pop(header_hash, None)
