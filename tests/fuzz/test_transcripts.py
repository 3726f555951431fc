"""What a node says of itself in a transcript is anything at all: it is refused or explained, and convicts nobody."""

from dataclasses import replace
from typing import TypeVar

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import inspect
from tests.fuzz.wire import values
from tests.unit.chain.forensics.test_evidence_file import CHECKS, basis, chain, spoken
from tests.unit.chain.stall.test_transcript import read, sealed, shown

from metanode.chain.stall import StallRefusal, Trouble, explain, read_transcript
from metanode.cli.bpi.stalling import facts_of, next_step, round_words, seat_words, sentence
from metanode.primitives.codec import encode
from metanode.primitives.names import NO_HASH
from metanode.primitives.refusal import Rejected
from metanode.records.transcript import Arrival, LateWord, Link, Notes, Said, TurnedDown
from metanode.records.vote import VoteKind

Kind = TypeVar("Kind")

SEATS = st.integers(-2, 5)
ROUNDS = st.one_of(st.integers(-1, 3), st.integers(0, 2**63 - 1))


def near(kind: type[Kind], **fields: st.SearchStrategy[object]) -> st.SearchStrategy[Kind]:
    """Values of a type that are about this height, seats and rounds often enough to matter."""
    described = inspect.type_info(kind)
    assert isinstance(described, inspect.StructType)
    made = {
        field.name: fields[field.name] if field.name in fields else values(field.type) for field in described.fields
    }
    return st.fixed_dictionaries(made).map(lambda arguments: kind(**arguments))


PRINTABLE = st.text(st.characters(categories=["L", "N", "P"]), max_size=20)
NOTES = near(
    Notes,
    version=st.just(1),
    arrivals=st.lists(near(Arrival, seat=SEATS, round=ROUNDS, own_round=ROUNDS), max_size=3).map(tuple),
    late=st.lists(near(LateWord, seat=SEATS, height=st.integers(3, 6), round=ROUNDS), max_size=3).map(tuple),
    turned_down=st.lists(near(TurnedDown, seat=SEATS, round=ROUNDS, refusal=PRINTABLE), max_size=3).map(tuple),
)
SAID = near(
    Said,
    node=PRINTABLE,
    seat=SEATS,
    round=ROUNDS,
    silence=st.one_of(st.just(""), PRINTABLE),
    links=st.lists(near(Link, seat=SEATS, height=st.integers(0, 6)), max_size=4).map(tuple),
    notes=NOTES,
)
VALUE = chain().header(5).hash
WORDS = tuple(
    spoken(5, kind, seat, NO_HASH if kind is VoteKind.ROUND_CHANGE else VALUE, round_)
    for kind, round_ in (
        (VoteKind.ROUND_CHANGE, 1),
        (VoteKind.ROUND_CHANGE, 2),
        (VoteKind.PREPARE, 0),
        (VoteKind.PREPARE, 1),
    )
    for seat in range(4)
)
"""What honest seats may have said."""


BASES = {final: read(shown(5, final=final)) for final in (False, True)}
"""Checked once: what nobody signed is not looked at for its meaning."""


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_whatever_a_node_says_of_itself_convicts_nobody(data: st.DataObject) -> None:
    """Where the height is final in round 0, a ROUND-CHANGE that hides that would convict: there are none of them."""
    final, told = data.draw(st.booleans()), []
    words = [word for word in WORDS if word.round == 0] if final else WORDS
    for _ in range(data.draw(st.integers(1, 3))):
        votes = tuple(data.draw(st.lists(st.sampled_from(words), unique=True, max_size=8)))
        told.append(replace(BASES[final], votes=votes, said=data.draw(SAID)))
    explained = explain(told)
    assert Trouble.LYING not in {finding.trouble for finding in explained.findings}
    assert not any(finding.proved for finding in explained.findings)
    assert facts_of(explained, {}, development=True)["sentence"] == sentence(explained)
    for finding in explained.findings:
        assert seat_words(explained, finding)
    for story in explained.rounds:
        assert round_words(explained, story)
    assert isinstance(next_step(explained, development=False), str)


@settings(max_examples=20, deadline=None)
@given(text=st.text(max_size=80))
def test_a_text_that_would_speak_to_a_terminal_is_refused(text: str) -> None:
    made = shown()
    try:
        read_transcript(
            encode(sealed(msgspec.structs.replace(made, said=msgspec.structs.replace(made.said, node=text)))),
            basis(),
            CHECKS,
        )
    except Rejected as rejected:
        assert rejected.reason is StallRefusal.ENCODING
        assert len(text) > 64 or not text.isprintable()
    else:
        assert len(text) <= 64
        assert text.isprintable()
