"""A seat that comes back is told of a decision by several others at once."""

from tests.unit.chain.ibft.cluster import Cluster
from tests.unit.chain.ibft.counterfeit import commit, content, hash_of

from metanode.chain import ibft


def test_two_certificates_of_one_header_that_wait_together_are_no_alarm() -> None:
    """Found by the journey of a lying validator: an honest node accused its peers of a fork, and stopped."""
    cluster = Cluster(4, puppets=(0, 1, 2))
    cluster.begin()
    block = content(cluster.members, 0)
    for told_by, signers in ((0, [0, 1, 2]), (1, [0, 1, 3]), (2, [1, 2, 3])):
        answer = ibft.Decided(commit=commit(cluster.members, signers, hash_of(block)), header=block.header)
        cluster.puppet(told_by, answer)
    cluster.pump()
    assert cluster[3].asked(ibft.Diverged) == []
    assert cluster[3].evidence() == []
    assert cluster[3].blamed() == []
    assert cluster[3].state.certified == commit(cluster.members, [0, 1, 2], hash_of(block))
