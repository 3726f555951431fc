"""A seat that comes back is told of a decision by several others at once."""

from tests.unit.chain.ibft.cluster import Cluster, of
from tests.unit.chain.ibft.counterfeit import check_aggregates, commit, content

from metanode.chain import ibft
from metanode.primitives.names import Seat
from metanode.records.header import read_header


def test_two_certificates_of_one_header_that_wait_together_are_no_alarm() -> None:
    """Found by the journey of a lying validator: an honest node accused its peers of a fork, and stopped."""
    cluster = Cluster(4, puppets=(0, 1, 2))
    cluster.begin()
    machine, block = cluster[3].machine, content(cluster.members, 0)
    name = read_header(block.header).hash
    effects: list[ibft.Effect] = []
    for told_by, signers in ((0, [0, 1, 2]), (1, [0, 1, 3]), (2, [1, 2, 3])):
        answer = ibft.Decided(commit=commit(cluster.members, signers, name), header=block.header)
        effects += machine.handle(ibft.Received(0, answer, Seat(told_by)))
    answered = 0
    while answered < len(asked := of(effects, ibft.CheckAggregates)):
        ask = asked[answered]
        effects += machine.handle(ibft.AggregatesChecked(0, ask.token, check_aggregates(ask.items)))
        answered += 1
    assert answered == 2, "the second and the third waited together"
    assert (of(effects, ibft.Diverged), of(effects, ibft.Accuse), of(effects, ibft.Blame)) == ([], [], [])
    assert cluster[3].state.certified == commit(cluster.members, [0, 1, 2], name)
