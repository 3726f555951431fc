"""Whoever hears the words that convict makes the accusation, in whatever order they come; and honest words, lost,
late, doubled or after restarts, accuse nobody."""

from itertools import combinations, permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.chain.evidence.test_evidence import convicted
from tests.unit.chain.ibft.cluster import Cluster
from tests.unit.chain.ibft.counterfeit import commit, content, vote
from tests.unit.chain.ibft.test_round_change import change
from tests.unit.chain.ibft.test_voting import ballot, fresh, hash_of, three_puppets

from metanode.chain import ibft
from metanode.chain.evidence import conflict, forgets
from metanode.chain.ibft import IbftRefusal
from metanode.primitives.names import NO_HASH, Hash
from metanode.records.evidence import Amnesia, ConflictingVotes, ContradictedCommit, Evidence, LunaticHeader
from metanode.records.proposal import ProposalContent
from metanode.records.vote import VoteKind

VALUES = (VoteKind.PREPARE, VoteKind.COMMIT)


@pytest.mark.parametrize("order", list(permutations([(VoteKind.PREPARE, "X"), (VoteKind.COMMIT, "Y")])))
def test_a_prepare_of_one_and_a_commit_of_another_value(order: tuple[tuple[VoteKind, str], ...]) -> None:
    cluster, block, x = three_puppets()
    y = hash_of(content(cluster.members, 0, "Y"))
    cluster.puppet(0, fresh(cluster, 0, block))
    for kind, value in order:
        cluster.puppet(1, ballot(cluster, kind, 1, x if value == "X" else y))
    cluster.pump()
    (evidence,) = cluster[3].evidence()
    assert isinstance(evidence, ConflictingVotes)
    assert convicted(evidence) == [1]


def test_a_leader_that_prepares_another_block_than_it_proposed() -> None:
    cluster, block, _ = three_puppets()
    cluster.puppet(0, fresh(cluster, 0, block))
    cluster.puppet(0, ballot(cluster, VoteKind.PREPARE, 0, hash_of(content(cluster.members, 0, "Y"))))
    cluster.pump()
    assert [convicted(e) for e in cluster[3].evidence()] == [[0]]


def elsewhere(cluster: Cluster) -> list[ProposalContent]:
    return [content(cluster.members, 0, chain_id=NO_HASH), content(cluster.members, 0, height=2)]


@pytest.mark.parametrize("which", [0, 1])
def test_a_leader_that_proposes_a_header_from_elsewhere(which: int) -> None:
    cluster, _, _ = three_puppets()
    cluster.puppet(0, fresh(cluster, 0, elsewhere(cluster)[which]), [3])
    cluster.pump()
    (evidence,) = cluster[3].evidence()
    assert isinstance(evidence, LunaticHeader)
    assert convicted(evidence) == [0]
    assert cluster[3].blamed() == [(0, IbftRefusal.LUNATIC)]
    assert cluster[3].signed == []


def test_a_lunatic_header_that_its_leader_did_not_sign_accuses_nobody() -> None:
    cluster, _, _ = three_puppets()
    strange = fresh(cluster, 0, elsewhere(cluster)[0])
    word = vote(cluster.members, VoteKind.PROPOSAL, 0, strange.vote.header_hash, seal=b"")
    forged = ibft.Proposal(
        vote=type(word)(**{**{f: getattr(word, f) for f in word.__struct_fields__}, "signature": bytes(64)}),
        content=strange.content,
        justification=strange.justification,
    )
    cluster.puppet(1, forged, [3])
    cluster.pump()
    assert cluster[3].evidence() == []
    assert cluster[3].blamed() == [(1, IbftRefusal.BAD_SIGNATURE)]


def test_a_lunatic_header_of_a_far_round_is_dropped() -> None:
    """One could be signed for each of four thousand million rounds (IBFT-M3)."""
    cluster, _, _ = three_puppets()
    cluster.puppet(0, fresh(cluster, 0, elsewhere(cluster)[0], round_=4_000), [3])
    cluster.pump()
    assert cluster[3].evidence() == []
    assert cluster[3].blamed() == [(0, IbftRefusal.LUNATIC)]


def decided() -> tuple[Cluster, Hash]:
    """Seat 3 decides with seats 0 to 2, for whom the test speaks."""
    cluster, block, x = three_puppets()
    cluster.puppet(0, fresh(cluster, 0, block))
    for kind in VALUES:
        for seat in (0, 1):
            cluster.puppet(seat, ballot(cluster, kind, seat, x))
    cluster.pump()
    assert cluster.all_decided()
    return cluster, x


def test_who_made_the_decision_and_denies_it_afterwards() -> None:
    cluster, _ = decided()
    for seat in (0, 1, 2):
        cluster.puppet(seat, change(cluster.members, seat, 1), [3])
    cluster.pump()
    found = cluster[3].evidence()
    assert [type(e) for e in found] == [ContradictedCommit, ContradictedCommit]
    assert [convicted(e) for e in found] == [[0], [1]], "seat 2 made no decision, and is free to be late"


def test_who_made_a_decision_that_others_told_us_of() -> None:
    """The COMMITs themselves were never heard here: the certificate stands for them."""
    cluster, block, x = three_puppets()
    cluster.puppet(1, change(cluster.members, 1, 1), [3])
    cluster.pump()
    told = ibft.Decided(commit=commit(cluster.members, [0, 1, 2], x), header=block.header)
    cluster.puppet(0, told, [3])
    cluster.pump()
    (evidence,) = cluster[3].evidence()
    assert isinstance(evidence, ContradictedCommit)
    assert convicted(evidence) == [1]


def test_a_late_round_change_that_nobody_signed_accuses_nobody() -> None:
    cluster, _ = decided()
    honest = change(cluster.members, 0, 1)
    fields = {f: getattr(honest.vote, f) for f in honest.vote.__struct_fields__}
    forged = ibft.RoundChange(vote=type(honest.vote)(**{**fields, "signature": bytes(64)}), certificates=())
    cluster.puppet(1, forged, [3])
    cluster.pump()
    assert cluster[3].evidence() == []


def test_a_bad_share_under_a_good_envelope_is_blamed_and_no_evidence() -> None:
    """EVID-12: nothing is won by it, and a proof that something does not verify would need rules of its own."""
    cluster, block, x = three_puppets()
    cluster.puppet(0, fresh(cluster, 0, block))
    for seat in (0, 1):
        cluster.puppet(seat, ballot(cluster, VoteKind.PREPARE, seat, x))
    cluster.puppet(0, ballot(cluster, VoteKind.COMMIT, 0, x))
    bad = vote(cluster.members, VoteKind.COMMIT, 2, x, seal=bytes(96))
    cluster.puppet(2, ibft.Ballot(vote=bad))
    cluster.pump()
    assert cluster[3].blamed() == [(2, IbftRefusal.BAD_SHARE)]
    assert cluster[3].evidence() == []


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_honest_seats_never_say_what_convicts(data: st.DataObject) -> None:
    """Lost and late messages, rounds that run out, kills and restarts at any step: every pair of words that a key ever
    signed, and everything that any machine made of what it heard, accuses nobody."""
    seats = data.draw(st.sampled_from([4, 5, 7]), label="seats")
    cluster = Cluster(seats)
    chance = data.draw(st.randoms(use_true_random=False), label="chance")
    cluster.links = lambda s, r, m: chance.random() > 0.25
    cluster.start()
    for _ in range(data.draw(st.integers(5, 40), label="steps")):
        deed = chance.choice(["deliver", "deliver", "deliver", "expire", "kill", "restart"])
        dead = [p.seat for p in cluster.players.values() if not p.alive]
        if deed == "deliver":
            for _ in range(chance.randint(1, 30)):
                if cluster.wire:
                    cluster.deliver(chance.randrange(len(cluster.wire)))
        elif deed == "expire":
            cluster.expire(chance.choice([p.seat for p in cluster.living()] or [0]))
        elif deed == "kill" and len(dead) < seats - 1:
            cluster.players[chance.choice([p.seat for p in cluster.living()])].budget = chance.randint(0, 6)
        elif dead:
            player = cluster.restart(chance.choice(dead))
            cluster.tell(player, ibft.BlockDue(cluster.now_ms))
    cluster.links = lambda s, r, m: True
    cluster.pump()
    assert [evidence for p in cluster.players.values() for evidence in p.evidence()] == []
    for player in cluster.players.values():
        for one, two in combinations([v for v in cluster.signed_ever.values() if v.seat == player.seat], 2):
            assert not conflict(one, two)
            assert not forgets(one, two)
            assert not forgets(two, one)


def test_both_kinds_of_amnesia_are_found_while_voting() -> None:
    cluster, _, x = three_puppets()
    cluster.puppet(1, ballot(cluster, VoteKind.COMMIT, 1, x), [3])
    cluster.puppet(1, change(cluster.members, 1, 2), [3])
    cluster.pump()
    found: list[Evidence] = cluster[3].evidence()
    assert [type(e) for e in found] == [Amnesia]
    assert convicted(found[0]) == [1]
