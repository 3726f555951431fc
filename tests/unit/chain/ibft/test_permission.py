"""The start-up question as the machine asks it: when, when again, and what lets it vote (GUARD-8, GUARD-9)."""

import msgspec
import pytest
from tests.unit.chain.ibft.cluster import Cluster, of, state_of
from tests.unit.chain.ibft.counterfeit import CHAIN
from tests.unit.chain.ibft.test_found_by_mutants import ACCEPTED, HELD, asked_to_sign

from metanode.chain import guard, ibft
from metanode.chain.guard.record import STEPS
from metanode.chain.guard.startup import ASK_INTERVAL_MS
from metanode.chain.ibft.permission import STARTUP_TIMER
from metanode.primitives.names import NO_HASH, Height, Seat
from metanode.records.vote import VoteKind

MEMBERS = Cluster(4).members
QUESTION: list[ibft.Effect] = [
    ibft.Broadcast(guard.LastWordAsked(vote_key=MEMBERS[3].vote_key)),
    ibft.SetTimer(STARTUP_TIMER, ASK_INTERVAL_MS),
]
NOTHING = guard.LastWord(vote_key=MEMBERS[3].vote_key, validators_hash=NO_HASH, votes=())


def started() -> ibft.Ibft:
    machine = ibft.Ibft(CHAIN)
    assert machine.handle(ibft.Started(0, guard.read_record(b""))) == []
    return machine


def test_who_is_vouched_for_before_the_first_height_asks_nobody() -> None:
    machine = started()
    assert machine.handle(ibft.VotingAllowed(0)) == [ibft.VotesFrom(Height(0))]
    assert machine.handle(Cluster(4).begins(1, 3)) == []


@pytest.mark.parametrize("event", [ibft.BlockDue(0), ibft.TimerFired(0, STARTUP_TIMER), ibft.Resumed(0)], ids=repr)
def test_nothing_else_before_the_first_height_stands_for_it(event: ibft.Event) -> None:
    machine = started()
    assert machine.handle(event) == []
    assert machine.handle(Cluster(4).begins(1, 3)) == QUESTION


def test_the_question_is_asked_again_by_its_own_timer_alone_until_it_is_answered() -> None:
    machine = started()
    assert machine.handle(Cluster(4).begins(1, 3)) == QUESTION
    machine.handle(ibft.BlockDue(0))
    for timer, asked in ((STARTUP_TIMER, QUESTION), ("ibft.round/1/0", []), ("ibft.startup/1", [])):
        assert machine.handle(ibft.TimerFired(0, timer)) == asked
    told = of(machine.handle(ibft.TimerFired(0, "ibft.resend/1/0")), ibft.Broadcast)
    assert told == []
    for seat in (0, 1):
        effects = machine.handle(ibft.Received(0, NOTHING, Seat(seat)))
    assert of(effects, ibft.VotesFrom) == [ibft.VotesFrom(Height(0))]
    assert machine.handle(ibft.TimerFired(0, STARTUP_TIMER)) == []


def test_who_may_vote_takes_its_seat_when_its_journal_is_as_far_as_its_guard() -> None:
    """GUARD-10. The guard signed a PREPARE: before the journal is folded the machine knows less, and only observes."""
    record = msgspec.structs.replace(guard.NOTHING_SIGNED, height=1, step=STEPS[VoteKind.PREPARE])
    cases: list[tuple[list[ibft.Record], list[tuple[VoteKind, int]]]] = [
        ([HELD], []),
        ([HELD, ACCEPTED], [(VoteKind.PREPARE, 0)]),
    ]
    for records, signs in cases:
        machine = ibft.Ibft(CHAIN)
        machine.handle(ibft.Started(0, record))
        machine.handle(ibft.VotingAllowed(0))
        assert machine.handle(Cluster(4).begins(1, 3)) == []
        for one in records:
            assert machine.handle(ibft.Replayed(one)) == []
        assert state_of(machine).seat == ibft.NO_SEAT
        assert asked_to_sign(machine.handle(ibft.Resumed(0))) == signs
        assert state_of(machine).seat == (3 if signs else ibft.NO_SEAT)


@pytest.mark.parametrize("seat", [0, 3])
def test_the_same_set_is_asked_once_however_many_heights_go_by(seat: int) -> None:
    cluster, machine = Cluster(4), started()
    asked = [len(of(machine.handle(cluster.begins(height, seat)), ibft.Broadcast)) for height in (1, 2, 3)]
    assert asked == [1, 0, 0]
