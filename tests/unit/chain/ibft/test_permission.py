"""The start-up question as the machine asks it: when, when again, and what lets it vote (GUARD-8, GUARD-9)."""

import pytest
from tests.unit.chain.ibft.cluster import Cluster, of
from tests.unit.chain.ibft.counterfeit import CHAIN

from metanode.chain import guard, ibft
from metanode.chain.guard.startup import ASK_INTERVAL_MS
from metanode.chain.ibft.permission import STARTUP_TIMER
from metanode.primitives.names import NO_HASH, Height, Seat

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
