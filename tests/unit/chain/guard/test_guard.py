"""The sign guard: one record, one word a step, never a step back, never a hidden commit."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.chain.ibft.counterfeit import CHAIN, signed, validators

from metanode.chain.guard import (
    NO_COMMIT,
    NOTHING_SIGNED,
    Guard,
    GuardRecord,
    GuardRefusal,
    Produce,
    Produced,
    Refuse,
    Release,
    Request,
    Store,
    encode_record,
    read_record,
    statement_digest,
)
from metanode.primitives.codec import CodecRefusal
from metanode.primitives.names import NO_HASH
from metanode.primitives.refusal import Rejected
from metanode.records.vote import NO_ROUND, Vote, VoteKind

MEMBERS = validators(4)
X, Y = b"x" * 32, b"y" * 32
RC, PROPOSAL, PREPARE, COMMIT = VoteKind.ROUND_CHANGE, VoteKind.PROPOSAL, VoteKind.PREPARE, VoteKind.COMMIT


def word(
    kind: VoteKind, height: int, round_: int, hash_: bytes = X, prepared: int = NO_ROUND, attachment: bytes = NO_HASH
) -> Request:
    vote = Vote(
        version=1,
        kind=kind,
        height=height,
        round=round_,
        seat=1,
        header_hash=hash_,
        prepared_round=prepared,
        attachment=attachment,
        seal=b"",
        signature=b"",
    )
    return Request(vote, CHAIN, MEMBERS.hash, b"seal" if kind == COMMIT else b"")


def ask(guard: Guard, request: Request) -> Vote | GuardRefusal:
    """The vote released, or the refusal; checks that nothing is released before its record is durable."""
    durable, waiting = False, guard.handle(request)
    while waiting:
        match waiting.pop(0):
            case Produce(request=asked):
                assert asked == request
                waiting = guard.handle(Produced(signed(asked.vote, MEMBERS)))
                assert [type(e) for e in waiting] == [Store, Release]
            case Store(record=record):
                assert read_record(record) == guard.record
                durable = True
            case Release(vote=vote):
                assert durable or guard.record.vote == (vote,)
                return vote
            case Refuse(vote=vote, reason=reason):
                assert vote == request.vote
                return reason
    raise AssertionError("no answer")


def test_words_in_order_are_signed() -> None:
    guard = Guard(NOTHING_SIGNED)
    order = [
        word(PROPOSAL, 1, 0),
        word(PREPARE, 1, 0),
        word(COMMIT, 1, 0),
        word(RC, 1, 1, X, prepared=0),
        word(PROPOSAL, 1, 1),
        word(PREPARE, 1, 1),
        word(RC, 1, 5, X, prepared=0),
        word(PREPARE, 2, 0),
    ]
    for request in order:
        assert isinstance(ask(guard, request), Vote)
    assert (guard.record.height, guard.record.round, guard.record.step) == (2, 0, 3)


def test_the_same_bytes_return_the_stored_signature_after_a_restart_too() -> None:
    guard = Guard(NOTHING_SIGNED)
    first = ask(guard, word(COMMIT, 3, 2))
    assert isinstance(first, Vote)
    again = Guard(read_record(encode_record(guard.record)))
    assert again.handle(word(COMMIT, 3, 2)) == [Release(first)]


@pytest.mark.parametrize("kind", [RC, PROPOSAL, PREPARE, COMMIT])
def test_another_word_for_the_same_step_is_refused(kind: VoteKind) -> None:
    """Two machines with one key signed twice: celo-org/celo-blockchain#2055."""
    guard = Guard(NOTHING_SIGNED)
    ask(guard, word(kind, 1, 1, X, prepared=0 if kind == RC else NO_ROUND))
    assert ask(guard, word(kind, 1, 1, Y, prepared=0 if kind == RC else NO_ROUND)) is GuardRefusal.SECOND_WORD
    other_set = Request(guard.record.vote[0], CHAIN, validators(5).hash, b"")
    request = Request(word(kind, 1, 1).vote, CHAIN, other_set.validators_hash, b"")
    assert ask(guard, request) is GuardRefusal.SECOND_WORD


@pytest.mark.parametrize(
    "earlier", [word(PREPARE, 2, 1), word(RC, 2, 1), word(COMMIT, 2, 0), word(COMMIT, 1, 9), word(RC, 1, 99)]
)
def test_nothing_earlier_is_signed(earlier: Request) -> None:
    guard = Guard(NOTHING_SIGNED)
    ask(guard, word(COMMIT, 2, 1))
    before = guard.record
    assert ask(guard, earlier) is GuardRefusal.BACKWARDS
    assert guard.record == before


@pytest.mark.parametrize(
    ("prepared", "hash_"), [(NO_ROUND, NO_HASH), (1, X), (2, Y)], ids=["nothing", "a lower round", "another value"]
)
def test_a_round_change_that_hides_a_commit_is_refused(prepared: int, hash_: bytes) -> None:
    guard = Guard(NOTHING_SIGNED)
    ask(guard, word(COMMIT, 7, 2, X))
    ask(guard, word(RC, 7, 3, X, prepared=2))
    assert ask(guard, word(RC, 7, 4, hash_, prepared=prepared)) is GuardRefusal.HIDES_COMMIT
    assert isinstance(ask(guard, word(RC, 7, 4, Y, prepared=3)), Vote), "prepared later, something else: honest"


def test_a_new_height_forgets_the_commit() -> None:
    guard = Guard(NOTHING_SIGNED)
    ask(guard, word(COMMIT, 7, 2, X))
    assert guard.record.committed_round == 2
    assert isinstance(ask(guard, word(RC, 8, 1, NO_HASH)), Vote)
    assert guard.record.committed_round == NO_COMMIT


def test_another_chain_is_refused() -> None:
    guard = Guard(NOTHING_SIGNED)
    ask(guard, word(PREPARE, 1, 0))
    foreign = Request(word(PREPARE, 9, 0).vote, b"z" * 32, MEMBERS.hash, b"")
    assert ask(guard, foreign) is GuardRefusal.OTHER_CHAIN


def test_records_survive_their_bytes_and_damage_is_seen() -> None:
    guard = Guard(NOTHING_SIGNED)
    ask(guard, word(COMMIT, 1, 0))
    data = encode_record(guard.record)
    assert read_record(data) == guard.record
    assert read_record(b"") == NOTHING_SIGNED
    assert len(data) < 1000
    with pytest.raises(Rejected) as refused:
        read_record(data[:-1])
    assert refused.value.reason is CodecRefusal.MALFORMED


def test_the_statement_is_everything_but_seal_and_signature() -> None:
    request = word(COMMIT, 1, 0)
    full = signed(request.vote, MEMBERS)
    assert statement_digest(request.vote, CHAIN, MEMBERS.hash) != statement_digest(full, CHAIN, MEMBERS.hash)
    names = {statement_digest(w.vote, CHAIN, MEMBERS.hash) for w in (request, word(PREPARE, 1, 0), word(COMMIT, 1, 1))}
    assert len(names) == 3


requests = st.builds(
    word,
    st.sampled_from(list(VoteKind)),
    st.integers(1, 2),
    st.integers(0, 3),
    st.sampled_from([X, Y]),
    st.sampled_from([NO_ROUND, 0, 1, 2]),
)


@given(st.lists(st.tuples(requests, st.booleans()), max_size=60))
def test_whatever_is_asked_one_word_a_step_and_no_amnesia(asked: list[tuple[Request, bool]]) -> None:
    guard = Guard(NOTHING_SIGNED)
    said: dict[tuple[int, int, int], Vote] = {}
    for request, restart in asked:
        if restart:
            guard = Guard(read_record(encode_record(guard.record)))
        answer = ask(guard, request)
        if isinstance(answer, Vote):
            key = (answer.height, answer.round, answer.kind)
            assert said.setdefault(key, answer) == answer
            hidden = [
                v
                for v in said.values()
                if (v.kind, v.height) == (COMMIT, answer.height) and v.round < answer.round and answer.kind == RC
            ]
            assert all(v.round <= answer.prepared_round != NO_ROUND for v in hidden)


def test_the_empty_record_is_what_init_writes() -> None:
    assert (
        GuardRecord(
            version=1,
            chain_id=bytes(32),
            height=0,
            round=0,
            step=0,
            digest=bytes(32),
            vote=(),
            committed_round=0xFFFF_FFFF,
            committed_hash=bytes(32),
        )
        == NOTHING_SIGNED
    )
