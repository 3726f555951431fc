"""Why a height stands still, or needed more rounds, in words an operator would act upon."""

from collections.abc import Sequence
from typing import Any

from metanode.chain.stall import Cause, Explanation, Finding, RoundStory, Told, Trouble, Why
from metanode.cli.bpi.guilt import MEANINGS, shown_words
from metanode.primitives.names import Seat

WHYS = {
    Why.LIED: "its leader proposed what convicts it",
    Why.REFUSED: "its block was found invalid",
    Why.NOT_PROPOSED: "no proposal was heard",
    Why.WAITED: "its block cannot be judged yet: its body is missing, or executing it takes long",
    Why.NOT_PREPARED: "too few prepared",
    Why.NOT_COMMITTED: "a quorum prepared, too few committed",
    Why.NOT_GATHERED: "a quorum committed, and nobody heard all of it in time",
}
"""How a round failed, for people."""


def names_of(explained: Explanation, seats: Sequence[Seat]) -> list[str]:
    """Validators by name."""
    return [explained.case.validators[seat].name for seat in seats]


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names) if names else "nobody"


def _troubled(explained: Explanation) -> str:
    """`silent: validator-1; behind: validator-3`, of those who are not heard."""
    by_trouble: dict[str, list[str]] = {}
    for finding in explained.findings:
        if finding.seat in explained.blamed and finding.trouble is not Trouble.LYING:
            by_trouble.setdefault(finding.trouble, []).append(explained.case.validators[finding.seat].name)
    return "; ".join(f"{trouble}: {', '.join(names)}" for trouble, names in by_trouble.items())


def sentence(explained: Explanation) -> str:
    """What is wrong, in one sentence."""
    case = explained.case
    if explained.cause is Cause.NONE:
        if case.decided == 0:
            return f"height {case.height} became final in its first round"
        open_for = f"height {case.height} has been open{_how_long(case.told)}"
        return f"{open_for}, and nobody has given up a round: it does not stand still"
    if case.decided < 0:
        return f"height {case.height} stands still{_how_long(case.told)}, in round {case.round}: {_cause(explained)}"
    failed = "1 round" if case.decided == 1 else f"{case.decided} rounds"
    return f"height {case.height} became final{_after(case.told)} after {failed} had failed: {_cause(explained)}"


def _how_long(told: Sequence[Told]) -> str:
    """By the time in the block below, and the clock of who was asked."""
    ages = [one.said.at_ms - header.timestamp_ms for one in told for header in one.below]
    return f" for {max(*ages, 0) / 1000:.1f} s" if ages else ""


def _after(told: Sequence[Told]) -> str:
    """How long it took, by the times in two certified headers."""
    spans = [final.timestamp_ms - below.timestamp_ms for one in told for final, _ in one.final for below in one.below]
    return f" {max(spans) / 1000:.1f} s above the block below," if spans else ""


def _cause(explained: Explanation) -> str:
    case, blamed = explained.case, _listed(names_of(explained, explained.blamed))
    quorum, seats = case.validators.quorum, len(case.validators)
    last = explained.rounds[-1] if explained.rounds else None
    match explained.cause:
        case Cause.NO_QUORUM if not explained.case.round:
            return f"{quorum} of {seats} validators are needed, {_troubled(explained)}"
        case Cause.NO_QUORUM:
            heard = f"heard {len(case.heard)}: {_listed(names_of(explained, case.heard))}"
            return f"{quorum} of {seats} validators are needed, {heard}; {_troubled(explained)}"
        case Cause.PARTITION if explained.sides:
            sides = " and ".join(f"[{_listed(names_of(explained, side))}]" for side in explained.sides)
            return f"enough validators speak, but no node hears {quorum} of them: {sides} are cut off from each other"
        case Cause.PARTITION:
            return f"{blamed} was heard by some and not by others"
        case Cause.LYING_LEADER:
            return f"{blamed} led, and proposed what no honest validator proposes: proved by its own signatures"
        case Cause.REFUSED:
            why = next((f": {story.detail}" for story in explained.rounds if story.why is Why.REFUSED), "")
            return f"the block that {blamed} proposed was found invalid{why}"
        case Cause.WAITING:
            by = _listed(last.said_by) if last else "nobody"
            return (
                f"{by} cannot judge the block that {blamed} proposed yet: its body is missing, or executing takes long"
            )
        case Cause.DEAD_LEADER:
            return f"nobody who was asked heard a proposal of {blamed}, whose turn it was"
        case Cause.SLOW:
            return f"the words of {blamed} came after the round they were of"
        case Cause.VOTES_MISSING:
            return f"the proposal was good, and the votes of {blamed} were missing"
        case Cause.UNKNOWN | Cause.NONE:
            return "nobody who was asked has kept why"


def next_step(explained: Explanation, *, development: bool) -> str:
    """What to do first."""
    blamed = _listed(names_of(explained, explained.blamed))
    heal = "bpi testnet heal" if development and explained.stands_still else ""
    match explained.cause:
        case Cause.NONE:
            return ""
        case Cause.NO_QUORUM:
            observing = [f for f in explained.findings if f.trouble is Trouble.OBSERVING and f.seat in explained.blamed]
            if observing and len(observing) == len(explained.blamed):
                return f"read the log of {blamed}: a lost guard needs bpi node vouch, a start needs answers of a quorum"
            return heal or f"start or reconnect {blamed}; see their logs for why they stopped"
        case Cause.PARTITION:
            return heal or "mend the network between them: routes, firewalls, the ports for peers"
        case Cause.LYING_LEADER:
            return "bpi evidence list: the proof goes into a block, and who is guilty leaves the set"
        case Cause.REFUSED:
            return f"compare the versions of {blamed} and of who refused; if one node alone refuses, repair that one"
        case Cause.WAITING:
            return "look at the disk, the load and the links of who waits"
        case Cause.DEAD_LEADER:
            return heal or f"look at {blamed}: whether it runs, and what its log says of that time"
        case Cause.SLOW:
            return (
                f"look at load, disk, clock and network of {blamed}; round_timeout_ms may be too short for these links"
            )
        case Cause.VOTES_MISSING:
            return f"look at {blamed}: whether they run, their load, their links"
        case Cause.UNKNOWN:
            return "ask other nodes: those that voted then, and were not restarted within that height"


def basis_words(finding: Finding) -> str:
    """STALL-4. On what a finding rests."""
    return "proved" if finding.proved else f"said by {', '.join(finding.said_by)}"


def seat_words(explained: Explanation, finding: Finding) -> str:
    """One finding."""
    name = explained.case.validators[finding.seat].name
    last = "no word of it in this height"
    if finding.last_round >= 0:
        last = f"its last word is of round {finding.last_round}"
    parts = [f"{name}: {finding.trouble}", last]
    if finding.trouble is Trouble.LYING:
        parts = [f"{name}: {MEANINGS[str(finding.evidence[0].__struct_config__.tag)]}"]
    if finding.detail:
        parts.append(finding.detail)
    if finding.missed_by:
        parts.append(f"heard by {', '.join(finding.heard_by)}, not by {', '.join(finding.missed_by)}")
    return f"{' · '.join(parts)} ({basis_words(finding)})"


def round_words(explained: Explanation, story: RoundStory) -> str:
    """One round that failed."""
    leader, quorum = explained.case.validators[story.leader].name, explained.case.validators.quorum
    signed = f"{len(story.prepared)} prepared, {len(story.committed)} committed, {quorum} needed"
    beyond = f" (said by {', '.join(story.said_by)})" if story.said_by else " (proved)"
    detail = f": {story.detail}" if story.detail else ""
    gave_up = f"{len(story.left)} signed that they gave it up"
    return f"{story.round}, led by {leader}: {WHYS[story.why]}{detail}{beyond} · {signed} · {gave_up}"


def facts_of(explained: Explanation, written: dict[int, str], *, development: bool) -> dict[str, Any]:
    """The same for programs. What is under `proved` rests on signatures alone."""
    case = explained.case
    return {
        "height": case.height,
        "open": case.decided < 0,
        "stands_still": explained.stands_still,
        "cause": str(explained.cause),
        "blamed": names_of(explained, explained.blamed),
        "sentence": sentence(explained),
        "next_step": next_step(explained, development=development),
        "round": case.round,
        "quorum": case.validators.quorum,
        "validators": len(case.validators),
        "heard": names_of(explained, case.heard),
        "sides": [names_of(explained, side) for side in explained.sides],
        "seats": [_seat_facts(explained, finding, written) for finding in explained.findings],
        "rounds": [_round_facts(explained, story) for story in explained.rounds],
    }


def _seat_facts(explained: Explanation, finding: Finding, written: dict[int, str]) -> dict[str, Any]:
    return {
        "seat": finding.seat,
        "name": explained.case.validators[finding.seat].name,
        "trouble": str(finding.trouble),
        "proved": finding.proved,
        "said_by": list(finding.said_by),
        "last_round": None if finding.last_round < 0 else finding.last_round,
        "heard_by": list(finding.heard_by),
        "missed_by": list(finding.missed_by),
        "detail": finding.detail,
        "shows": [words for evidence in finding.evidence for words in shown_words(evidence)],
        "file": written.get(finding.seat, "") if finding.evidence else "",
    }


def _round_facts(explained: Explanation, story: RoundStory) -> dict[str, Any]:
    return {
        "round": story.round,
        "leader": explained.case.validators[story.leader].name,
        "why": str(story.why),
        "said_by": list(story.said_by),
        "detail": story.detail,
        "proved": {
            "proposed": [header.hex() for header in story.proposed],
            "prepared": names_of(explained, story.prepared),
            "committed": names_of(explained, story.committed),
            "gave_up": names_of(explained, story.left),
        },
    }
