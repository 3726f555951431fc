"""Why a height stands still, in words: every cause has a sentence and, where something can be done, a next step."""

import msgspec
import pytest
from tests.unit.chain.forensics.test_evidence_file import chain, double, spoken
from tests.unit.chain.stall.test_transcript import read, said, shown, three
from tests.unit.cli.conftest import Bpi

from metanode.chain.stall import Cause, Explanation, Told, explain
from metanode.cli.bpi.stalling import facts_of, next_step, round_words, seat_words, sentence
from metanode.primitives.names import NO_HASH
from metanode.records.vote import VoteKind


def names(*seats: int) -> list[str]:
    return [chain().set_at(5)[seat].name for seat in seats]


def two_heard() -> Explanation:
    """Seats 0 and 1 gave up round 0; of 2 and 3 there is nothing."""
    return explain([read(shown())])


def test_a_missing_quorum_is_told_by_name() -> None:
    told = two_heard()
    (zero, one), (two, three_) = names(0, 1), names(2, 3)
    heard = f"3 of 4 validators are needed, heard 2: {zero}, {one}; silent: {two}, {three_}"
    assert sentence(told) == f"height 5 stands still for 0.0 s, in round 1: {heard}"
    assert next_step(told, development=True) == "bpi testnet heal"
    assert next_step(told, development=False).startswith(f"start or reconnect {two}, {three_}")
    assert seat_words(told, told.findings[0]) == (
        f"{two}: silent · no word of it in this height · its connection is up (said by node-0)"
    )
    leader = names(told.rounds[0].leader)[0]
    assert round_words(told, told.rounds[0]) == (
        f"0, led by {leader}: no proposal was heard (said by node-0) · 0 prepared, 0 committed, 3 needed"
        " · 2 signed that they gave it up"
    )


def test_who_does_not_vote_is_told_what_to_do() -> None:
    mute = "its journal or sign guard is not to be trusted"
    told = explain([read(shown(votes=(), said=said(seat, silence=mute, round=0))) for seat in (2, 3)])
    assert sentence(told).endswith(f"3 of 4 validators are needed, observing: {', '.join(names(2, 3))}")
    assert "bpi node vouch" in next_step(told, development=True)


def test_a_liar_is_told_with_what_it_said() -> None:
    changes = tuple(spoken(4, VoteKind.ROUND_CHANGE, seat, NO_HASH, 1) for seat in (0, 1, 2))
    told = explain([read(shown(4, votes=changes, evidence=(double(4),)))])
    facts = facts_of(told, {3: "proof.evidence"}, development=True)
    (liar,) = [one for one in facts["seats"] if one["trouble"] == "lying"]
    assert (liar["proved"], liar["said_by"], liar["file"], len(liar["shows"])) == (True, [], "proof.evidence", 2)
    (found,) = [finding for finding in told.findings if finding.evidence]
    assert seat_words(told, found).endswith("said two things of which an honest validator says one (proved)")


def with_cause(told: Explanation, cause: Cause, **fields: object) -> Explanation:
    made = {name: getattr(told, name) for name in Explanation.__slots__}
    return Explanation(**made | {"cause": cause, "blamed": (2,)} | fields)


@pytest.mark.parametrize("cause", [cause for cause in Cause if cause is not Cause.NONE])
def test_every_cause_has_a_sentence_and_a_next_step(cause: Cause) -> None:
    told = with_cause(explain([three(said())]), cause)
    assert sentence(told).startswith("height 5 stands still for 0.0 s, in round 1: ")
    assert not sentence(told).endswith(": ")
    for development in (True, False):
        assert next_step(told, development=development)


def test_nothing_is_wrong_in_words() -> None:
    well = explain([read(shown(votes=(), said=said(round=0, at_ms=chain().header(4).timestamp_ms + 700)))])
    assert (
        sentence(well) == "height 5 has been open for 0.7 s, and nobody has given up a round: it does not stand still"
    )
    assert next_step(well, development=True) == ""
    past = explain([read(shown(final=True, votes=()))])
    assert sentence(past) == "height 5 became final in its first round"


def test_a_past_height_says_how_long_it_took() -> None:
    told = read(shown(final=True))
    ((header, commit),) = told.final
    fields = {name: getattr(told, name) for name in Told.__slots__}
    later = Told(**fields | {"final": ((header, msgspec.structs.replace(commit, round=2)),)})
    took_s = (header.timestamp_ms - chain().header(4).timestamp_ms) / 1000
    assert sentence(explain([later])).startswith(
        f"height 5 became final {took_s:.1f} s above the block below, after 2 rounds had failed: "
    )


def test_two_sides_are_told_apart() -> None:
    told = with_cause(explain([three(said())]), Cause.PARTITION, sides=((0, 1), (2, 3)))
    assert f"[{', '.join(names(0, 1))}] and [{', '.join(names(2, 3))}] are cut off from each other" in sentence(told)


def test_files_or_nodes_not_both(bpi: Bpi) -> None:
    said_ = bpi("doctor", "stall", "a.transcript", "--height", "3")
    assert (said_.status, "[cli.usage]" in said_.err) == (2, True)


def test_a_stranger_needs_something_to_trust(bpi: Bpi) -> None:
    said_ = bpi("doctor", "stall", "--url", "http://127.0.0.1:9")
    assert (said_.status, "[cli.no-genesis]" in said_.err) == (3, True)


def test_nobody_answers_and_no_such_file(bpi: Bpi) -> None:
    bpi("init", "--port-base", "30100")
    said_ = bpi("doctor", "stall")
    assert (said_.status, "[client.unreachable]" in said_.err) == (60, True)
    missing = bpi("doctor", "stall", "nothing.transcript")
    assert (missing.status, "[cli.file-not-found]" in missing.err) == (3, True)
