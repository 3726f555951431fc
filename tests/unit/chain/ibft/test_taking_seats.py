"""Taking a seat, and taking it again after a stop: each step by its whole effects (GUARD-9, GUARD-10, IBFT-P9)."""

import msgspec
import pytest
from tests.unit.chain.ibft.cluster import Cluster, of, state_of
from tests.unit.chain.ibft.counterfeit import CHAIN, certificate, commit, content, signed, validators, vote
from tests.unit.chain.ibft.test_attacks import hear
from tests.unit.chain.ibft.test_found_by_mutants import (
    ACCEPTED,
    BLOCK,
    HELD,
    LOCKED,
    MEMBERS,
    NOTHING,
    X,
    asked_to_sign,
    resumed,
)
from tests.unit.chain.ibft.test_leading import LATER, PROPOSED
from tests.unit.chain.ibft.test_round_change import change, hash_of, proposal

from metanode.chain import guard, ibft
from metanode.chain.guard.record import STEPS
from metanode.chain.ibft import IbftRefusal
from metanode.primitives.names import Height, Round, Seat
from metanode.records.vote import Justification, VoteKind, justification_digest

MOVED = ibft.Moved(height=1, round=1, announced=True)
WORD = vote(MEMBERS, VoteKind.PROPOSAL, 0, X, attachment=justification_digest(NOTHING))
CHANGES = [change(MEMBERS, seat, 1) for seat in (0, 2, 3)]
HELD_LATER = ibft.Held(height=1, content=LATER)
PROPOSED_LATER = ibft.Proposed(
    height=1,
    round=1,
    header_hash=hash_of(LATER),
    justification=Justification(round_changes=tuple(one.vote for one in CHANGES), certificates=()),
)


def written(effects: list[ibft.Effect]) -> list[ibft.Record]:
    return [one.record for one in of(effects, ibft.Journal)]


@pytest.mark.parametrize(
    ("kind", "round_", "records"),
    [
        (VoteKind.PROPOSAL, 0, [HELD, PROPOSED]),
        (VoteKind.PREPARE, 0, [HELD, ACCEPTED]),
        (VoteKind.COMMIT, 0, [HELD, ACCEPTED, LOCKED]),
        (VoteKind.ROUND_CHANGE, 1, [MOVED]),
    ],
)
def test_a_seat_is_taken_where_the_journal_reaches_the_last_word_of_the_guard(
    kind: VoteKind, round_: int, records: list[ibft.Record]
) -> None:
    """GUARD-10. Whatever that word was; a step further in the guard, and it only observes."""
    for step, taken in ((STEPS[kind], True), (STEPS[kind] + 1, False)):
        machine = ibft.Ibft(CHAIN)
        record = msgspec.structs.replace(guard.NOTHING_SIGNED, height=1, round=round_, step=step)
        machine.handle(ibft.Started(0, record))
        machine.handle(ibft.VotingAllowed(0))
        machine.handle(Cluster(4).begins(1, 0))
        for one in records:
            machine.handle(ibft.Replayed(one))
        assert asked_to_sign(machine.handle(ibft.Resumed(0))) == ([(kind, round_)] if taken else [])


@pytest.mark.parametrize(
    ("records", "asked"),
    [
        ([ibft.Moved(height=1, round=1, announced=False)], []),
        ([msgspec.structs.replace(MOVED, height=2), msgspec.structs.replace(LOCKED, height=3)], []),
        ([HELD, PROPOSED], [(VoteKind.PROPOSAL, 0)]),
        ([MOVED, HELD_LATER, PROPOSED_LATER], [(VoteKind.PROPOSAL, 1)]),
        ([HELD, ACCEPTED, LOCKED, MOVED], [(VoteKind.ROUND_CHANGE, 1)]),
    ],
)
def test_only_the_last_step_of_this_height_is_signed_after_a_stop(
    records: list[ibft.Record], asked: list[tuple[VoteKind, int]]
) -> None:
    """A round that was entered by its proposal was never announced; records of other heights do not matter."""
    _, effects = resumed(Cluster(4), 0, *records)
    assert asked_to_sign(effects) == asked


@pytest.mark.parametrize(
    ("records", "again"),
    [
        ([HELD, PROPOSED, ibft.Spoke(height=1, vote=WORD)], {VoteKind.PROPOSAL}),
        ([PROPOSED, ibft.Spoke(height=1, vote=WORD)], set()),
        ([HELD, ibft.Spoke(height=1, vote=WORD)], set()),
        ([MOVED, HELD_LATER, PROPOSED_LATER, ibft.Spoke(height=1, vote=CHANGES[0].vote)], set()),
    ],
)
def test_a_proposal_is_said_again_after_a_stop_where_all_of_it_is_there(
    records: list[ibft.Record], again: set[VoteKind]
) -> None:
    """What cannot be put together again is signed again, or left unsaid."""
    machine, _ = resumed(Cluster(4), 0, *records)
    assert set(state_of(machine).own) == again


def test_a_proposal_from_before_a_stop_is_signed_once_more_and_judged_like_any() -> None:
    machine, effects = resumed(Cluster(4), 0, HELD, PROPOSED)
    judged = ibft.Validate(BLOCK, X, Height(1), Round(0), Seat(0), reproposed=True)
    assert effects[0] == judged
    assert machine.handle(ibft.Validated(0, X, valid=True)) == []
    (asked,) = of(effects, ibft.Sign)
    said = machine.handle(ibft.Signed(0, signed(asked.vote, MEMBERS)))
    assert said[0] == ibft.Broadcast(ibft.Proposal(vote=WORD, content=BLOCK, justification=NOTHING))
    machine, _ = resumed(Cluster(4), 0, HELD, PROPOSED)
    assert machine.handle(ibft.Validated(0, X, valid=False, refusal="bad")) == [
        ibft.Blame(Seat(0), IbftRefusal.UNFIT_BLOCK, "bad")
    ]


def test_a_proposal_whose_block_was_lost_is_not_sent() -> None:
    machine, effects = resumed(Cluster(4), 0, PROPOSED)
    (asked,) = of(effects, ibft.Sign)
    assert machine.handle(ibft.Signed(0, signed(asked.vote, MEMBERS))) == []


def test_a_decision_from_before_a_stop_needs_its_block_judged_without_its_time() -> None:
    settled = ibft.Settled(height=1, commit=commit(MEMBERS, [0, 1, 2], X))
    machine, effects = resumed(Cluster(4), 3, HELD, ACCEPTED, settled)
    judged = ibft.Validate(BLOCK, X, Height(1), Round(0), ibft.NO_SEAT, reproposed=True)
    slow = ibft.SetTimer("ibft.resend/1/0", 546)
    assert effects == [judged, slow]
    decided = ibft.Decide(Height(1), Round(0), X, BLOCK, settled.commit)
    assert machine.handle(ibft.Validated(0, X, valid=True)) == [ibft.CancelTimer(slow.timer), decided]
    assert machine.handle(ibft.Validated(0, X, valid=True)) == [], "decided once"


def observer(*, due: bool = True) -> ibft.Ibft:
    machine = ibft.Ibft(CHAIN)
    machine.handle(Cluster(4).begins(1, -1))
    if due:
        machine.handle(ibft.BlockDue(0))
    return machine


def seated(machine: ibft.Ibft, seat: int = 3) -> list[ibft.Effect]:
    return machine.handle(ibft.Seated(0, Seat(seat)))


SLOW, ROUND_0 = ibft.SetTimer("ibft.resend/1/0", 546), ibft.SetTimer("ibft.round/1/0", 1_000)


def test_who_takes_its_seat_before_anything_is_due_waits_for_that() -> None:
    machine = observer(due=False)
    assert seated(machine) == []
    assert machine.handle(ibft.BlockDue(0)) == [SLOW, ROUND_0]


def test_who_takes_its_seat_says_what_it_saw_each_step_durable_first() -> None:
    nothing = observer()
    assert seated(nothing) == [SLOW, ROUND_0]
    leader = observer()
    assert seated(leader, 0) == [
        ibft.SetTimer("ibft.resend/1/0", 500),
        ROUND_0,
        ibft.Build(Height(1), Round(0)),
    ]
    saw = observer()
    hear(saw, proposal(MEMBERS, 0, BLOCK, [], round_=0), 0)
    assert written(saw.handle(ibft.Validated(0, X, valid=True))) == []
    for seat in (0, 1, 2):
        hear(saw, ibft.Ballot(vote=vote(MEMBERS, VoteKind.PREPARE, seat, X)), seat)
    effects = seated(saw)
    assert effects[:2] == [SLOW, ROUND_0]
    steps = [one.record if isinstance(one, ibft.Journal) else asked_to_sign([one]) for one in effects[2:]]
    assert steps == [HELD, ACCEPTED, [(VoteKind.PREPARE, 0)], LOCKED, [(VoteKind.COMMIT, 0)]]


def test_who_takes_its_seat_in_a_round_that_nobody_proposed_in_announces_it() -> None:
    """What was prepared in a lower round is shown, and not committed to again."""
    for prepared in (False, True):
        machine = observer()
        if prepared:
            hear(machine, proposal(MEMBERS, 0, BLOCK, [], round_=0), 0)
            machine.handle(ibft.Validated(0, X, valid=True))
            hear(machine, ibft.Prepared(certificate=certificate(MEMBERS, [0, 1, 2], X)), 0)
        for seat in (0, 1):
            hear(machine, change(MEMBERS, seat, 1), seat)
        effects = seated(machine)
        assert asked_to_sign(effects) == [(VoteKind.ROUND_CHANGE, 1)]
        assert written(effects)[-1] == MOVED
        assert state_of(machine).announced


def test_a_leader_whose_question_is_answered_late_proposes_the_block_from_before_its_stop() -> None:
    """IBFT-P9. Until its peers have answered it only observed."""
    machine = ibft.Ibft(CHAIN)
    record = msgspec.structs.replace(guard.NOTHING_SIGNED, height=1, step=STEPS[VoteKind.PROPOSAL])
    machine.handle(ibft.Started(0, record))
    machine.handle(Cluster(4).begins(1, 0))
    for one in (HELD, PROPOSED):
        machine.handle(ibft.Replayed(one))
    assert asked_to_sign(machine.handle(ibft.Resumed(0))) == []
    effects = machine.handle(ibft.VotingAllowed(0))
    assert asked_to_sign(effects) == [(VoteKind.PROPOSAL, 0)]
    assert of(effects, ibft.Build) == []


def test_alone_every_step_is_ones_own() -> None:
    """One seat is its own quorum: nothing is asked of anybody."""
    alone, machine = validators(1), ibft.Ibft(CHAIN)
    machine.handle(Cluster(1).begins(1, 0))
    effects = machine.handle(ibft.BlockDue(0))
    assert of(effects, ibft.Build) == [ibft.Build(Height(1), Round(0))]
    machine.handle(ibft.TimerFired(0, "ibft.round/1/0"))
    own = vote(alone, VoteKind.ROUND_CHANGE, 0, bytes(32), round_=1)
    assert of(machine.handle(ibft.Signed(0, own)), ibft.Build) == [ibft.Build(Height(1), Round(1))]
    late = content(alone, 0, "round 0")
    assert machine.handle(ibft.Built(0, Height(1), Round(0), late)) == [], "for the round that was left"
    block = content(alone, 0, "round 1")
    assert [type(one) for one in machine.handle(ibft.Built(0, Height(1), Round(1), block))] == [ibft.Validate]


def test_an_own_proposal_that_was_said_before_a_stop_is_accepted_like_any() -> None:
    """Its vote is known from the journal: to be known is no contradiction."""
    machine, effects = resumed(Cluster(4), 0, HELD, PROPOSED, ibft.Spoke(height=1, vote=WORD))
    (asked,) = of(effects, ibft.Sign)
    machine.handle(ibft.Signed(0, signed(asked.vote, MEMBERS)))
    assert asked_to_sign(machine.handle(ibft.Validated(0, X, valid=True))) == [(VoteKind.PREPARE, 0)]


def test_a_block_that_is_due_while_the_journal_is_folded_makes_nobody_speak() -> None:
    machine = ibft.Ibft(CHAIN)
    machine.handle(Cluster(4).begins(1, 3))
    assert machine.handle(ibft.BlockDue(0)) == [SLOW, ROUND_0]
    assert machine.handle(ibft.Resumed(0)) == []
