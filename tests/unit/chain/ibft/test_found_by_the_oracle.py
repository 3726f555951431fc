"""What the oracle found: the engine did otherwise than the rules say, and each time the engine was wrong."""

from dataclasses import replace

import pytest
from tests.unit.chain.ibft import counterfeit
from tests.unit.chain.ibft.cluster import Cluster, Disk, Player, of
from tests.unit.chain.ibft.counterfeit import certificate, content, vote
from tests.unit.chain.ibft.test_attacks import hear
from tests.unit.chain.ibft.test_late import DECISION, MEMBERS, decided
from tests.unit.chain.ibft.test_round_change import change, hash_of, proposal

from metanode.chain import guard, ibft
from metanode.chain.guard import LastWord
from metanode.chain.ibft.answers import DECIDED_RESENDS_MAX
from metanode.primitives.names import NO_HASH, Height, Seat
from metanode.records.validators import ValidatorSet
from metanode.records.vote import VoteKind


def commits_lost(sender: int, receiver: int, message: ibft.Message) -> bool:
    return not (isinstance(message, ibft.Ballot) and message.vote.kind == VoteKind.COMMIT)


def test_a_commit_from_before_a_stop_counts_for_the_decision() -> None:
    """IBFT-C1. One of four is dead, so each of the other three COMMITs is needed: also the one signed before a stop."""
    cluster = Cluster(4)
    cluster.start()
    cluster.kill(3)
    cluster.links = commits_lost
    cluster.pump()
    value = cluster[1].state.accepted
    cluster.expire(1)  # into round 1, where nothing is signed for round 0 any more
    cluster.wire.clear()
    cluster.kill(1)
    player = cluster.restart(1)
    for seat in (0, 2):
        word = vote(cluster.members, VoteKind.COMMIT, seat, value)
        cluster.tell(player, ibft.Received(cluster.now_ms, ibft.Ballot(vote=word), Seat(seat)))
    assert cluster.height in player.decided


def test_after_the_decision_nothing_is_passed_on() -> None:
    """IBFT-M4. Words of the current round are; a COMMIT that is late for a decision of round 1 only adds to it."""
    cluster = Cluster(4)
    cluster.start()
    cluster.wire.clear()
    cluster.expire()
    cluster.links = lambda s, r, m: not (s == 3 and not commits_lost(s, r, m))
    cluster.pump()
    player = cluster[0]
    assert player.decided[1].round == 1
    player.effects.clear()
    late = vote(cluster.members, VoteKind.COMMIT, 3, player.decided[1].header_hash, round_=1)
    cluster.tell(player, ibft.Received(cluster.now_ms, ibft.Ballot(vote=late), Seat(3)))
    assert player.asked(ibft.CheckSignatures) != []
    assert player.asked(ibft.Relay) == []


def test_a_height_that_others_decided_is_over_too() -> None:
    """IBFT-M4, C2. Seat 2 knows the commit of height 1 and never got the block; the next height begins by sync. Neither
    a late COMMIT nor a ROUND-CHANGE that denies one moves it, or is passed on, at height 1."""
    cluster = Cluster(4, puppets=(0, 1, 3))
    cluster.start()
    cluster.puppet(1, change(cluster.members, 1, 1), [2])
    cluster.puppet(3, change(cluster.members, 3, 1), [2])
    cluster.pump()
    player = cluster[2]
    assert player.state.round == 1
    hash_ = hash_of(content(cluster.members, 0, "missing"))
    done = counterfeit.commit(cluster.members, [0, 1, 3], hash_)
    header = content(cluster.members, 0, "missing").header
    cluster.puppet(0, ibft.Decided(commit=done, header=header), [2])
    cluster.pump()
    assert player.state.certified == done
    cluster.tell(player, cluster.begins(2, 2))
    player.effects.clear()
    for seat in (1, 3):
        cluster.puppet(seat, change(cluster.members, seat, 9), [2])
    cluster.puppet(3, ibft.Ballot(vote=vote(cluster.members, VoteKind.COMMIT, 3, hash_)), [2])
    cluster.pump()
    assert player.asked(ibft.CheckSignatures) != []
    assert [e for e in player.effects if isinstance(e, ibft.Journal | ibft.Sign | ibft.Relay)] == []


def test_a_round_change_known_from_a_justification_is_answered_when_it_comes_late() -> None:
    """IBFT-V5. Seat 2 heard of it in the leader's proposal only; from round 2 it answers who is still in round 1."""
    cluster = Cluster(4, puppets=(0, 1, 3))
    cluster.start()
    changes = [change(cluster.members, seat, 1) for seat in (0, 1, 3)]
    block = content(cluster.members, 1, "round 1")
    cluster.puppet(1, proposal(cluster.members, 1, block, [c.vote for c in changes]), [2])
    cluster.pump()
    assert cluster[2].state.round == 1
    cluster.expire(2)
    assert cluster[2].state.round == 2
    cluster[2].effects.clear()
    cluster.puppet(0, changes[0], [2])
    cluster.pump()
    answers = [(e.seat, e.message) for e in cluster[2].asked(ibft.SendTo)]
    assert [(seat, m.vote.round) for seat, m in answers if isinstance(m, ibft.RoundChange)] == [(0, 2)]


def in_round_1(cluster: Cluster, accepted: bool) -> ibft.Proposal:
    """Seat 2 accepts in round 1, and stops."""
    changes = [change(cluster.members, seat, 1).vote for seat in (0, 1, 3)]
    offered = proposal(cluster.members, 1, content(cluster.members, 1, "round 1"), changes)
    cluster.puppet(1, offered, [2])
    cluster.pump()
    assert (cluster[2].state.accepted != NO_HASH) == accepted
    cluster.kill(2)
    return offered


def test_after_a_stop_a_justified_proposal_still_shows_that_a_quorum_is_in_the_round() -> None:
    """IBFT-V8. What was accepted before the stop is proposed once more: it proves what it proved then."""
    cluster = Cluster(4, puppets=(0, 1, 3))
    cluster.start()
    offered = in_round_1(cluster, accepted=True)
    player = cluster.restart(2)
    assert not [timer for timer in player.timers if timer.startswith("ibft.round/")]
    cluster.puppet(1, offered, [2])
    cluster.pump()
    assert "ibft.round/1/1" in player.timers


def test_after_a_stop_whoever_prepares_another_value_is_shown_the_proposal() -> None:
    """IBFT-M5. The proposal is there again, so it can convict a leader of two faces."""
    cluster = Cluster(4, puppets=(0, 1, 3))
    cluster.start()
    offered = in_round_1(cluster, accepted=True)
    player = cluster.restart(2)
    cluster.puppet(1, offered, [2])
    other = vote(cluster.members, VoteKind.PREPARE, 3, hash_of(content(cluster.members, 1, "another")), round_=1)
    cluster.puppet(3, ibft.Ballot(vote=other), [2])
    cluster.pump()
    assert [e.seat for e in player.asked(ibft.SendTo) if e.message == offered] == [3]


def test_a_proposal_that_was_being_checked_at_the_decision_moves_nobody() -> None:
    """IBFT-C2. The decision comes between the proposal of round 1 and the verdict on its signatures."""
    cluster = Cluster(4, puppets=(0, 1, 3))
    cluster.start()
    player = cluster[2]
    block = content(cluster.members, 0, "round 0")
    hash_ = hash_of(block)
    changes = [change(cluster.members, seat, 1).vote for seat in (0, 1, 3)]
    for seat in (0, 1, 3):
        word = vote(cluster.members, VoteKind.COMMIT, seat, hash_)
        cluster.tell(player, ibft.Received(0, ibft.Ballot(vote=word), Seat(seat)))
    assert player.state.certified is not None
    later = proposal(cluster.members, 1, content(cluster.members, 1, "round 1"), changes)
    received = ibft.Received(0, later, Seat(1))
    (check,) = of(player.machine.handle(received), ibft.CheckSignatures)
    cluster.tell(player, ibft.Received(0, ibft.Content(height=1, content=block), Seat(0)))
    assert 1 in player.decided
    player.effects.clear()
    cluster.tell(player, ibft.SignaturesChecked(0, check.token, counterfeit.check_signatures(check.items)))
    assert player.asked(ibft.Journal) == []


@pytest.mark.parametrize("answers", [2, 3])
def test_answers_counted_by_the_seats_of_one_set_do_not_count_in_another(answers: int) -> None:
    """GUARD-8. Between two heights in which it has a seat there is one in which it has none: it asks anew."""
    cluster = Cluster(7)
    player = Player(6, Disk(), ibft.Ibft(counterfeit.CHAIN), guard.Guard(guard.read_record(b"")))
    handle = player.machine.handle
    handle(ibft.Started(0, guard.read_record(b"")))
    handle(cluster.begins(1, 6))
    key = cluster.members[6].vote_key
    word = LastWord(vote_key=key, validators_hash=NO_HASH, votes=())
    for seat in range(answers):
        assert handle(ibft.Received(0, word, Seat(seat))) == []
    others = ValidatorSet(cluster.members.validators[:6])
    handle(_with(cluster.begins(2, -1), others))
    assert handle(ibft.Received(0, word, Seat(3))) == []
    began = handle(cluster.begins(3, 6))
    assert of(began, ibft.Broadcast) != []
    for seat in range(3):
        assert of(handle(ibft.Received(0, word, Seat(seat))), ibft.VotesFrom) == []
    assert of(handle(ibft.Received(0, word, Seat(3))), ibft.VotesFrom) != []


def _with(event: ibft.HeightBegins, members: ValidatorSet) -> ibft.HeightBegins:
    return replace(event, validators=members)


@pytest.mark.parametrize("shown", [False, True], ids=["by votes", "by the leader"])
def test_a_certificate_that_an_observer_saw_is_durable_before_it_is_shown(shown: bool) -> None:
    """IBFT-P7, V1. Seat 3 observes that a quorum is prepared in round 0, is lifted to round 1 and takes its seat there.
    Its ROUND-CHANGE shows the certificate; it was written down nowhere, so that after a stop another one was due, which
    the guard refuses: the seat had nothing to say in this round, and forgot what it was prepared for in all others."""
    cluster = Cluster(4, puppets=(0, 1, 2), all_to_all_max=3 if shown else 16)
    cluster.tell(cluster[3], cluster.begins(1, ibft.NO_SEAT))
    cluster.due()
    members, block = cluster.members, content(cluster.members, 0)
    proof = certificate(members, [0, 1, 2], hash_of(block))
    cluster.puppet(0, proposal(members, 0, block, [], round_=0), [3])
    prepares = [ibft.Ballot(vote=vote(members, VoteKind.PREPARE, seat, hash_of(block))) for seat in (0, 1, 2)]
    for message in [ibft.Prepared(certificate=proof)] if shown else prepares:
        cluster.puppet(0, message, [3])
    for seat in (0, 1):
        cluster.puppet(seat, change(members, seat, 1), [3])
    cluster.pump()
    cluster.tell(cluster[3], ibft.Seated(cluster.now_ms, Seat(3)))
    assert [(v.kind, v.round, v.header_hash) for v in cluster[3].signed] == [(VoteKind.ROUND_CHANGE, 1, hash_of(block))]
    said = cluster[3].asked(ibft.Broadcast)[-1]
    assert said.message == change(members, 3, 1, proof)
    cluster.kill(3)
    player = cluster.restart(3)
    assert (player.refused, player.asked(ibft.Broadcast)) == ([], [said])
    assert player.state.contents[hash_of(block)] == block
    for seat in (0, 1):
        cluster.puppet(seat, change(members, seat, 1), [3])
    cluster.pump().expire(3)
    assert player.asked(ibft.Broadcast)[-1].message == change(members, 3, 2, proof)


def test_a_second_word_in_the_certificate_of_a_known_round_change_is_evidence() -> None:
    """IBFT-P5, M2. Seat 2 knows the ROUND-CHANGE of seat 0 from the justification of round 1, which shows the
    certificate of another. What seat 0 signed its own over comes later, and in it the second PREPARE of seat 3."""
    cluster = Cluster(4, puppets=(0, 1, 3))
    cluster.start()
    members, player, block = cluster.members, cluster[2], content(cluster.members, 0)
    other = vote(members, VoteKind.PREPARE, 3, hash_of(content(members, 0, "other")))
    cluster.puppet(3, ibft.Ballot(vote=other), [2])
    proofs = [certificate(members, seats, hash_of(block)) for seats in ([0, 1, 3], [0, 1, 2])]
    changes = [change(members, 0, 1, proofs[0]), change(members, 1, 1, proofs[1]), change(members, 3, 1)]
    cluster.puppet(1, proposal(members, 1, block, [c.vote for c in changes], (proofs[1],)), [2])
    cluster.pump()
    assert (player.state.round, player.evidence()) == (1, [])
    cluster.puppet(0, changes[0], [2])
    cluster.pump()
    second = vote(members, VoteKind.PREPARE, 3, hash_of(block))
    assert [(one.first, one.second) for one in player.conflicts()] == [(other, second)]
    player.effects.clear()
    cluster.puppet(0, changes[0], [2])
    cluster.pump()
    assert player.effects == []


@pytest.mark.parametrize("same", [True, False], ids=["the same set", "another"])
def test_what_was_told_to_the_seats_of_one_set_does_not_count_in_another(same: bool) -> None:
    """IBFT-M3. A seat hears the decision so often in one height, and its hints count if they are higher than the last.
    Who sits in its place in the next set has heard nothing, and has not hinted at anything."""
    cluster, machine = decided(next_height=False)
    hints = [ibft.Ballot(vote=vote(MEMBERS, VoteKind.PREPARE, 3, NO_HASH, height=height)) for height in (90, 80)]
    assert [len(of(hear(machine, hint, 3), ibft.Behind)) for hint in hints] == [1, 0]
    told = [hear(machine, change(MEMBERS, 3, round_), 3) for round_ in range(1, 20)]
    assert told == [[ibft.SendTo(Seat(3), DECISION)]] * DECIDED_RESENDS_MAX + [[]] * (19 - DECIDED_RESENDS_MAX)
    seats = MEMBERS.validators
    machine.handle(_with(cluster.begins(2, 6 if same else 5), MEMBERS if same else ValidatorSet(seats[1:] + seats[:1])))
    late = change(MEMBERS, 3, 20)
    assert hear(machine, late, 3) == ([] if same else [ibft.SendTo(Seat(3), DECISION)])
    assert hear(machine, hints[1], 3) == ([] if same else [ibft.Behind(Seat(3), Height(80))])
