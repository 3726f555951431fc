"""Whatever a client asks, within the types of the table, the node answers: it never falls over a question."""

from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.ledger.test_conviction import double_vote
from tests.unit.ledger.world import adding, address
from tests.unit.node.requests.world import Chain

from metanode.api.errors import ApiError
from metanode.api.methods import METHODS
from metanode.api.receipt_names import receipt_name
from metanode.api.shapes import Answer
from metanode.node.requests.answering import OF_DESK, OF_POOL
from metanode.records.address import show_address
from metanode.records.calls import CoinTransfer


def lively() -> Chain:
    """A few blocks of all kinds, something waiting, something dropped."""
    chain = Chain()
    chain.final(chain.transaction("alice", CoinTransfer(coin="BPI", to=address("bob"), amount=b"\x05"), fee=1))
    chain.vote_in(adding(4))
    chain.final(evidence=(double_vote(3),))
    chain.desk.evidence = (double_vote(2),)
    chain.wait_in_pool(chain.transaction("bob", CoinTransfer(coin="BPI", to=address("carol"), amount=b"\x05")))
    chain.desk.dropped(b"\x05" * 32, "pool.expired", "")
    return chain


CHAIN = lively()
NUMBERS = st.one_of(st.integers(0, 8), st.integers(0, (1 << 63) - 1))
CURSORS = st.one_of(
    st.just(""),
    st.from_regex(r"[0-9]{1,19}:[0-9]{1,9}", fullmatch=True),
    st.from_regex(r"[0-9]{1,20}", fullmatch=True),
    st.from_regex(r"[0-9a-f]{40}", fullmatch=True),
    st.from_regex(r"[0-9]{1,19}:[0-9a-f]{64}", fullmatch=True),
    st.from_regex(r"[0-9A-Za-z:._-]{0,128}", fullmatch=True),
)
NAMES = st.one_of(
    st.sampled_from(["", "alice", "validator-1", "BPI", "coin", "governance", show_address(address("bob")), "bpi1x"]),
    st.text(max_size=64),
)
FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "cursor": CURSORS,
    "after": CURSORS,
    **dict.fromkeys(("identity", "digest"), st.binary(min_size=32, max_size=32).map(bytes.hex)),
    "encoded": st.binary(max_size=200).map(bytes.hex),
    "receipt": st.one_of(
        st.builds(receipt_name, st.integers(1, 6), st.integers(0, 4)),
        st.from_regex(r"rcpt_[0-9A-HJKMNP-TV-Z]{3,20}", fullmatch=True),
        st.binary(min_size=32, max_size=32).map(bytes.hex),
    ),
    "key": st.one_of(st.just(b"csBPI"), st.binary(min_size=1, max_size=256)).map(bytes.hex),
    "limit": st.integers(1, 500),
    "peers": st.lists(NAMES, max_size=3),
    "kinds": st.lists(st.sampled_from(["block", "transaction", "receipt"]), max_size=3).map(",".join),
    "kind": st.sampled_from(["pause", "partition", "latency"]),
    **dict.fromkeys(("account", "coin", "name", "module", "cluster", "node", "workload", "network"), NAMES),
    "index": NUMBERS,
    **dict.fromkeys(("height", "before", "above", "first", "last", "proposal", "value_ms"), NUMBERS),
}


@st.composite
def questions(draw: st.DrawFn) -> tuple[str, dict[str, Any]]:
    name = draw(st.sampled_from(sorted([*OF_DESK, *OF_POOL])))
    return name, {field: draw(FIELDS[field]) for field in METHODS[name].request.__struct_fields__}


@given(questions())
@settings(max_examples=200, deadline=None)
def test_every_question_has_an_answer_that_is_json(question: tuple[str, dict[str, Any]]) -> None:
    name, fields = question
    method = METHODS[name]
    try:
        asked = msgspec.convert(fields, method.request)
    except msgspec.ValidationError:
        return
    answered = CHAIN.answer_only(name, asked)
    assert isinstance(answered, ApiError | Answer)
    if not isinstance(answered, ApiError):
        shown = msgspec.json.encode(answered)
        assert msgspec.json.encode(msgspec.json.decode(shown, type=method.answer)) == shown
