"""What is wrong with each seat, and with each round that failed; what is proved of it, and who says the rest."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from metanode.chain.forensics import Material, find_guilty
from metanode.chain.stall.case import NEVER, Case
from metanode.chain.stall.transcript import Told
from metanode.primitives.names import Hash, Seat
from metanode.records.evidence import (
    ConflictingVotes,
    Evidence,
    LunaticHeader,
    UnjustifiedProposal,
    accused_seats,
)
from metanode.records.transcript import LateWord
from metanode.records.vote import VoteKind

SETTLED_MS: Final = 1_000
"""A node that has been in its round for so long has heard what was sent before, or will not hear it."""
ROUNDS_TOLD: Final = 32
"""The latest rounds that are explained one by one: who fails in all of them failed in those before."""
_VALUES: Final = (VoteKind.PROPOSAL, VoteKind.PREPARE, VoteKind.COMMIT)


class Trouble(StrEnum):
    """STALL-5. What can be wrong with a seat."""

    SILENT = "silent"
    """Nothing of it was heard in this round by anybody who was asked."""
    SLOW = "slow"
    """Its words came after the round they were of."""
    PARTITIONED = "partitioned"
    """Some heard it and others did not."""
    BEHIND = "behind"
    """It is alive in an earlier round or height."""
    OBSERVING = "observing"
    """It runs and does not vote: its promise was lost, or it may not speak yet."""
    LYING = "lying"
    """It said two things of which an honest seat says one."""


class Why(StrEnum):
    """STALL-6. How a round failed."""

    LIED = "leader-lied"
    """Its leader is convicted by what it proposed."""
    REFUSED = "proposal-refused"
    """A node found its block invalid."""
    NOT_PROPOSED = "not-proposed"
    """Nobody who was asked has a proposal."""
    WAITED = "waits-for-block"
    """A node has not been able to judge the block yet: its body is missing, or executing it takes long."""
    NOT_PREPARED = "too-few-prepared"
    """There was a proposal, and fewer than a quorum prepared it."""
    NOT_COMMITTED = "too-few-committed"
    """A quorum prepared, and fewer than a quorum committed."""
    NOT_GATHERED = "not-gathered"
    """A quorum committed, but nobody heard all of it in time."""


@dataclass(frozen=True, slots=True)
class Finding:
    """STALL-4. Something about one seat. `proved`: by signatures alone; else `said_by` nodes. `last_round`: of its
    last signed word in this height, -1 where there is none; that much is always proved."""

    seat: Seat
    trouble: Trouble
    last_round: int
    said_by: tuple[str, ...] = ()
    heard_by: tuple[str, ...] = ()
    missed_by: tuple[str, ...] = ()
    detail: str = ""
    evidence: tuple[Evidence, ...] = ()

    @property
    def proved(self) -> bool:
        """Only guilt is: that a word is not there, or came late, is what nodes say."""
        return bool(self.evidence)


@dataclass(frozen=True, slots=True)
class RoundStory:
    """STALL-6. One round. `left`: seats that signed that they gave it up, `prepared` and `committed` that they got so
    far: proved. `why` where it failed; `said_by`: who says so beyond what is proved."""

    round: int
    leader: Seat
    proposed: tuple[Hash, ...]
    prepared: tuple[Seat, ...]
    committed: tuple[Seat, ...]
    left: tuple[Seat, ...]
    why: Why
    said_by: tuple[str, ...] = ()
    detail: str = ""


# --- seats ---


def guilt(case: Case) -> dict[Seat, Evidence]:
    """EVID-3, EVID-4. Whom the words convict, laid side by side, and whom evidence in a transcript does."""
    proofs: dict[Seat, Evidence] = {}
    for told in case.told:
        for evidence in told.evidence:
            for seat in accused_seats(evidence, len(case.validators)):
                proofs.setdefault(seat, evidence)
    certificates = tuple(dict.fromkeys(one for told in case.told for one in told.final))
    material = Material(case.told[0].chain_id, case.validators, certificates, case.votes, ())
    for seat, evidence in find_guilty(material):
        proofs.setdefault(seat, evidence)
    return proofs


def seat_findings(case: Case, proofs: dict[Seat, Evidence]) -> tuple[Finding, ...]:
    """STALL-5. Of each seat at most what it is guilty of and one trouble."""
    found: list[Finding] = []
    for number in range(len(case.validators)):
        seat, last = Seat(number), case.reached[number]
        if seat in proofs:
            found.append(Finding(seat, Trouble.LYING, last, evidence=(proofs[seat],)))
        trouble = next(_troubles(case, seat), None)
        if trouble is not None:
            found.append(trouble)
    return tuple(found)


def _troubles(case: Case, seat: Seat) -> Iterator[Finding]:
    """The first that fits counts."""
    yield from _observing(case, seat)
    yield from _lower(case, seat)
    if not case.votes or (case.decided < 0 and case.round == 0):
        return  # in a first round that nobody gave up a word that is not there may still come
    if seat in case.heard:
        yield from _partitioned(case, seat)
        yield from _slow(case, seat)
        return
    if case.decided >= 0:
        yield from _slow(case, seat)
    yield from _behind(case, seat)
    detail = ""
    if case.decided < 0 and any(link.seat == seat and link.connected for told in case.told for link in told.said.links):
        detail = "its connection is up"
    yield Finding(seat, Trouble.SILENT, case.reached[seat], said_by=case.names(), detail=detail)


def _observing(case: Case, seat: Seat) -> Iterator[Finding]:
    for told in (*case.told, *case.lower):
        if told.said.seat == seat and told.said.silence and not told.final:
            by = (told.said.node,)
            yield Finding(seat, Trouble.OBSERVING, case.reached[seat], said_by=by, detail=told.said.silence)


def _lower(case: Case, seat: Seat) -> Iterator[Finding]:
    for told in case.lower:
        if told.said.seat == seat and not told.final:
            detail = f"it works on height {told.height}"
            by = (told.said.node,)
            yield Finding(seat, Trouble.BEHIND, case.reached[seat], said_by=by, detail=detail)


def _behind(case: Case, seat: Seat) -> Iterator[Finding]:
    """It is alive, and not where the others are: its link says so, its round, or a word that came too late."""
    if case.decided >= 0:
        return  # links tell of now
    last = case.reached[seat]
    connected = [t for t in case.told if any(one.seat == seat and one.connected for one in t.said.links)]
    lower = [(t, one) for t in connected for one in t.said.notes.late if one.seat == seat and one.height < t.height]
    if last == NEVER and lower:
        detail = f"its words are of height {max(one.height for _, one in lower)}"
        yield Finding(seat, Trouble.BEHIND, last, said_by=case.names([t for t, _ in lower]), detail=detail)
    tips = [(t, one.height) for t in connected for one in t.said.links if one.seat == seat and one.height]
    behind = [(t, tip) for t, tip in tips if tip < case.height - 1]
    if last == NEVER and behind and len(behind) == len(tips):
        detail = f"it has height {max(tip for _, tip in behind)}"
        yield Finding(seat, Trouble.BEHIND, last, said_by=case.names([t for t, _ in behind]), detail=detail)
    alive = [t for t in case.told if t.said.seat == seat]
    late = [t for t in connected if any(one.seat == seat and one.height == t.height for one in t.said.notes.late)]
    if alive or late:
        where = max([last, *(t.said.round for t in alive)])
        detail = f"it is in round {max(where, 0)}, others in round {case.round}"
        yield Finding(seat, Trouble.BEHIND, last, said_by=case.names([*alive, *late]), detail=detail)


def _partitioned(case: Case, seat: Seat) -> Iterator[Finding]:
    heard, missed = _sides_of(case, seat) if case.decided < 0 else _sides_then(case, seat)
    if heard and missed:
        by = case.names(missed)
        yield Finding(
            seat, Trouble.PARTITIONED, case.reached[seat], said_by=by, heard_by=case.names(heard), missed_by=by
        )


def hears(case: Case, place: int) -> tuple[Seat, ...]:
    """STALL-5. Whom the node of a transcript hears in an open height, itself among them: it has the word of its own
    round, or of a seat that is not there yet the last one that anybody has."""
    told, last = case.told[place], case.last[place]
    seats = [Seat(s) for s in range(len(case.validators))]
    return tuple(s for s in seats if NEVER < _expected(case, told, s) <= last.get(s, NEVER) or s == told.said.seat)


def _expected(case: Case, told: Told, seat: Seat) -> int:
    """The round of the word of this seat that a node should have."""
    return min(told.said.round, case.reached[seat])


def _spoke_ms(case: Case, seat: Seat, round_: int) -> int:
    """When the first word of this seat of this round, or a later one, was there, as nodes noted it: itself when it
    entered, or whoever heard it. 0 where nobody did."""
    times: list[int] = []
    for told in case.told:
        notes = told.said.notes
        times += [one.at_ms for one in notes.arrivals if one.seat == seat and one.round >= round_]
        if told.said.seat == seat:
            times += [entered.at_ms for entered in notes.rounds if entered.round >= round_]
    return min(times, default=0)


def misses(case: Case, place: int, seat: Seat) -> bool:
    """STALL-5. Whether the node of a transcript would have heard this seat by now, if it could: it has been in a round
    for a second, and so has the word been there when it was asked. Nodes are asked one after another."""
    told, notes = case.told[place], case.told[place].said.notes
    entered = max((one.at_ms for one in notes.rounds), default=notes.began_ms)
    since = max(entered, _spoke_ms(case, seat, _expected(case, told, seat)))
    return seat not in hears(case, place) and told.said.at_ms - since >= SETTLED_MS


def is_settled(case: Case, place: int) -> bool:
    """Whether whom a node does not hear it will not hear: all it can hear is there."""
    view = hears(case, place)
    return all(seat in view or misses(case, place, Seat(seat)) for seat in range(len(case.validators)))


def _sides_of(case: Case, seat: Seat) -> tuple[list[Told], list[Told]]:
    """Of an open height: who hears this seat where they are, itself among them, and who does not."""
    heard, missed = [], []
    for place, told in enumerate(case.told):
        if seat in hears(case, place):
            heard.append(told)
        elif told.said.round <= case.reached[seat] and misses(case, place, seat):
            missed.append(told)
    return heard, missed


def _sides_then(case: Case, seat: Seat) -> tuple[list[Told], list[Told]]:
    """Of a height that is over: who has words of it of a round that failed, and who was in that round and has none,
    not even too late."""
    for round_ in range(max(case.decided - ROUNDS_TOLD, 0), case.decided):
        heard, missed = [], []
        for told in case.told:
            here = {vote.seat: True for vote in told.votes if vote.round == round_ and vote.kind in _VALUES}
            was_there = bool(here) or any(v.seat == told.said.seat and v.round == round_ + 1 for v in told.votes)
            late = any(one.seat == seat and one.height == case.height for one in told.said.notes.late)
            if seat in here:
                heard.append(told)
            elif was_there and not late and seat != told.said.seat:
                missed.append(told)
        if heard and missed:
            return heard, missed
    return [], []


def late_words(case: Case, seat: Seat) -> list[tuple[Told, LateWord]]:
    """STALL-5. What nodes noted of words of this seat and height that came too late to be looked at, or to count."""
    found: list[tuple[Told, LateWord]] = []
    for told in case.told:
        notes = told.said.notes
        found += [(told, one) for one in notes.late if one.seat == seat and one.height == case.height]
        for one in notes.arrivals:
            if one.seat == seat and one.kind in _VALUES and one.round < one.own_round:
                word = LateWord(
                    seat=one.seat,
                    kind=one.kind,
                    height=case.height,
                    round=one.round,
                    own_round=one.own_round,
                    at_ms=one.at_ms,
                    count=1,
                )
                found.append((told, word))
    return found


def _slow(case: Case, seat: Seat) -> Iterator[Finding]:
    late = late_words(case, seat)
    if late:
        one = max((word for _, word in late), key=lambda word: word.round)
        detail = f"a word of round {one.round} came in round {one.own_round}"
        yield Finding(seat, Trouble.SLOW, case.reached[seat], said_by=case.names([t for t, _ in late]), detail=detail)


# --- rounds ---


def round_stories(case: Case, proofs: dict[Seat, Evidence]) -> tuple[RoundStory, ...]:
    """STALL-6. The rounds that failed, the earliest first, the latest `ROUNDS_TOLD` of them."""
    first = max(case.round - ROUNDS_TOLD, 0)
    return tuple(_story(case, round_, proofs) for round_ in range(first, case.round))


def _story(case: Case, round_: int, proofs: dict[Seat, Evidence]) -> RoundStory:
    seat = case.leader(round_)
    proposed = tuple(dict.fromkeys(Hash(v.header_hash) for v in case.of_round(VoteKind.PROPOSAL, round_)))
    prepared = _agreeing(case, VoteKind.PREPARE, round_)
    committed = _agreeing(case, VoteKind.COMMIT, round_)
    left = {v.seat: True for v in case.votes if v.kind == VoteKind.ROUND_CHANGE and v.round > round_}
    turned_down = [
        (told, one)
        for told in case.told
        for one in told.said.notes.turned_down
        if (one.round, one.seat) == (round_, seat)
    ]
    waits = [told for told in case.told if not told.final and any(h in told.said.waiting for h in proposed)]
    quorum, said_by, detail = case.validators.quorum, case.names(), ""
    if seat in proofs and _lied_in(proofs[seat], round_):
        why, said_by = Why.LIED, ()
    elif turned_down:
        why, said_by = Why.REFUSED, case.names([told for told, _ in turned_down])
        detail = turned_down[0][1].refusal
    elif not proposed and len(prepared) < quorum:
        why = Why.NOT_PROPOSED
    elif waits and len(prepared) < quorum:
        why, said_by = Why.WAITED, case.names(waits)
    elif len(prepared) < quorum:
        why = Why.NOT_PREPARED
    else:
        why = Why.NOT_COMMITTED if len(committed) < quorum else Why.NOT_GATHERED
    return RoundStory(
        round_, seat, proposed, prepared, committed, tuple(Seat(s) for s in sorted(left)), why, said_by, detail
    )


def _agreeing(case: Case, kind: VoteKind, round_: int) -> tuple[Seat, ...]:
    """The most seats that said the same of a round."""
    by_value: dict[bytes, dict[int, bool]] = {}
    for vote in case.of_round(kind, round_):
        by_value.setdefault(vote.header_hash, {})[vote.seat] = True
    most = max((len(seats) for seats in by_value.values()), default=0)
    return next((tuple(Seat(s) for s in sorted(seats)) for seats in by_value.values() if len(seats) == most), ())


def _lied_in(evidence: Evidence, round_: int) -> bool:
    """Whether it is of what was proposed in this round."""
    match evidence:
        case ConflictingVotes(first=vote) | UnjustifiedProposal(proposal=vote):
            return vote.round == round_
        case LunaticHeader(votes=votes):
            return any(vote.round == round_ for vote in votes)
        case _:
            return False
