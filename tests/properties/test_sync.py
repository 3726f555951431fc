"""Sync among peers of every kind: nothing untrue is executed, nobody honest is blamed, one honest peer suffices."""

from collections.abc import Callable

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.chain.samples import commit_of
from tests.unit.chain.sync.pretend import Liar, Node, chain, encoded, honest, swapped

from metanode.chain import sync
from metanode.primitives.codec import encode
from metanode.records.block import FinalBlock


def garbage(_: FinalBlock) -> bytes:
    return b"\x90"


def other_block(_: FinalBlock) -> bytes:
    return encoded(7)


def weak(block: FinalBlock) -> bytes:
    header = chain().header(block.commit.height)
    return encode(msgspec.structs.replace(block, commit=commit_of(header, [1, 2], [0, 1])))


def foreign_body(block: FinalBlock) -> bytes:
    return encode(msgspec.structs.replace(block, body=msgspec.structs.replace(block.body, transactions=(b"\xc1",))))


def slow(_: sync.WantBlocks) -> None:
    return None


def stingy(want: sync.WantBlocks) -> sync.Blocks:
    return sync.Blocks(version=1, first=want.first, blocks=honest(want).blocks[:1])


LIES: list[Callable[[FinalBlock], bytes]] = [garbage, other_block, weak, foreign_body]
LIARS = st.tuples(st.integers(1, 40), st.sampled_from(LIES)).filter(lambda lie: lie != (7, other_block))
STRANGE: st.SearchStrategy[tuple[str, Liar]] = st.one_of(
    LIARS.map(lambda lie: ("liar", swapped(*lie))),
    st.sampled_from([("slow", slow), ("stingy", stingy), ("honest", honest)]),
)


@settings(max_examples=40, deadline=None)
@given(
    strange=st.lists(STRANGE, max_size=4),
    heads=st.lists(st.integers(1, 60), min_size=5, max_size=5),
    consensus=st.lists(st.integers(0, 3), max_size=6),
    votes=st.booleans(),
)
def test_catching_up_among_anybody(
    strange: list[tuple[str, Liar]], heads: list[int], consensus: list[int], votes: bool
) -> None:
    peers = {b"%d" % index: answer for index, (_, answer) in enumerate(strange)}
    kinds = {b"%d" % index: kind for index, (kind, _) in enumerate(strange)}
    peers[b"true"] = honest
    node = Node(peers, votes=votes)  # `Node` asserts that imports are in order and the true ones
    for peer, head in zip(peers, heads, strict=False):
        node.hear_head(peer, head)
    for blocks in consensus:
        node.wait(100)
        for _ in range(blocks):
            if node.height < 40:
                node.tell(node.apply(node.height + 1))
    node.hear_head(b"true", 40)
    node.wait(40_000)
    assert node.height == 40, (kinds, heads, consensus, votes, node.asked[-10:], node.blamed())
    assert {peer for peer, _ in node.blamed() if kinds.get(peer) != "liar"} == set()
    progress = node.machine._progress
    assert progress.size == sum(arrived.size for arrived in progress.arrived.values())
    assert not progress.ready
    assert progress.run is None
