"""What the slow timer says again, to whom, how soon; and when the time of a round runs (IBFT-V4, V5, V8, M4)."""

from dataclasses import replace

import pytest
from tests.unit.chain.ibft.cluster import Cluster, of, state_of
from tests.unit.chain.ibft.counterfeit import CHAIN, certificate, commit, content, signed, validators, vote
from tests.unit.chain.ibft.test_attacks import hear
from tests.unit.chain.ibft.test_found_by_mutants import (
    BLOCK,
    MEMBERS,
    NOTHING,
    X,
    asked_to_sign,
    proposed,
    resumed,
)
from tests.unit.chain.ibft.test_round_change import change, hash_of, proposal

from metanode.chain import ibft
from metanode.primitives.names import NO_HASH, Height, Round, Seat
from metanode.records.vote import Justification, VoteKind, justification_digest

RESEND = "ibft.resend/1/0"


def machine_of(seat: int, *, due: bool = True) -> ibft.Ibft:
    machine = ibft.Ibft(CHAIN)
    machine.handle(Cluster(4).begins(1, seat))
    if due:
        machine.handle(ibft.BlockDue(0))
    return machine


def fire(machine: ibft.Ibft, timer: str = RESEND) -> list[ibft.Effect]:
    return machine.handle(ibft.TimerFired(0, timer))


def own(machine: ibft.Ibft, effects: list[ibft.Effect]) -> list[ibft.Effect]:
    """Whatever it asked to sign is signed; what follows."""
    return [
        effect for one in of(effects, ibft.Sign) for effect in machine.handle(ibft.Signed(0, signed(one.vote, MEMBERS)))
    ]


def ballot(kind: VoteKind, seat: int, round_: int) -> ibft.Ballot:
    return ibft.Ballot(vote=vote(MEMBERS, kind, seat, X, round_=round_))


@pytest.mark.parametrize(
    ("seat", "timeout_ms", "delay_ms"),
    [
        (0, 1_000, 500),
        (1, 1_000, 515),
        (3, 1_000, 546),
        (0, 150, 100),
        (3, 150, 109),
        (2, 30_000, 5_312),
        (-1, 1_000, 500),
    ],
)
def test_the_slow_timer_is_half_the_rounds_within_limits_and_spread_over_the_seats(
    seat: int, timeout_ms: int, delay_ms: int
) -> None:
    """An observer has no round to lose: only the slow timer runs. A block that is due once more starts no timer."""
    machine = ibft.Ibft(CHAIN)
    machine.handle(replace(Cluster(4).begins(1, seat), round_timeout_ms=timeout_ms))
    slow, its_own = ibft.SetTimer(RESEND, delay_ms), ibft.SetTimer("ibft.round/1/0", timeout_ms)
    effects = machine.handle(ibft.BlockDue(0))
    assert of(effects, ibft.SetTimer) == ([slow] if seat < 0 else [slow, its_own])
    assert machine.handle(ibft.BlockDue(0)) == []
    assert of(fire(machine), ibft.SetTimer) == [slow]


def test_in_round_0_only_own_words_are_said_again() -> None:
    machine = machine_of(3)
    effects = proposed(machine, BLOCK) + machine.handle(ibft.Validated(0, X, valid=True))
    own(machine, effects)
    hear(machine, ballot(VoteKind.PREPARE, 0, 0), 0)
    assert fire(machine) == [ibft.SetTimer(RESEND, 546), ibft.Broadcast(ballot(VoteKind.PREPARE, 3, 0))]


def test_after_a_failed_round_the_words_of_others_are_passed_on_too() -> None:
    """Each kind, of this round, and not one's own once more."""
    machine = machine_of(3)
    own(machine, fire(machine, "ibft.round/1/0"))
    block = content(MEMBERS, 1, "round 1")
    changes = [change(MEMBERS, seat, 1) for seat in (0, 1, 2)]
    hear(machine, changes[0], 0)
    effects = hear(machine, proposal(MEMBERS, 1, block, [one.vote for one in changes]), 1)
    own(machine, effects + machine.handle(ibft.Validated(0, hash_of(block), valid=True)))
    heard = [
        ibft.Ballot(vote=vote(MEMBERS, kind, seat, hash_of(block), round_=1))
        for kind, seat in ((VoteKind.PREPARE, 0), (VoteKind.COMMIT, 0), (VoteKind.COMMIT, 1))
    ]
    for word in [*heard, ballot(VoteKind.COMMIT, 2, 0)]:
        hear(machine, word, word.vote.seat)
    assert fire(machine, "ibft.resend/1/1") == [
        ibft.SetTimer("ibft.resend/1/1", 1_093),
        ibft.Broadcast(change(MEMBERS, 3, 1)),
        ibft.Broadcast(ibft.Ballot(vote=vote(MEMBERS, VoteKind.PREPARE, 3, hash_of(block), round_=1))),
        ibft.Relay(Seat(0), changes[0]),
        *(ibft.Relay(Seat(word.vote.seat), word) for word in heard),
    ]


def test_in_a_later_round_the_last_commit_is_said_again_and_no_other_word_of_before() -> None:
    """IBFT-C1. It still counts."""
    machine = machine_of(3)
    own(machine, proposed(machine, BLOCK) + machine.handle(ibft.Validated(0, X, valid=True)))
    effects = [one for seat in (0, 1, 2) for one in hear(machine, ballot(VoteKind.PREPARE, seat, 0), seat)]
    own(machine, effects)
    proof = state_of(machine).prepared
    assert proof is not None
    own(machine, fire(machine, "ibft.round/1/0"))
    assert fire(machine, "ibft.resend/1/1") == [
        ibft.SetTimer("ibft.resend/1/1", 1_093),
        ibft.Broadcast(change(MEMBERS, 3, 1, proof)),
        ibft.Broadcast(ballot(VoteKind.COMMIT, 3, 0)),
    ]


def test_an_observer_follows_the_rounds_in_silence_and_asks_one_after_another() -> None:
    """IBFT-V5. It signs nothing, passes nothing on, and asks for the decision until it knows the certificate."""
    machine = machine_of(-1)
    asked = [fire(machine)[1:] for _ in range(5)]
    question = ibft.Wanted(height=1, header_hash=NO_HASH)
    assert asked == [[ibft.SendTo(Seat(seat), question)] for seat in (0, 1, 2, 3, 0)]
    effects = [one for seat in (0, 1, 2) for one in hear(machine, change(MEMBERS, seat, 1), seat)]
    effects += hear(machine, ballot(VoteKind.PREPARE, 0, 1), 0)
    assert [one for one in effects if not isinstance(one, ibft.CheckSignatures)] == [
        ibft.CancelTimer(RESEND),
        ibft.Journal(ibft.Moved(height=1, round=1, announced=False)),
        ibft.SetTimer("ibft.resend/1/1", 1_000),
    ]
    hear(machine, ibft.Decided(commit=commit(MEMBERS, [0, 1, 2], X), header=BLOCK.header), 2)
    block = ibft.Wanted(height=1, header_hash=X)
    slow = ibft.SetTimer("ibft.resend/1/1", 1_000)
    assert [fire(machine, slow.timer) for _ in range(2)] == [[slow, ibft.SendTo(Seat(seat), block)] for seat in (0, 1)]


def test_whoever_asked_a_silent_seat_for_a_decided_block_asks_the_next_after_a_stop_too() -> None:
    """IBFT-C1, C2. The decision was durable before the stop, and its block is not here: it was asked for once only."""
    settled = ibft.Settled(height=1, commit=commit(MEMBERS, [0, 2, 3], X))
    spoke = ibft.Spoke(height=1, vote=vote(MEMBERS, VoteKind.COMMIT, 3, X))
    machine, effects = resumed(Cluster(4), 3, spoke, settled)
    slow, block = ibft.SetTimer(RESEND, 546), ibft.Wanted(height=1, header_hash=X)
    assert effects == [ibft.SendTo(Seat(0), block), slow]
    assert [fire(machine) for _ in range(3)] == [[slow, ibft.SendTo(Seat(seat), block)] for seat in (2, 0, 2)]
    effects = machine.handle(ibft.Received(0, ibft.Content(height=1, content=BLOCK), Seat(2)))
    assert [type(one) for one in effects] == [ibft.Validate]
    effects = machine.handle(ibft.Validated(0, X, valid=True))
    assert [type(one) for one in effects] == [ibft.CancelTimer, ibft.Decide]
    assert effects[0] == ibft.CancelTimer(RESEND)
    assert machine.handle(ibft.BlockDue(0)) == []
    assert fire(machine) == []


def test_the_time_of_a_far_round_runs_as_soon_as_a_quorum_is_seen_there() -> None:
    """IBFT-V8. Its ROUND-CHANGEs came when they were too far ahead to be kept as votes; our own is not signed yet."""
    machine = machine_of(3)
    effects = [one for seat in (0, 1) for one in hear(machine, change(MEMBERS, seat, 99), seat)]
    assert asked_to_sign(effects) == [(VoteKind.ROUND_CHANGE, 99)]
    assert of(effects, ibft.SetTimer) == [
        ibft.SetTimer("ibft.resend/1/99", 5_468),
        ibft.SetTimer("ibft.round/1/99", 30_000),
    ]


def test_a_leader_that_stopped_knows_from_its_own_justification_that_a_quorum_is_in_its_round() -> None:
    """IBFT-V8. What others said is forgotten; its proposal, sent once more, shows it."""
    block = content(MEMBERS, 1, "round 1")
    why = Justification(round_changes=tuple(change(MEMBERS, seat, 1).vote for seat in (0, 2, 3)), certificates=())
    before = ibft.Proposed(height=1, round=1, header_hash=hash_of(block), justification=why)
    machine, effects = resumed(Cluster(4), 1, ibft.Held(height=1, content=block), before)
    assert of(effects, ibft.SetTimer) == [ibft.SetTimer("ibft.resend/1/1", 1_031)]
    assert of(own(machine, effects), ibft.SetTimer) == [ibft.SetTimer("ibft.round/1/1", 2_000)]


def test_a_certificate_shown_in_a_round_that_was_left_prepares_nobody_in_the_next() -> None:
    """IBFT-L2. The same block is carried on: in round 1 it takes a quorum of PREPAREs of round 1."""
    machine = machine_of(3)
    shown = certificate(MEMBERS, [0, 1, 2], X)
    hear(machine, ibft.Prepared(certificate=shown), 0)
    assert state_of(machine).shown == shown
    carried = proposal(MEMBERS, 1, BLOCK, [change(MEMBERS, seat, 1, shown).vote for seat in (0, 1, 2)], (shown,))
    effects = hear(machine, carried, 1) + machine.handle(ibft.Validated(0, X, valid=True))
    assert asked_to_sign(effects) == [(VoteKind.PREPARE, 1)]
    assert state_of(machine).prepared is None


def test_who_is_alone_asks_nobody_for_its_own_block() -> None:
    alone = validators(1)
    settled = ibft.Settled(height=1, commit=commit(alone, [0], X))
    _, effects = resumed(Cluster(1), 0, settled)
    assert effects == [ibft.SetTimer(RESEND, 500)]


def test_who_leads_without_the_block_asks_first_those_who_showed_it_and_then_all_who_prepared() -> None:
    """Once: it is the same block that is decided meanwhile."""
    machine = machine_of(1)
    shown = certificate(MEMBERS, [0, 2, 3], X)
    for seat in (0, 2, 3):
        effects = hear(machine, change(MEMBERS, seat, 1, shown if seat == 2 else None), seat)
    block = ibft.Wanted(height=1, header_hash=X)
    assert of(effects, ibft.SendTo) == [ibft.SendTo(Seat(2), block)]
    assert [of(fire(machine, "ibft.resend/1/1"), ibft.SendTo) for _ in range(3)] == [
        [ibft.SendTo(Seat(seat), block)] for seat in (0, 3, 2)
    ]
    told = hear(machine, ibft.Decided(commit=commit(MEMBERS, [0, 2, 3], X), header=BLOCK.header), 0)
    assert len(of(told, ibft.CheckAggregates)) == 1
    assert of(told, ibft.SendTo) == []


def test_a_leader_shows_its_proposal_again_to_those_who_did_not_prepare_and_in_its_round_alone() -> None:
    machine = machine_of(0)
    machine.handle(ibft.Built(0, Height(1), Round(0), BLOCK))
    own(machine, machine.handle(ibft.Validated(0, X, valid=True)))
    hear(machine, ballot(VoteKind.PREPARE, 2, 0), 2)
    word = vote(MEMBERS, VoteKind.PROPOSAL, 0, X, attachment=justification_digest(NOTHING))
    shown = ibft.Proposal(vote=word, content=BLOCK, justification=NOTHING)
    slow = ibft.SetTimer(RESEND, 500)
    assert fire(machine) == [slow, ibft.SendTo(Seat(1), shown), ibft.SendTo(Seat(3), shown)]
    own(machine, fire(machine, "ibft.round/1/0"))
    assert fire(machine, "ibft.resend/1/1") == [
        ibft.SetTimer("ibft.resend/1/1", 1_000),
        ibft.Broadcast(change(MEMBERS, 0, 1)),
    ]


def test_who_came_to_a_round_by_its_proposal_has_no_round_change_to_answer_with() -> None:
    """IBFT-V5. Its own is of the round before, and says nothing to who is there."""
    machine = machine_of(3)
    own(machine, fire(machine, "ibft.round/1/0"))
    block = content(MEMBERS, 2, "round 2")
    offered = proposal(MEMBERS, 2, block, [change(MEMBERS, seat, 2).vote for seat in (0, 1, 2)], round_=2)
    hear(machine, offered, 2)
    assert state_of(machine).round == 2
    late = hear(machine, change(MEMBERS, 0, 1), 0)
    assert of(late, ibft.SendTo) == []
