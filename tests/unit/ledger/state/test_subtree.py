"""The state in pieces: each proves itself, together they are everything."""

import pytest
from tests.unit.ledger.state.pieces import pairs_under

from metanode.ledger.state import (
    EMPTY_TREE,
    Piece,
    SubtreeProof,
    build_tree,
    covers_all,
    subtree_proof,
    subtrees,
    verify_subtree,
)

PAIRS = {b"key %d" % number: b"value %d" % number for number in range(3_000)}
TREE = build_tree(PAIRS.items())
PREFIXES = [
    b"", b"\x00", b"\x0f", b"\x0a\x05", b"\x01\x02\x03", b"\x0c\x0c\x0c\x0c", bytes(range(16)) * 4,
]  # fmt: skip


def test_pieces_cover_the_state_and_each_proves_itself() -> None:
    pieces = subtrees(TREE, 100)
    assert covers_all([piece.prefix for piece in pieces])
    assert max(piece.count for piece in pieces) <= 100
    gathered: dict[bytes, bytes] = {}
    for piece in pieces:
        pairs = pairs_under(PAIRS.items(), piece.prefix)
        assert len(pairs) == piece.count
        assert verify_subtree(TREE.root, piece.prefix, pairs, subtree_proof(TREE, piece.prefix))
        gathered.update(pairs)
    assert gathered == PAIRS


def test_a_small_state_is_one_piece() -> None:
    assert subtrees(EMPTY_TREE, 100) == [Piece(b"", 0)]
    assert subtrees(TREE, 3_000) == [Piece(b"", 3_000)]
    assert verify_subtree(EMPTY_TREE.root, b"", [], subtree_proof(EMPTY_TREE, b""))
    assert verify_subtree(EMPTY_TREE.root, b"\x05", [], subtree_proof(EMPTY_TREE, b"\x05"))


@pytest.mark.parametrize("prefix", PREFIXES)
def test_any_prefix_can_be_proved_and_no_other_content(prefix: bytes) -> None:
    proof = subtree_proof(TREE, prefix)
    pairs = pairs_under(PAIRS.items(), prefix)
    stranger = next(pair for pair in PAIRS.items() if pair not in pairs) if prefix else (b"new", b"v")
    assert verify_subtree(TREE.root, prefix, pairs, proof)
    assert verify_subtree(TREE.root, prefix, pairs[::-1], proof), "order does not matter"
    assert not verify_subtree(TREE.root, prefix, [*pairs, stranger], proof)
    if pairs:
        key, value = pairs[0]
        assert not verify_subtree(TREE.root, prefix, pairs[1:], proof)
        assert not verify_subtree(TREE.root, prefix, [*pairs, pairs[0]], proof)
        assert not verify_subtree(TREE.root, prefix, [(key, value + b"!"), *pairs[1:]], proof)
        assert not verify_subtree(TREE.root, prefix, [*pairs, (key, value + b"!")], proof)


def test_a_malformed_question_is_answered_no() -> None:
    proof = subtree_proof(TREE, b"\x0a")
    pairs = pairs_under(PAIRS.items(), b"\x0a")
    assert verify_subtree(TREE.root, b"\x0a", pairs, proof)
    assert not verify_subtree(TREE.root, b"\x1a", pairs, proof)
    assert not verify_subtree(TREE.root, bytes(65), pairs, proof)
    assert not verify_subtree(TREE.root, b"", pairs, proof)
    assert not verify_subtree(TREE.root, b"\x0a\x01", pairs, proof)
    assert not verify_subtree(TREE.root, b"\x0a", [(bytes(1 << 16), b"")], proof), "a key as long as no key can be"
    for page in (bytes(64), bytes(63)):
        other = SubtreeProof(count=proof.count, levels=proof.levels, page=page)
        assert not verify_subtree(TREE.root, b"\x0a", pairs, other)
    other = SubtreeProof(count=proof.count + 1, levels=proof.levels, page=b"")
    assert not verify_subtree(TREE.root, b"\x0a", pairs, other)


def test_a_hole_or_an_overlap_is_no_cover() -> None:
    sixteen = [bytes([child]) for child in range(16)]
    deeper = [b"\x0f" + child for child in sixteen]
    assert covers_all([b""])
    assert covers_all(sixteen)
    assert covers_all(sixteen[:15] + deeper)
    assert covers_all(deeper[::-1] + sixteen[14::-1])
    assert not covers_all([])
    assert not covers_all(sixteen[:15])
    assert not covers_all(sixteen[1:])
    assert not covers_all(sixteen[:7] + sixteen[8:])
    assert not covers_all([*sixteen, b""])
    assert not covers_all([*sixteen, b"\x03\x00"])
    assert not covers_all(sixteen[:15] + deeper[1:])
    assert not covers_all(sixteen[:15] + deeper[:15])
    assert not covers_all([*sixteen, sixteen[15]])
    assert not covers_all([*sixteen, b"\x10"])
    assert not covers_all([*sixteen[:3], b"\x05", *sixteen[4:]])
