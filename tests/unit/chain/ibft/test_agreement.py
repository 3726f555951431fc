"""The happy path, round changes, and what must hold across them."""

from dataclasses import replace

import pytest
from tests.unit.chain.ibft.cluster import Cluster
from tests.unit.chain.ibft.counterfeit import validators

from metanode.chain import ibft
from metanode.primitives.names import Height, Round, Seat
from metanode.records.validators import ValidatorSet
from metanode.records.vote import VoteKind


@pytest.mark.parametrize("seats", [1, 2, 3, 4, 5, 6, 7, 10, 17])
def test_everybody_decides_the_leaders_block_in_round_0(seats: int) -> None:
    cluster = Cluster(seats).start().pump()
    assert cluster.all_decided()
    cluster.agreed()
    assert {p.decided[1].round for p in cluster.players.values()} == {0}
    assert cluster.players[0].asked(ibft.Build) == [ibft.Build(Height(1), Round(0))]
    for player in cluster.players.values():
        kinds = [vote.kind for vote in player.signed]
        own = [VoteKind.PROPOSAL] if player.seat == 0 else []
        assert kinds == [*own, VoteKind.PREPARE, VoteKind.COMMIT]
        assert player.timers == {}
        assert player.blamed() == []


def test_heights_follow_each_other_and_leaders_rotate() -> None:
    cluster = Cluster(4)
    for height in range(1, 6):
        cluster.begin(height)
        cluster.due()
        cluster.pump()
        assert cluster.all_decided()
        cluster.agreed()
    builders = [
        p.seat for h in range(1, 6) for p in cluster.players.values() if ibft.Build(Height(h), Round(0)) in p.effects
    ]
    assert builders == [0, 1, 2, 3, 0]


def test_the_set_shrinks_and_the_previous_proposer_is_gone() -> None:
    """Whoever looks for the seat after one that is no more finds none, or everybody another."""
    before = validators(5)
    for gone in range(5):
        cluster = Cluster(4)
        cluster.members = ValidatorSet(tuple(v for seat, v in enumerate(before.validators) if seat != gone))
        cluster.height = 2
        for player in cluster.living():
            begins = replace(cluster.begins(2, player.seat), previous_validators=before, previous_proposer=Seat(gone))
            cluster.tell(player, begins)
        cluster.due()
        cluster.pump()
        assert cluster.all_decided()
        cluster.agreed()
        leader = gone % 4  # who sat behind it sits now in its place
        assert [p.seat for p in cluster.players.values() if p.asked(ibft.Build)] == [leader]


def test_a_dead_leader_costs_one_round() -> None:
    cluster = Cluster(4)
    cluster.kill(0)
    cluster.start()
    cluster.run(1500)
    assert cluster.all_decided()
    assert {p.decided[1].round for p in cluster.living()} == {1}


def test_two_dead_leaders_cost_two_rounds() -> None:
    cluster = Cluster(7)
    cluster.kill(0)
    cluster.kill(1)
    cluster.start()
    cluster.run(5000)
    assert cluster.all_decided()
    assert {p.decided[1].round for p in cluster.living()} == {2}
