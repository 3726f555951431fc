"""One batch of checks at a time: what an answer decides, and what a new height forgets (IBFT-M1, M3)."""

from itertools import count

import pytest
from tests.unit.chain.ibft.cluster import Cluster, only, state_of
from tests.unit.chain.ibft.counterfeit import CHAIN, certificate, content, validators
from tests.unit.chain.ibft.test_bounds import lone, prepare, received
from tests.unit.chain.ibft.test_round_change import change, hash_of

from metanode.chain import ibft
from metanode.chain.ibft.intake import CHECKED_MAX, WAITING_MAX, Intake
from metanode.records.vote import VoteKind


def test_only_the_answer_to_what_is_out_is_taken() -> None:
    """Zero is the token of what a batch did not need."""
    cluster, machine = lone()
    asked = only(machine.handle(received(prepare(cluster, 0, "x"))), ibft.CheckSignatures)
    for token in (0, asked.token + 1):
        for verdicts in ((), (True,), (True, True)):
            assert machine.handle(ibft.SignaturesChecked(0, token, verdicts)) == []
            assert machine.handle(ibft.AggregatesChecked(0, token, verdicts)) == []
    assert state_of(machine).votes == {}
    machine.handle(ibft.SignaturesChecked(0, asked.token, (True,)))
    assert list(state_of(machine).votes) == [(VoteKind.PREPARE, 0)]


def test_a_batch_is_judged_when_both_kinds_of_answers_are_there() -> None:
    members = validators(17)
    for signatures_first in (True, False):
        cluster, machine = Cluster(17), ibft.Ibft(CHAIN)
        machine.handle(cluster.begins(1, 16))
        shown = certificate(members, list(range(12)), hash_of(content(members, 0)))
        signatures, aggregates = machine.handle(received(change(members, 1, 1, shown), 1))
        assert isinstance(signatures, ibft.CheckSignatures)
        assert isinstance(aggregates, ibft.CheckAggregates)
        answers: list[ibft.Event] = [
            ibft.SignaturesChecked(0, signatures.token, (True,)),
            ibft.AggregatesChecked(0, aggregates.token, (True,)),
        ]
        for event in answers if signatures_first else reversed(answers):
            assert state_of(machine).latest == {}
            machine.handle(event)
        assert list(state_of(machine).latest) == [1]


def test_what_waited_is_over_with_its_height_and_its_room_is_free() -> None:
    cluster, machine = lone()
    asked = only(machine.handle(received(prepare(cluster, 0, "x"))), ibft.CheckSignatures)
    for _ in range(WAITING_MAX):
        assert machine.handle(received(prepare(cluster, 1, "x"), origin=1)) == []
    assert machine.handle(cluster.begins(2, 3)) == []
    new = only(machine.handle(received(prepare(cluster, 1, "x", height=2), origin=1)), ibft.CheckSignatures)
    assert len(new.items) == 1
    assert machine.handle(ibft.SignaturesChecked(0, asked.token, (True,))) == []
    for _ in range(WAITING_MAX):
        assert machine.handle(received(prepare(cluster, 1, "y", height=2), origin=1)) == []
    assert len(machine.handle(received(prepare(cluster, 1, "y", height=2), origin=1))) == 1


def test_signatures_are_remembered_within_bounds_and_forgotten_with_their_height() -> None:
    intake = Intake(count(1))
    claims = [(b"", b"", b"%d" % number) for number in range(CHECKED_MAX + 2)]
    for claim in claims:
        intake.trust(claim)
    assert list(intake.checked) == claims[2:], "the oldest go first"
    intake.forget()
    assert intake.checked == {}


def test_a_batch_has_one_verdict_for_each_of_its_claims() -> None:
    cluster, machine = lone()
    asked = only(machine.handle(received(prepare(cluster, 0, "x"))), ibft.CheckSignatures)
    for verdicts in ((), (True, True)):
        with pytest.raises(ValueError, match="zip"):
            Intake._learn(Intake(count(1)), dict.fromkeys(asked.items, False), verdicts)
