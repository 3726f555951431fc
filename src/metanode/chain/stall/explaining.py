"""Why a height took, or takes, more than one round: one cause, and whose it is."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from metanode.chain.stall.case import Case, open_case
from metanode.chain.stall.findings import (
    Finding,
    RoundStory,
    Trouble,
    Why,
    guilt,
    hears,
    is_settled,
    round_stories,
    seat_findings,
)
from metanode.chain.stall.transcript import Told
from metanode.primitives.names import Seat


class Cause(StrEnum):
    """STALL-7. Why, in one word."""

    NONE = "none"
    """Nobody gave up a round: there is nothing to explain."""
    UNKNOWN = "unknown"
    """Rounds failed, and nobody who was asked has kept why."""
    NO_QUORUM = "no-quorum"
    """Fewer seats are heard than a quorum."""
    PARTITION = "partition"
    """Enough seats speak, but no node hears enough of them."""
    LYING_LEADER = "lying-leader"
    """The leader proposed what convicts it."""
    REFUSED = "proposal-refused"
    """The proposed block was found invalid."""
    WAITING = "waiting-for-block"
    """The proposed block cannot be judged yet."""
    DEAD_LEADER = "dead-leader"
    """The leader proposed nothing that anybody heard."""
    SLOW = "slow"
    """The leader's words, or those needed for a quorum, came after the round."""
    VOTES_MISSING = "votes-missing"
    """A proposal was good, and fewer than a quorum answered in its round."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """STALL-7. Of one height. `round`: the one it is in, or became final in (`decided`). `heard`: seats that somebody
    heard in it. `blamed`: whose fault the cause is, as far as that can be told. `sides`: whom the nodes of each part of
    a partition hear."""

    case: Case
    cause: Cause
    blamed: tuple[Seat, ...]
    findings: tuple[Finding, ...]
    rounds: tuple[RoundStory, ...]
    sides: tuple[tuple[Seat, ...], ...] = ()

    @property
    def stands_still(self) -> bool:
        """Whether the height is open and a round of it has failed, or too few could speak."""
        return self.case.decided < 0 and self.cause is not Cause.NONE


def explain(told: Sequence[Told]) -> Explanation:
    """STALL-7. Lay transcripts side by side. Raises `Rejected` where they do not belong together."""
    case = open_case(told)
    proofs = guilt(case)
    findings, rounds = seat_findings(case, proofs), round_stories(case, proofs)
    troubled: dict[Seat, Trouble] = {
        finding.seat: finding.trouble for finding in findings if finding.trouble is not Trouble.LYING
    }
    if case.decided >= 0:
        return _past(case, findings, rounds, troubled)
    unheard = tuple(Seat(s) for s in range(len(case.validators)) if s not in case.heard)
    mute = tuple(s for s, trouble in troubled.items() if trouble in (Trouble.OBSERVING, Trouble.BEHIND))
    quorum, seats = case.validators.quorum, len(case.validators)
    if case.round == 0:
        cause = Cause.NO_QUORUM if seats - len(mute) < quorum else Cause.NONE
        return Explanation(case, cause, mute if cause is Cause.NO_QUORUM else (), findings, rounds)
    if len(case.heard) < quorum:
        return Explanation(case, Cause.NO_QUORUM, unheard, findings, rounds)
    views = [hears(case, place) for place in range(len(case.told)) if is_settled(case, place)]
    if views and all(len(view) < quorum for view in views) and len(set(views)) > 1:
        sides = tuple(dict.fromkeys(views))
        return Explanation(case, Cause.PARTITION, (), findings, rounds, sides)
    cause, blamed = _of_round(case, rounds[-1], troubled)
    return Explanation(case, cause, blamed, findings, rounds)


def _past(
    case: Case, findings: tuple[Finding, ...], rounds: tuple[RoundStory, ...], troubled: dict[Seat, Trouble]
) -> Explanation:
    """The cause of most of the rounds that failed; of several the earliest."""
    if case.decided == 0:
        return Explanation(case, Cause.NONE, (), findings, rounds)
    if not case.votes:
        return Explanation(case, Cause.UNKNOWN, (), findings, rounds)
    causes = [_of_round(case, story, troubled) for story in rounds]
    cause, _ = Counter(one for one, _ in causes).most_common(1)[0]
    blamed = dict.fromkeys(seat for one, seats in causes if one is cause for seat in seats)
    return Explanation(case, cause, tuple(blamed), findings, rounds)


def _of_round(case: Case, story: RoundStory, troubled: dict[Seat, Trouble]) -> tuple[Cause, tuple[Seat, ...]]:
    """STALL-6, STALL-7. The cause of one round, and whose it is."""
    leads = (story.leader,)
    trouble = troubled.get(story.leader)
    match story.why:
        case Why.LIED:
            return Cause.LYING_LEADER, leads
        case Why.REFUSED:
            return Cause.REFUSED, leads
        case Why.WAITED:
            return Cause.WAITING, leads
        case Why.NOT_PROPOSED if trouble is Trouble.SLOW:
            return Cause.SLOW, leads
        case Why.NOT_PROPOSED | Why.NOT_PREPARED if trouble is Trouble.PARTITIONED:
            return Cause.PARTITION, leads
        case Why.NOT_PROPOSED:
            return Cause.DEAD_LEADER, leads
        case _:
            return _of_votes(case, story, troubled)


def _of_votes(case: Case, story: RoundStory, troubled: dict[Seat, Trouble]) -> tuple[Cause, tuple[Seat, ...]]:
    """A good proposal whose votes did not come together: whose are missing, and what is wrong with them."""
    there = story.prepared if story.why is Why.NOT_PREPARED else story.committed
    missing = tuple(Seat(s) for s in range(len(case.validators)) if s not in there)
    slow = tuple(seat for seat, trouble in troubled.items() if trouble is Trouble.SLOW)
    cut = tuple(seat for seat, trouble in troubled.items() if trouble is Trouble.PARTITIONED)
    if cut and (story.why is Why.NOT_GATHERED or any(seat in cut for seat in missing)):
        return Cause.PARTITION, cut
    if any(seat in slow for seat in missing) or (slow and story.why is Why.NOT_GATHERED):
        return Cause.SLOW, tuple(seat for seat in slow if seat in missing) or slow
    return Cause.VOTES_MISSING, missing
