"""Killed anywhere, a seat comes back where it was and says nothing twice (the cluster checks every signature)."""

from dataclasses import replace

import pytest
from tests.unit.chain.ibft.cluster import Cluster, of
from tests.unit.chain.ibft.counterfeit import CHAIN, vote

from metanode.chain import guard, ibft
from metanode.primitives.names import NO_HASH, Height, Seat
from metanode.records.vote import VoteKind


@pytest.mark.parametrize("seat", [0, 1])
@pytest.mark.parametrize("boundary", range(16))
def test_killed_at_every_boundary_and_restarted(seat: int, boundary: int) -> None:
    """Every journal record, guard record and message is a place to die; then all come to one decision.
    Votes sent before they were remembered are forgotten by a kill."""
    cluster = Cluster(4)
    cluster[seat].budget = boundary
    cluster.start().pump()
    died = not cluster[seat].alive
    if died:
        cluster.restart(seat)
    if died or not cluster.all_decided():
        cluster.due()
        cluster.run(cluster.now_ms + 30_000)
    assert cluster.all_decided()
    cluster.agreed()


@pytest.mark.parametrize("boundary", range(12))
def test_killed_in_a_round_change_and_restarted(boundary: int) -> None:
    """Prepared in round 0, commits lost, then killed while moving to round 1."""
    cluster = Cluster(4)
    cluster.links = lambda s, r, m: not (isinstance(m, ibft.Ballot) and m.vote.kind == VoteKind.COMMIT)
    cluster.start().pump()
    x = cluster[2].state.accepted
    cluster[2].budget = boundary
    cluster.expire(2)
    cluster.pump()
    if not cluster[2].alive:
        state = cluster.restart(2).state
        assert state.prepared is not None
        assert state.prepared.header_hash == x
    cluster.links = lambda s, r, m: True
    cluster.run(30_000)
    assert cluster.all_decided()
    assert cluster.agreed() == x


def test_all_restarted_in_the_middle_of_a_round() -> None:
    """A chain that stands still after everybody restarted: besu-eth/besu#7642."""
    cluster = Cluster(4)
    cluster.start()
    cluster.pump(9)
    for seat in range(4):
        cluster.kill(seat)
    cluster.wire.clear()
    for seat in range(4):
        cluster.restart(seat)
    cluster.due()
    cluster.run(30_000)
    assert cluster.all_decided()
    cluster.agreed()


def test_a_restarted_proposer_sends_the_same_block_again() -> None:
    """Killed between the guard's word and the wire: nobody heard the proposal, and it must not become another one.
    A proposer asked for a value twice: circlefin/malachite#850, circlefin/malachite#864."""
    cluster = Cluster(4)
    cluster[0].budget = 3  # content, proposal, guard: durable; the signed proposal never leaves
    cluster.start()
    assert not cluster[0].alive
    assert cluster.sent == []
    held, proposed = map(ibft.RECORDS.decode, cluster[0].disk.journal)
    assert isinstance(held, ibft.Held)
    assert isinstance(proposed, ibft.Proposed)
    player = cluster.restart(0)
    cluster.pump()
    assert player.asked(ibft.Build) == []
    assert cluster.all_decided()
    assert cluster.agreed() == proposed.header_hash


def test_a_decision_that_was_durable_is_told_again_and_nothing_is_signed() -> None:
    cluster = Cluster(4).start().pump()
    player = cluster.restart(2)
    assert player.decided[1].header_hash == cluster[0].decided[1].header_hash
    assert player.asked(ibft.Sign) == []
    assert player.timers == {}


def test_a_decision_whose_block_is_lost_is_fetched_and_nothing_is_signed() -> None:
    cluster = Cluster(4).start().pump()
    x = cluster.agreed()
    disk = cluster[2].disk
    disk.journal = [r for r in disk.journal if not isinstance(ibft.RECORDS.decode(r), ibft.Held)]
    player = cluster.restart(2)
    assert 1 not in player.decided
    cluster.run(10_000)
    assert player.decided[1].header_hash == x
    assert player.signed == []


def test_rounds_never_go_back_across_a_restart() -> None:
    cluster = Cluster(4).start()
    cluster.wire.clear()
    cluster.links = lambda s, r, m: isinstance(m, ibft.RoundChange)
    for _ in range(3):
        cluster.expire().pump()
    cluster.kill(1)
    assert cluster.restart(1).state.round == 3


def start(cluster: Cluster, seat: int) -> None:
    record = guard.read_record(cluster[seat].disk.guard)
    cluster.tell(cluster[seat], ibft.Started(cluster.now_ms, record))


def asked(cluster: Cluster) -> Cluster:
    for player in cluster.living():
        start(cluster, player.seat)
    return cluster


@pytest.mark.parametrize("seats", [1, 4, 7])
def test_a_fresh_cluster_answers_each_other_and_starts(seats: int) -> None:
    cluster = asked(Cluster(seats)).start().pump()
    assert cluster.all_decided()
    assert all(p.asked(ibft.VotesFrom) == [ibft.VotesFrom(Height(0))] for p in cluster.players.values())
    assert all(p.asked(ibft.Accuse) == [] for p in cluster.players.values())


def test_without_a_quorum_of_answers_nobody_votes_unless_the_operator_vouches() -> None:
    cluster = Cluster(4)
    cluster.links = lambda s, r, m: not isinstance(m, guard.LastWord)
    asked(cluster).start()
    cluster.run(5000)
    assert all(p.signed == [] for p in cluster.players.values())
    for player in cluster.living():
        cluster.tell(player, ibft.VotingAllowed(cluster.now_ms))
    cluster.run(20_000)
    assert cluster.all_decided()


def test_the_question_is_asked_again_until_links_are_open() -> None:
    cluster = Cluster(4)
    cluster.links = lambda s, r, m: False
    asked(cluster).start().pump()
    cluster.links = lambda s, r, m: True
    cluster.run(900)
    assert cluster.all_decided()


def test_a_wiped_seat_votes_only_above_its_forgotten_words() -> None:
    """Its PREPARE was heard; the disk is gone. It observes this height and votes in the next."""
    cluster = Cluster(4)
    cluster.links = lambda s, r, m: not (isinstance(m, ibft.Ballot) and m.vote.kind == VoteKind.COMMIT)
    cluster.start().pump()
    cluster.kill(3)
    player = cluster.players[3] = cluster._new(3, type(cluster[3].disk)())
    start(cluster, 3)
    cluster.tell(player, cluster.begins(1, 3))
    cluster.tell(player, ibft.Resumed(cluster.now_ms))
    cluster.links = lambda s, r, m: True
    cluster.pump()
    assert player.asked(ibft.VotesFrom) == [ibft.VotesFrom(Height(2))]
    cluster.due()
    cluster.run(30_000)
    assert cluster.all_decided()
    assert player.signed == []
    cluster.begin(2)
    cluster.due()
    cluster.pump()
    assert [v.height for v in player.signed] == [2, 2]


def test_two_of_four_wiped() -> None:
    """Both had voted; both observe the height, which the other two cannot finish, until one of them vouches.
    Validators with new data directories never agreed again: besu-eth/besu#8307."""
    cluster = Cluster(4)
    cluster.start().pump()
    cluster.begin(2)
    for seat in (2, 3):
        player = cluster.players[seat] = cluster._new(seat, type(cluster[seat].disk)())
        start(cluster, seat)
        cluster.tell(player, cluster.begins(2, seat))
        cluster.tell(player, ibft.Resumed(cluster.now_ms))
    cluster.pump()
    cluster.due()
    cluster.pump()
    assert cluster.all_decided(), "their words were of height 1: height 2 is theirs"
    assert [p.asked(ibft.VotesFrom) for p in (cluster[2], cluster[3])] == [[ibft.VotesFrom(Height(2))]] * 2


def test_nobody_is_silenced_with_words_it_did_not_say() -> None:
    cluster = Cluster(4, puppets=(3,))
    asked(cluster)
    cluster.begin()
    forged = vote(cluster.members, VoteKind.COMMIT, 2, bytes(32), height=900)
    word = guard.LastWord(vote_key=cluster.members[0].vote_key, validators_hash=cluster.members.hash, votes=(forged,))
    cluster.puppet(3, word, [0])
    cluster.pump()
    assert cluster[0].blamed() == [(3, guard.StartupRefusal.FORGED_WORD)]
    assert cluster[0].asked(ibft.VotesFrom) == [ibft.VotesFrom(Height(0))]


def test_a_guard_ahead_of_the_journal_observes_the_height() -> None:
    """The journal's tail was cut after the guard had signed a PREPARE."""
    cluster = Cluster(4)
    cluster.links = lambda s, r, m: not (isinstance(m, ibft.Ballot) and m.vote.kind == VoteKind.COMMIT)
    cluster.start().pump()
    cluster.kill(2)
    disk = cluster[2].disk
    disk.journal = [r for r in disk.journal if isinstance(ibft.RECORDS.decode(r), ibft.Held)]
    player = cluster.players[2] = cluster._new(2, disk)
    start(cluster, 2)
    cluster.tell(player, cluster.begins(1, 2))
    for record in disk.journal:
        cluster.tell(player, ibft.Replayed(ibft.RECORDS.decode(record)))
    cluster.tell(player, ibft.Resumed(cluster.now_ms))
    cluster.links = lambda s, r, m: True
    cluster.due()
    cluster.run(30_000)
    assert cluster.all_decided()
    assert player.asked(ibft.Sign) == [], "it does not even ask: what it says was not refused by chance"


def test_a_clean_restart_with_its_guard_votes_on_in_the_same_round() -> None:
    cluster = Cluster(4)
    cluster.links = lambda s, r, m: not (isinstance(m, ibft.Ballot) and m.vote.kind == VoteKind.COMMIT)
    cluster.start().pump()
    cluster.kill(2)
    disk = cluster[2].disk
    player = cluster.players[2] = cluster._new(2, disk)
    start(cluster, 2)
    cluster.tell(player, cluster.begins(1, 2))
    for record in list(disk.journal):
        cluster.tell(player, ibft.Replayed(ibft.RECORDS.decode(record)))
    cluster.tell(player, ibft.Resumed(cluster.now_ms))
    cluster.pump()
    assert player.state.seat == 2
    assert (VoteKind.COMMIT, 0) in [(v.kind, v.round) for v in player.signed], "the stored signature, once more"
    cluster.links = lambda s, r, m: True
    cluster.fire(2, "resend")
    cluster.run(30_000)
    assert cluster.all_decided()


def test_an_observer_that_takes_its_seat_says_what_it_saw() -> None:
    cluster = Cluster(4, puppets=(1,))
    cluster.kill(2)
    for player in cluster.living():
        seat = ibft.NO_SEAT if player.seat == 3 else Seat(player.seat)
        begins = cluster.begins(1, seat)
        cluster.tell(player, begins)
    cluster.due()
    cluster.pump()
    x = cluster[3].state.accepted
    assert cluster[3].signed == []
    cluster.puppet(1, ibft.Ballot(vote=vote(cluster.members, VoteKind.PREPARE, 1, x)))
    cluster.pump()
    cluster.tell(cluster[3], ibft.Seated(cluster.now_ms, Seat(3)))
    cluster.pump()
    assert [v.kind for v in cluster[3].signed] == [VoteKind.PREPARE, VoteKind.COMMIT]


def test_who_takes_its_seat_in_the_middle_of_a_height_asks_at_once() -> None:
    """Who was behind began the height without a seat and asked nobody. Where the others need it to go on there is no
    next height to ask in: both waited for ever. Found by the storm leader_dies with only a core quorum healed."""
    cluster = Cluster(4)
    machine = ibft.Ibft(CHAIN)
    machine.handle(ibft.Started(0, guard.read_record(b"")))
    assert of(machine.handle(replace(cluster.begins(1, 3), seat=ibft.NO_SEAT)), ibft.Broadcast) == []
    effects = machine.handle(ibft.Seated(0, Seat(3)))
    asked = guard.LastWordAsked(vote_key=cluster.members[3].vote_key)
    assert of(effects, ibft.Broadcast) == [ibft.Broadcast(asked)]
    nothing = guard.LastWord(vote_key=asked.vote_key, validators_hash=NO_HASH, votes=())
    answers = [machine.handle(ibft.Received(0, nothing, Seat(seat))) for seat in (0, 1)]
    assert [of(effects, ibft.VotesFrom) for effects in answers] == [[], [ibft.VotesFrom(Height(0))]]


def test_a_second_restart_after_a_seat_was_taken_anew_votes_on() -> None:
    """Found by the storm all_crash_together, 4 validators, seed 43: whoever takes its seat again writes its PREPARE
    behind its COMMIT, and seemed after the next start to know less than its guard (GUARD-10)."""
    cluster = Cluster(4)
    cluster.links = lambda s, r, m: not (isinstance(m, ibft.Ballot) and m.vote.kind == VoteKind.COMMIT)
    cluster.start().pump()
    restart(cluster, 2)
    disk = cluster[2].disk
    records = [ibft.RECORDS.decode(record) for record in disk.journal]
    last = max(i for i, record in enumerate(records) if isinstance(record, ibft.Accepted))
    assert isinstance(records[last - 1], ibft.Locked | ibft.Spoke), "it took its seat anew"
    del disk.journal[last + 1 :]  # killed behind it
    restart(cluster, 2)
    assert cluster[2].state.seat == 2


def restart(cluster: Cluster, seat: int) -> None:
    cluster.kill(seat)
    player = cluster.players[seat] = cluster._new(seat, cluster[seat].disk)
    start(cluster, seat)
    cluster.tell(player, cluster.begins(1, seat))
    for record in list(player.disk.journal):
        cluster.tell(player, ibft.Replayed(ibft.RECORDS.decode(record)))
    cluster.tell(player, ibft.Resumed(cluster.now_ms))
    cluster.pump()
