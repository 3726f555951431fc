"""What a node is to look at elsewhere: looks, words, and what a prober makes of an answer."""

from hashlib import sha256
from typing import Any

import pytest
from msgspec.structs import replace
from tests.unit.docklock.agent.desk import CHECK, TIMEOUT_MS, Desk

from metanode.docklock.agent.events import Desired, Effect, Inspect, Inspected, Report, Reported, Tick
from metanode.docklock.agent.inspecting import LOOKS, NO_STATEMENT
from metanode.docklock.agent.judging import Question, container_of, judge, speaks_http
from metanode.docklock.cluster.state import Duty
from metanode.primitives import ed25519
from metanode.primitives.codec import encode
from metanode.records.address import address_of_key
from metanode.records.cluster import SIGHTINGS_MAX
from metanode.records.statement import (
    INSPECTION_ANSWERS,
    InspectionAnswer,
    Statement,
    is_signed,
    state,
    statement_digest,
)

KEY = ed25519.SigningKey(b"n" * 32)
APART_MS = TIMEOUT_MS // 8
ASKED = Question("shop", b"a" * 20, b"\7" * 32)


def duty(index: int = 0, **changes: Any) -> Duty:
    usual = Duty(
        node="node-2",
        account=address_of_key(KEY.public_key),
        api="127.0.0.1:26700",
        workload="web",
        index=index,
        attempt=1,
        revision=1,
        spec=b"s" * 32,
        since_ms=1,
    )
    return replace(usual, **changes)


class Looking(Desk):
    """A desk whose duties are given, and which keeps what was sighted."""

    def __init__(self) -> None:
        super().__init__()
        self.sighted: list[tuple[int, str]] = []

    def given(self, *duties: Duty) -> list[Effect]:
        return self.goes(Desired(self.now_ms, 1, (), TIMEOUT_MS, duties))

    def goes(self, event: Any) -> list[Effect]:
        asked = []
        for effect in self.agent.handle(event):
            if isinstance(effect, Report):
                self.sighted += [(one.index, one.sight) for one in effect.sightings]
                if not self.deaf:
                    asked += self.goes(Reported(self.now_ms, final=True))
            elif isinstance(effect, Inspect):
                asked.append(effect)
        return asked

    def sees(self, sight: str, index: int = 0, statement: bytes = NO_STATEMENT) -> list[Effect]:
        return self.goes(Inspected(self.now_ms, duty(index), sight, statement))

    def waits(self, ms: int) -> list[Effect]:
        self.now_ms += ms
        return self.goes(Tick(self.now_ms))


def test_what_is_seen_at_once_is_said_at_once_and_once() -> None:
    desk = Looking()
    assert desk.given(duty()) == [Inspect(duty())]
    assert desk.sees("seen") == []
    assert desk.sighted == [(0, "seen")]
    assert desk.given(duty()) == [], "the share still names it for a block"
    assert desk.waits(TIMEOUT_MS) == []
    assert desk.sighted == [(0, "seen")]


def test_before_it_says_that_nothing_is_there_a_prober_looks_three_times() -> None:
    desk = Looking()
    desk.given(duty())
    for look in range(1, LOOKS + 1):
        assert desk.sighted == []
        assert desk.sees("unseen") == []
        if look < LOOKS:
            assert desk.waits(APART_MS - 1) == []
            assert desk.waits(1) == [Inspect(duty())]
    assert desk.sighted == [(0, "unseen")]


@pytest.mark.parametrize(
    ("sights", "word"),
    [
        (("unseen", "seen"), "seen"),
        (("unseen", "unwell", "unseen"), "unwell"),
        (("unwell", "unseen", "seen"), "seen"),
        (("unwell", "unwell", "unwell"), "unwell"),
    ],
)
def test_the_best_of_three_looks_counts(sights: tuple[str, ...], word: str) -> None:
    desk = Looking()
    desk.given(duty())
    for sight in sights:
        desk.sees(sight)
        desk.waits(APART_MS)
    assert desk.sighted == [(0, word)]


def test_an_unanswered_look_is_not_followed_by_another() -> None:
    desk = Looking()
    desk.given(duty())
    assert desk.waits(10 * TIMEOUT_MS) == []


def test_what_is_named_no_more_is_looked_at_no_more_and_the_same_later_is_another_duty() -> None:
    desk = Looking()
    desk.given(duty())
    desk.sees("unseen")
    assert desk.given() == []
    assert desk.waits(APART_MS) == []
    assert desk.sees("seen") == []
    assert desk.sighted == []
    later = duty(since_ms=2)
    assert desk.given(later) == [Inspect(later)]


def test_a_word_that_did_not_become_final_is_said_again() -> None:
    desk = Looking()
    desk.given(duty())
    desk.deaf = True
    desk.sees("seen")
    assert desk.sighted == [(0, "seen")]
    desk.goes(Reported(desk.now_ms, final=False))
    assert desk.sighted == [(0, "seen")] * 2
    desk.goes(Reported(desk.now_ms, final=True))
    desk.waits(TIMEOUT_MS)
    assert desk.sighted == [(0, "seen")] * 2


def test_more_words_than_a_report_takes_go_into_the_next() -> None:
    desk = Looking()
    desk.given(*(duty(index) for index in range(SIGHTINGS_MAX + 3)))
    desk.deaf = True
    for index in range(SIGHTINGS_MAX + 3):
        desk.sees("seen", index)
    desk.sighted.clear()
    desk.goes(Reported(desk.now_ms, final=True))
    while len(desk.sighted) < SIGHTINGS_MAX + 2:
        said = len(desk.sighted)
        assert said <= SIGHTINGS_MAX
        desk.goes(Reported(desk.now_ms, final=True))
        assert len(desk.sighted) > said
    assert len(set(desk.sighted)) == len(desk.sighted)


# --- judging ----------------------------------------------------------------------------------------------------------


def answer(head: bytes = b"", key: ed25519.SigningKey = KEY, **changes: Any) -> InspectionAnswer:
    usual = Statement(
        cluster="shop",
        container=container_of("shop", duty()),
        asker=ASKED.asker,
        nonce=ASKED.nonce,
        time_ms=1,
        runs=True,
        well=True,
        answer=sha256(head).digest(),
    )
    return state(replace(usual, **changes), head, key)


HTTP = replace(CHECK, probe="http", path="/")


def test_what_runs_and_is_well_is_seen_and_the_statement_is_pinned() -> None:
    got = answer()
    assert judge(duty(), ASKED, None, got) == ("seen", statement_digest(got.signed))
    assert judge(duty(), ASKED, CHECK, got)[0] == "seen"
    assert judge(duty(), ASKED, HTTP, answer(b"HTTP/1.0 204 No Content\r\n\r\n"))[0] == "seen"


def test_a_node_that_says_itself_that_it_is_not_well_has_not_lied() -> None:
    no: list[dict[str, Any]] = [{"runs": False}, {"well": False}, {"runs": False, "well": False}]
    for changes in no:
        got = answer(**changes)
        assert judge(duty(), ASKED, HTTP, got) == ("unwell", statement_digest(got.signed))


def test_well_without_an_answer_that_bears_it_out_is_not_believed() -> None:
    for head in (b"", b"hello", b"HTTP/1.0 500 No\r\n", b"HTTP/1.0 2000 No\r\n", b"HTTP/1.0", b"SSH-2.0 200 x"):
        got = answer(head)
        assert not speaks_http(head)
        assert judge(duty(), ASKED, HTTP, got) == ("unseen", statement_digest(got.signed))


@pytest.mark.parametrize(
    "got",
    [
        None,
        answer(nonce=b"\6" * 32),
        answer(container="shop.web.0.2"),
        answer(cluster="other"),
        answer(asker=b"b" * 20),
        answer(key=ed25519.SigningKey(b"x" * 32)),
        replace(answer(), signed=replace(answer().signed, signature=bytes(64))),
    ],
)
def test_no_answer_an_old_one_and_somebody_elses_are_none(got: InspectionAnswer | None) -> None:
    assert judge(duty(), ASKED, None, got) == ("unseen", NO_STATEMENT)


def test_an_answer_that_is_not_the_one_stated_is_held_against_the_node() -> None:
    got = replace(answer(b"HTTP/1.0 200 OK\r\n"), answer=b"HTTP/1.0 200 OK\r\n\r\n")
    assert judge(duty(), ASKED, HTTP, got) == ("unseen", statement_digest(got.signed))


def test_a_statement_is_of_its_key_and_has_one_form() -> None:
    got = answer(b"HTTP/1.0 200 OK\r\n")
    assert INSPECTION_ANSWERS.decode(encode(got)) == got
    assert is_signed(got.signed)
    changed = replace(got.signed, statement=replace(got.signed.statement, runs=False))
    assert not is_signed(changed)
    assert statement_digest(changed) != statement_digest(got.signed)
