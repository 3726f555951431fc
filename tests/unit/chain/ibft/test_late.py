"""What comes after the decision: credited, held against its sender, answered, or passed over (IBFT-M3, C3, EVID-9)."""

import pytest
from tests.unit.chain.ibft.cluster import Cluster, of
from tests.unit.chain.ibft.counterfeit import CHAIN, certificate, check_shares, commit, content, validators, vote
from tests.unit.chain.ibft.test_attacks import hear
from tests.unit.chain.ibft.test_round_change import change, hash_of, proposal

from metanode.chain import ibft
from metanode.chain.evidence import vote_claim
from metanode.chain.ibft.answers import STRAGGLER_MS
from metanode.primitives.names import Height, Seat
from metanode.records.vote import Vote, VoteKind

MEMBERS = validators(7)
BLOCK = content(MEMBERS, 0)
X = hash_of(BLOCK)
OTHER = content(MEMBERS, 0, "other")
SIGNERS = [0, 1, 2, 4, 5]
DECISION = ibft.Decided(commit=commit(MEMBERS, SIGNERS, X), header=BLOCK.header)
TOLD = ibft.SendTo(Seat(1), DECISION)


def decided(*, next_height: bool) -> tuple[Cluster, ibft.Ibft]:
    """Seat 6 of seven, which decided on the COMMITs of others, and may have gone on."""
    cluster, machine = Cluster(7), ibft.Ibft(CHAIN)
    machine.handle(cluster.begins(1, 6))
    machine.handle(ibft.BlockDue(0))
    hear(machine, proposal(MEMBERS, 0, BLOCK, [], round_=0), 0)
    machine.handle(ibft.Validated(0, X, valid=True))
    assert len(of(hear(machine, DECISION, 0), ibft.Decide)) == 1
    if next_height:
        machine.handle(cluster.begins(2, 6))
    return cluster, machine


def ballot(kind: VoteKind, seat: int, header_hash: bytes = X, round_: int = 0) -> ibft.Ballot:
    return ibft.Ballot(vote=vote(MEMBERS, kind, seat, header_hash, round_=round_))


def check(word: Vote) -> ibft.Effect:
    """The next check there is, of one vote."""
    return ibft.CheckSignatures(3, (vote_claim(word, MEMBERS, CHAIN),))


OF_NO_USE: list[ibft.Message] = [
    ballot(VoteKind.PREPARE, 1),
    ballot(VoteKind.COMMIT, 1, hash_of(OTHER)),
    ballot(VoteKind.COMMIT, 1, X, round_=1),
    proposal(MEMBERS, 0, OTHER, [], round_=0),
]
CREDITED = ballot(VoteKind.COMMIT, 3)
DENIED = change(MEMBERS, 1, 1)
"""Seat 1 is one of those who committed."""
HONEST = change(MEMBERS, 3, 1)
"""Seat 3 is not."""
SHOWN = certificate(MEMBERS, SIGNERS, X)


@pytest.mark.parametrize("next_height", [False, True])
def test_what_comes_late_is_checked_where_it_is_of_use_and_answered_where_it_shows_who_is_behind(
    next_height: bool,
) -> None:
    wordless: list[ibft.Message] = [DECISION, ibft.Prepared(certificate=SHOWN)]
    for message in [*OF_NO_USE, *wordless]:
        _, machine = decided(next_height=next_height)
        assert machine.handle(ibft.Received(0, message, Seat(1))) == [], "it is merely late"
        answer = [] if message in wordless else [TOLD]
        assert machine.handle(ibft.Received(STRAGGLER_MS, message, Seat(1))) == answer
    for now_ms in (0, STRAGGLER_MS):
        _, machine = decided(next_height=next_height)
        assert machine.handle(ibft.Received(now_ms, CREDITED, Seat(1))) == [check(CREDITED.vote)]
        _, machine = decided(next_height=next_height)
        assert machine.handle(ibft.Received(now_ms, HONEST, Seat(1))) == [TOLD]
        _, machine = decided(next_height=next_height)
        assert machine.handle(ibft.Received(now_ms, DENIED, Seat(1))) == [TOLD, check(DENIED.vote)]


def test_of_a_height_before_the_first_one_here_nothing_is_known() -> None:
    cluster, machine = Cluster(7), ibft.Ibft(CHAIN)
    machine.handle(cluster.begins(5, 6))
    for message in (ballot(VoteKind.COMMIT, 1), DENIED, DECISION):
        assert machine.handle(ibft.Received(STRAGGLER_MS, message, Seat(1))) == []
    assert machine.handle(ibft.CreditLate(0)) == []


def test_only_a_seats_own_link_shows_that_it_is_overdue() -> None:
    _, machine = decided(next_height=True)
    cases: list[tuple[ibft.Message, int]] = [
        (HONEST, 1),
        (HONEST, ibft.NO_SEAT),
        (HONEST, 3),
        (ballot(VoteKind.PREPARE, 3), 3),
        (OF_NO_USE[-1], 0),
    ]
    for message, origin in cases:
        machine.handle(ibft.Received(0, message, Seat(origin)))
    account = machine.account
    assert account is not None
    noted = [(one.seat, one.kind, one.count) for one in account.overdue]
    assert noted == [(3, VoteKind.ROUND_CHANGE, 1), (0, VoteKind.PROPOSAL, 1)]


def test_what_a_late_word_leads_to_happens_once() -> None:
    """Also at the next height, where it comes out of the one before."""
    _, machine = decided(next_height=True)
    accused = []
    for seat in (1, 2):
        effects = hear(machine, change(MEMBERS, seat, 1), seat)
        accused.append([one.evidence for one in of(effects, ibft.Accuse)])
    assert [len(evidence) for evidence in accused] == [1, 1]
    assert machine.handle(ibft.BlockDue(0)) == [
        ibft.SetTimer("ibft.resend/2/0", 553),
        ibft.SetTimer("ibft.round/2/0", 1_000),
    ]
    own = vote(MEMBERS, VoteKind.PREPARE, 6, X)
    assert machine.handle(ibft.Signed(0, own)) == [], "signed too late: its height is over"
    assert machine.handle(ibft.TimerFired(0, "ibft.resend/1/0")) == []


def summed(machine: ibft.Ibft, seats: list[int]) -> list[ibft.Effect]:
    """COMMITs of these seats; what they lead to but for the checks of their envelopes."""
    effects = [one for seat in seats for one in hear(machine, ballot(VoteKind.COMMIT, seat), seat)]
    return [one for one in effects if not isinstance(one, ibft.CheckSignatures)]


def undecided() -> tuple[Cluster, ibft.Ibft]:
    cluster, machine = Cluster(7), ibft.Ibft(CHAIN)
    machine.handle(cluster.begins(1, 6))
    hear(machine, proposal(MEMBERS, 0, BLOCK, [], round_=0), 0)
    machine.handle(ibft.Validated(0, X, valid=True))
    return cluster, machine


def answer(request: ibft.Effect) -> ibft.SharesChecked:
    assert isinstance(request, ibft.CheckShares)
    return ibft.SharesChecked(0, request.token, *check_shares(request.message, request.keys, request.shares))


@pytest.mark.parametrize("next_height", [False, True])
def test_late_commits_are_summed_once_asked_for_and_the_better_certificate_is_told_once(next_height: bool) -> None:
    """IBFT-C3. Nothing is asked for where nobody came late."""
    cluster, machine = undecided()
    (request,) = summed(machine, SIGNERS)
    assert len(of(machine.handle(answer(request)), ibft.Decide)) == 1
    assert machine.handle(ibft.CreditLate(0)) == []
    if next_height:
        machine.handle(cluster.begins(2, 6))
    assert summed(machine, [3]) == []
    (again,) = machine.handle(ibft.CreditLate(0))
    better = commit(MEMBERS, [0, 1, 2, 3, 4, 5], X)
    assert machine.handle(answer(again)) == [ibft.Improved(better)]
    assert machine.handle(answer(again)) == [], "nobody asked any more"
    assert machine.handle(ibft.CreditLate(0)) == []


@pytest.mark.parametrize("next_height", [False, True])
def test_a_sum_that_was_out_when_another_certificate_decided_improves_nothing(next_height: bool) -> None:
    cluster, machine = undecided()
    (request,) = summed(machine, SIGNERS)
    all_but_one = commit(MEMBERS, [0, 1, 2, 3, 4], X)
    hear(machine, ibft.Decided(commit=all_but_one, header=BLOCK.header), 1)
    if next_height:
        machine.handle(cluster.begins(2, 6))
    assert machine.handle(answer(request)) == []


def test_where_a_height_was_decided_by_others_there_is_nothing_to_credit() -> None:
    """Its blocks came by sync while a sum of COMMITs was out; of another height only the certificate was heard."""
    cluster, machine = undecided()
    (request,) = summed(machine, SIGNERS)
    machine.handle(cluster.begins(2, 6))
    assert machine.handle(ibft.CreditLate(0)) == []
    assert machine.handle(answer(request)) == []
    _, machine = decided(next_height=True)
    assert machine.handle(ibft.CreditLate(0)) == []


def test_a_decision_of_a_coming_height_is_a_hint_that_blocks_are_missing() -> None:
    cluster, machine = Cluster(7), ibft.Ibft(CHAIN)
    machine.handle(cluster.begins(1, 6))
    block = content(MEMBERS, 1, height=2)
    told: list[ibft.Message] = [
        ibft.Decided(commit=commit(MEMBERS, SIGNERS, hash_of(block), height=2), header=block.header),
        ibft.Content(height=2, content=block),
    ]
    for seat, message in enumerate(told):
        assert machine.handle(ibft.Received(0, message, Seat(seat))) == [ibft.Behind(Seat(seat), Height(2))]
    assert machine.handle(cluster.begins(2, 6)) == []
