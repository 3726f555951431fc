"""What a seat notes beside what it remembers: when words came, and what came too late; within bounds."""

import msgspec
from tests.unit.chain.ibft.cluster import Cluster
from tests.unit.chain.ibft.counterfeit import content, vote
from tests.unit.chain.ibft.test_bounds import prepare
from tests.unit.chain.ibft.test_round_change import change

from metanode.chain import ibft
from metanode.chain.ibft import Account
from metanode.chain.ibft.diary import OVERDUE_MAX, ROUNDS_NOTED_MAX, TURNED_DOWN_MAX, Diary, Overdue
from metanode.records.header import read_header
from metanode.records.transcript import NOTHING_NOTED, REFUSAL_TEXT_MAX, RoundEntered
from metanode.records.vote import Justification, Vote, VoteKind


def account(cluster: Cluster, seat: int) -> Account:
    found = cluster[seat].machine.account
    assert found is not None
    return found


def in_round_1() -> Cluster:
    """Three real seats gave up round 0, whose leader, seat 0, is a puppet and said nothing."""
    cluster = Cluster(4, puppets=(0,))
    cluster.now_ms = 10
    cluster.start().pump()
    cluster.now_ms = 500
    return cluster.expire(1, 2, 3).pump()


def test_a_vote_that_counts_is_noted_with_our_own_round() -> None:
    cluster = in_round_1()
    notes = account(cluster, 1).notes
    assert (notes.began_ms, notes.rounds) == (10, (RoundEntered(round=1, at_ms=500),))
    changes = {one.seat: one.own_round for one in notes.arrivals if one.kind == VoteKind.ROUND_CHANGE}
    assert changes == {1: 1, 2: 1, 3: 1}
    assert {one.at_ms for one in notes.arrivals} == {500}
    assert (notes.late, notes.turned_down) == ((), ())


def test_a_word_that_comes_after_its_round_is_noted_once_it_is_its_senders_own() -> None:
    cluster = Cluster(4, puppets=(0, 1)).start().pump().expire(2, 3).pump()
    late = prepare(cluster, 0, "late")
    before = len(account(cluster, 2).votes)
    cluster.tell(cluster[2], ibft.Received(600, late, ibft.NO_SEAT))
    forwarded = msgspec.structs.replace(late, vote=msgspec.structs.replace(late.vote, seat=1))
    cluster.now_ms = 600
    for message in (late, forwarded, late):
        cluster.puppet(0, message, [2])
    cluster.pump()
    (noted,) = account(cluster, 2).notes.late
    assert (noted.seat, noted.kind, noted.height, noted.round) == (0, VoteKind.PREPARE, 1, 0)
    assert (noted.own_round, noted.at_ms, noted.count) == (1, 600, 2)
    assert len(account(cluster, 2).votes) == before, "it counts for nothing"


def test_what_is_known_already_is_not_late() -> None:
    """Who is a moment behind sends its words of the round again."""
    cluster = Cluster(4, puppets=(0, 1)).start().pump()
    early = prepare(cluster, 0, "early")
    cluster.puppet(0, early)
    cluster.pump().expire(2, 3).pump()
    cluster.puppet(0, early)
    cluster.pump()
    assert (account(cluster, 2).round, account(cluster, 2).notes.late) == (1, ())


def test_a_block_that_is_turned_down_is_noted_with_the_reason() -> None:
    cluster = Cluster(4, puppets=(0,)).start()
    block = content(cluster.members, 0, "bad")
    hash_ = read_header(block.header).hash
    word = vote(cluster.members, VoteKind.PROPOSAL, 0, hash_)
    cluster.invalid[hash_] = True
    cluster.puppet(
        0, ibft.Proposal(vote=word, content=block, justification=Justification(round_changes=(), certificates=()))
    )
    cluster.pump()
    (noted,) = account(cluster, 1).notes.turned_down
    assert (noted.seat, noted.round, noted.header_hash) == (0, 0, hash_)


def test_words_of_heights_that_are_over_are_noted_where_they_tell_something() -> None:
    cluster = Cluster(4, puppets=(3,)).start().pump()
    cluster.begin(2)
    late_change = change(cluster.members, 3, 1)
    for message in (late_change, late_change, prepare(cluster, 3, "straggler")):
        cluster.puppet(3, message, [1])
    cluster.pump()
    (noted,) = account(cluster, 1).overdue
    assert (noted.seat, noted.kind, noted.height, noted.count) == (3, VoteKind.ROUND_CHANGE, 1, 2)


def test_a_height_that_is_over_is_kept_with_its_notes_where_a_round_failed() -> None:
    cluster = in_round_1()
    cluster.begin(2)
    (kept,) = cluster[1].asked(ibft.Keep)
    assert kept.notes.rounds == (RoundEntered(round=1, at_ms=500),)
    both = Cluster(4, puppets=(0,)).start()
    both.puppet(0, prepare(both, 0, "round 0"))
    both.pump().expire(1, 2, 3).pump().begin(2)
    (kept,) = both[1].asked(ibft.Keep)
    assert {vote.round for vote in kept.votes} == {0, 1}
    assert kept.notes.rounds == (RoundEntered(round=1, at_ms=0),)
    calm = Cluster(4).start().pump()
    calm.begin(2)
    (plain,) = calm[1].asked(ibft.Keep)
    assert plain.notes == NOTHING_NOTED


def spoken(height: int, seat: int = 0) -> Vote:
    return vote(Cluster(4).members, VoteKind.ROUND_CHANGE, seat, bytes(32), height=height, round_=1)


def test_a_diary_is_bounded() -> None:
    diary, overdue = Diary(), Overdue()
    for number in range(300):
        diary.entered(number)
        diary.refused(0, number, bytes(32), "x" * 500)
        overdue.came(spoken(number + 1), number)
        overdue.came(spoken(number + 1, 1), number)
    assert [one.round for one in diary.rounds] == list(range(300 - ROUNDS_NOTED_MAX, 300))
    assert [one.round for one in diary.turned_down] == list(range(300 - TURNED_DOWN_MAX, 300))
    assert {len(one.refusal) for one in diary.turned_down} == {REFUSAL_TEXT_MAX}
    assert len(overdue.words) == 2 * OVERDUE_MAX
    assert min(height for _, height, _ in overdue.words) == 301 - OVERDUE_MAX
