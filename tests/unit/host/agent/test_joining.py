"""What a node says of itself, and what becomes of it where the chain is away or says no."""

from collections.abc import Iterator

import pytest

from metanode.docklock.cluster.signed import AboutImage
from metanode.docklock.cluster.state import Cluster, Member, Share
from metanode.host.agent import joining
from metanode.host.agent.chain import ChainUnreachable, Outcome, ProvedShare
from metanode.host.agent.engines import AgentRefusal
from metanode.host.agent.joining import inventory_of, join, sealing_key
from metanode.primitives.refusal import Rejected
from metanode.records.calls import Call
from metanode.records.cluster import IMAGES_SHOWN_MAX, SEALING_KEY_BYTES, check_inventory
from metanode.records.cluster_calls import ClusterJoin
from metanode.records.pinned_batch import PinnedBatch
from metanode.records.workload import Terms

SEED = b"s" * 32
HAS = inventory_of(SEED, "127.0.0.1:26700", (1_000, 1 << 20), "sandbox", (), ())


class Chain:
    """Answers what it was given, in order; an exception is raised."""

    def __init__(self, *answers: Outcome | ChainUnreachable) -> None:
        self.answers: Iterator[Outcome | ChainUnreachable] = iter(answers)
        self.asked: list[Call] = []

    def submit(self, call: Call) -> Outcome:
        self.asked.append(call)
        answer = next(self.answers)
        if isinstance(answer, ChainUnreachable):
            raise answer
        return answer

    def wait(self, above: int) -> int:
        raise NotImplementedError

    def share(self) -> ProvedShare:
        raise NotImplementedError

    def terms(self, workload: str, revision: int) -> Terms:
        raise NotImplementedError

    def pinning(self, number: int, above: int) -> PinnedBatch | None:
        raise NotImplementedError

    def about_image(self, image: bytes) -> AboutImage:
        raise NotImplementedError

    def settled(self) -> tuple[Cluster, frozenset[bytes]]:
        raise NotImplementedError

    def neighbour(self, node: str) -> tuple[Member | None, Share]:
        raise NotImplementedError

    def agents(self) -> tuple[str, ...]:
        raise NotImplementedError

    def close(self) -> None:
        raise NotImplementedError


def test_what_a_node_says_of_itself_could_be_true() -> None:
    check_inventory(HAS)
    many = tuple(bytes([n]) * 32 for n in range(255, 0, -1))
    told = inventory_of(SEED, "[::1]:1", (1, 1_024), "oci", many, ("z", "a"))
    check_inventory(told)
    assert (len(told.images), told.volumes, told.engines) == (IMAGES_SHOWN_MAX, ("a", "z"), ("oci",))


def test_the_key_for_secrets_is_of_the_seed_and_of_nothing_else() -> None:
    assert len(sealing_key(SEED)) == SEALING_KEY_BYTES
    assert sealing_key(SEED) == HAS.sealing_key != sealing_key(b"t" * 32)
    assert SEED not in sealing_key(SEED)
    assert HAS.transport_key not in sealing_key(SEED)


def test_a_chain_that_is_away_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(joining, "AGAIN_S", 0.0)
    chain = Chain(ChainUnreachable("away"), ChainUnreachable("away"), Outcome(7, ""))
    join(chain, "shop", "n1", HAS)
    assert chain.asked == [ClusterJoin(cluster="shop", node="n1", inventory=HAS)] * 3


def test_a_node_that_the_chain_refuses_does_not_begin() -> None:
    with pytest.raises(Rejected) as refused:
        join(Chain(Outcome(7, "cluster.other-node")), "shop", "n1", HAS)
    assert refused.value.reason is AgentRefusal.NOT_LET_IN
    assert "cluster.other-node" in refused.value.detail
