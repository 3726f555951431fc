"""What Twins campaigns found (tests/simulation/twins_seeds.txt), each time the engine being wrong."""

from tests.unit.chain.ibft.cluster import Cluster
from tests.unit.chain.ibft.counterfeit import certificate, content
from tests.unit.chain.ibft.test_round_change import change, hash_of


def test_what_comes_with_a_second_word_counts_towards_the_quorum_that_is_here() -> None:
    """IBFT-V8, P5. Seat 1 has two words of round 2. The second does not count, but the PREPAREs of round 1 in its
    certificate do: a quorum has come as far as seat 3, so the time of its round 1 runs."""
    cluster = Cluster(4, puppets=(0, 1, 2))
    cluster.start()
    player = cluster[3]
    cluster.expire(3)
    members = cluster.members
    cluster.puppet(1, change(members, 1, 2), [3])
    cluster.pump()
    assert (player.state.round, player.state.round_timer) == (1, "")
    shown = certificate(members, [0, 1, 2], hash_of(content(members, 1, "round 1")), round_=1)
    cluster.puppet(1, change(members, 1, 2, shown), [3])
    cluster.pump()
    assert len(player.conflicts()) == 1
    assert (player.state.round, player.state.round_timer) == (1, "ibft.round/1/1")
