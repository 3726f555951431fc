"""Trees, proofs and frontiers against the definitions of RFC 9162 read word for word."""

from collections.abc import Sequence
from hashlib import sha256

from hypothesis import given
from hypothesis import strategies as st

from metanode.primitives.digest import Tag
from metanode.primitives.merkle import (
    Frontier,
    GrowingTree,
    consistency_proof,
    counted_root,
    inclusion_proof,
    root_from_inclusion,
    tree_hash,
    verify_consistency,
    verify_inclusion,
)

LEAVES = st.lists(st.binary(max_size=8), min_size=1, max_size=70)
NODES = st.lists(st.binary(min_size=32, max_size=32), max_size=8)


def split_point(size: int) -> int:
    """The largest power of two smaller than `size`."""
    return 1 << (size - 1).bit_length() - 1


def model_hash(leaves: Sequence[bytes]) -> bytes:
    """MTH of RFC 9162 §2.1.1."""
    if not leaves:
        return sha256(b"").digest()
    if len(leaves) == 1:
        return sha256(b"\x00" + leaves[0]).digest()
    k = split_point(len(leaves))
    return sha256(b"\x01" + model_hash(leaves[:k]) + model_hash(leaves[k:])).digest()


def model_path(index: int, leaves: Sequence[bytes]) -> list[bytes]:
    """PATH of RFC 9162 §2.1.3.1."""
    if len(leaves) == 1:
        return []
    k = split_point(len(leaves))
    if index < k:
        return [*model_path(index, leaves[:k]), model_hash(leaves[k:])]
    return [*model_path(index - k, leaves[k:]), model_hash(leaves[:k])]


def model_subproof(old: int, leaves: Sequence[bytes], known: bool) -> list[bytes]:
    """SUBPROOF of RFC 9162 §2.1.4.1."""
    if old == len(leaves):
        return [] if known else [model_hash(leaves)]
    k = split_point(len(leaves))
    if old <= k:
        return [*model_subproof(old, leaves[:k], known), model_hash(leaves[k:])]
    return [*model_subproof(old - k, leaves[k:], known=False), model_hash(leaves[:k])]


@given(LEAVES, st.data())
def test_trees_and_inclusion_are_the_definitions(leaves: list[bytes], data: st.DataObject) -> None:
    index = data.draw(st.integers(0, len(leaves) - 1))
    proof = inclusion_proof(leaves, index)
    assert tree_hash(leaves) == model_hash(leaves)
    assert list(proof) == model_path(index, leaves)
    assert root_from_inclusion(leaves[index], index, len(leaves), proof) == tree_hash(leaves)


@given(LEAVES, st.data())
def test_consistency_is_the_definition(leaves: list[bytes], data: st.DataObject) -> None:
    old = data.draw(st.integers(1, len(leaves)))
    proof = consistency_proof(leaves, old)
    assert list(proof) == model_subproof(old, leaves, known=True)
    assert verify_consistency(old, len(leaves), tree_hash(leaves[:old]), tree_hash(leaves), proof)


@given(LEAVES, st.data())
def test_a_changed_past_is_not_consistent(leaves: list[bytes], data: st.DataObject) -> None:
    old = data.draw(st.integers(1, len(leaves)))
    changed = [*leaves]
    changed[data.draw(st.integers(0, old - 1))] += b"!"
    for proof in (consistency_proof(leaves, old), consistency_proof(changed, old)):
        assert not verify_consistency(old, len(leaves), tree_hash(leaves[:old]), tree_hash(changed), proof)


@given(LEAVES, st.data(), NODES)
def test_no_other_leaf_index_size_or_path_verifies(
    leaves: list[bytes], data: st.DataObject, forged: list[bytes]
) -> None:
    index = data.draw(st.integers(0, len(leaves) - 1))
    root, proof = counted_root(Tag.RECEIPTS_ROOT, leaves), inclusion_proof(leaves, index)
    other_index, other_size = data.draw(st.integers(0, 80)), data.draw(st.integers(0, 80))
    assert verify_inclusion(Tag.RECEIPTS_ROOT, leaves[index], index, len(leaves), proof, root)
    assert not verify_inclusion(Tag.RECEIPTS_ROOT, leaves[index] + b"!", index, len(leaves), proof, root)
    if other_size != len(leaves):
        assert not verify_inclusion(Tag.RECEIPTS_ROOT, leaves[index], index, other_size, proof, root)
    if other_index != index and proof and len(set(leaves)) == len(leaves):
        assert not verify_inclusion(Tag.RECEIPTS_ROOT, leaves[index], other_index, len(leaves), proof, root)
    if tuple(forged) != proof:
        assert not verify_inclusion(Tag.RECEIPTS_ROOT, leaves[index], index, len(leaves), forged, root)


@given(LEAVES)
def test_a_frontier_grows_like_the_tree(leaves: list[bytes]) -> None:
    frontier, tree = Frontier(), GrowingTree()
    for size, leaf in enumerate(leaves, start=1):
        frontier = frontier.append(leaf)
        tree.append(leaf)
        assert frontier.tree_hash() == tree_hash(leaves[:size]) == tree.tree_hash(size)
    assert frontier == Frontier.of(leaves)
    assert frontier.counted_root(Tag.HISTORY_ROOT) == counted_root(Tag.HISTORY_ROOT, leaves)
