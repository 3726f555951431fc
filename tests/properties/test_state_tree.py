"""The tree against a dictionary: same contents, same root, whatever happened before (STATE-3, STATE-5, STATE-6)."""

from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.ledger.state.pieces import pairs_under

from metanode.ledger.state import (
    EMPTY_TREE,
    build_tree,
    covers_all,
    subtree_proof,
    subtrees,
    verify_state_proof,
    verify_subtree,
)

KEYS = st.integers(0, 399).map(lambda number: b"key %d" % number)
VALUES = st.integers(0, 3).map(lambda number: b"value %d" % number)
WRITES = st.dictionaries(KEYS, st.none() | VALUES, max_size=120)


@settings(max_examples=150, deadline=None)
@given(st.lists(WRITES, max_size=8))
def test_every_version_equals_the_tree_built_from_scratch(batches: list[dict[bytes, bytes | None]]) -> None:
    model: dict[bytes, bytes] = {}
    versions = [(EMPTY_TREE, dict(model))]
    for batch in batches:
        for key, value in batch.items():
            if value is None:
                model.pop(key, None)
            else:
                model[key] = value
        versions.append((versions[-1][0].update(batch), dict(model)))
    for tree, contents in versions:  # the older ones too: no version disturbed another
        assert tree == build_tree(contents.items())
        assert tree.count == len(contents)


@settings(max_examples=100, deadline=None)
@given(WRITES, st.randoms(use_true_random=False))
def test_one_by_one_in_any_order_is_the_same(writes: dict[bytes, bytes | None], chance: Random) -> None:
    start = build_tree((b"key %d" % number, b"old") for number in range(0, 400, 3))
    order = list(writes.items())
    chance.shuffle(order)
    tree = start
    for key, value in order:
        tree = tree.update({key: value})
    assert tree == start.update(writes)


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(KEYS, VALUES, max_size=300), KEYS, VALUES)
def test_a_proof_proves_the_truth_only(contents: dict[bytes, bytes], key: bytes, value: bytes) -> None:
    tree = build_tree(contents.items())
    proof = tree.prove(key)
    assert verify_state_proof(tree.root, key, contents.get(key), proof)
    assert verify_state_proof(tree.root, key, value, proof) == (contents.get(key) == value)
    assert verify_state_proof(tree.root, key, None, proof) == (key not in contents)


@settings(max_examples=40, deadline=None)
@given(st.dictionaries(KEYS, VALUES, max_size=300), st.integers(1, 200))
def test_pieces_are_provable_and_complete(contents: dict[bytes, bytes], entries_max: int) -> None:
    tree = build_tree(contents.items())
    pieces = subtrees(tree, entries_max)
    assert covers_all([piece.prefix for piece in pieces])
    for piece in pieces:
        pairs = pairs_under(contents.items(), piece.prefix)
        assert len(pairs) == piece.count <= max(entries_max, 32)
        assert verify_subtree(tree.root, piece.prefix, pairs, subtree_proof(tree, piece.prefix))
