"""What a liar among the seats, or anybody with a link, may send: attacks found by reading, each once fatal."""

import msgspec
from tests.unit.chain.ibft.cluster import Cluster, of
from tests.unit.chain.ibft.counterfeit import commit, content

from metanode.chain import ibft
from metanode.primitives.names import Seat
from metanode.records.commit import CommitRefusal
from metanode.records.header import read_header


def test_a_decision_in_a_round_beyond_32_bits_is_refused() -> None:
    """What is signed has fixed widths: a number that does not fit was an exception, and the node ended."""
    cluster = Cluster(4, puppets=(0, 1, 2))
    cluster.begin()
    block = content(cluster.members, 0)
    signed = commit(cluster.members, [0, 1, 2], read_header(block.header).hash)
    for round_ in (1 << 32, -1):
        bent = msgspec.structs.replace(signed, round=round_)
        effects = cluster[3].machine.handle(ibft.Received(0, ibft.Decided(commit=bent, header=block.header), Seat(-1)))
        assert [blame.refusal for blame in of(effects, ibft.Blame)] == [CommitRefusal.OUT_OF_RANGE]
