"""Trees of RFC 9162, their proofs and counted roots."""

from hashlib import sha256
from itertools import combinations

import pytest

from metanode.primitives.digest import Tag
from metanode.primitives.merkle import (
    EMPTY_TREE,
    SIZE_MAX,
    Frontier,
    GrowingTree,
    MerkleRefusal,
    consistency_proof,
    counted,
    counted_root,
    inclusion_proof,
    leaf_hash,
    root_from_inclusion,
    tree_hash,
    verify_consistency,
    verify_inclusion,
)
from metanode.primitives.refusal import Rejected

LEAVES = [
    bytes.fromhex(leaf)
    for leaf in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
"""The eight leaves that Certificate Transparency's implementations are tested with."""
ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
EMPTY_ROOTS = {
    Tag.TRANSACTIONS_ROOT: "0766238329abcf57bee4ac73ccb828989e57577bc8576951eac8da8fce2929f8",
    Tag.OPENINGS_ROOT: "2fc4e238d57d0ce9ffeeed81024fec6daab46015e80a0612ee95baee875100a2",
    Tag.INCLUSION_ROOT: "0526c93f9c4a0e4c5f1d43532bfde0e35f631ca0431248550f95b26064807e24",
    Tag.EVIDENCE_ROOT: "4c4fa3c3437a9bbcbf8a5f80ebbacb145c05e5339691e7b1189b4b70e3ef3f3b",
    Tag.RECEIPTS_ROOT: "932f7f75ba76854644cc1d253f5e1308925a51773ef5fef350d65e6414024502",
    Tag.HISTORY_ROOT: "7988709de0c536ce66deb3418ba3c5dd747ef932f7c0ca330b85f35dbe6c4d92",
    Tag.EXTENSIONS_ROOT: "e75ff4570f7927c38edf7dcc4c72d826f4bbe674ed5c46acfcb6f98fc5fd376f",
}
"""What a header of an empty block carries; changing one changes the protocol."""


@pytest.mark.parametrize("size", range(9))
def test_small_trees_have_the_roots_of_certificate_transparency(size: int) -> None:
    assert tree_hash(LEAVES[:size]).hex() == ROOTS[size]


def test_the_proofs_of_certificate_transparency() -> None:
    """The paths its reference implementations agree on."""
    assert [node.hex() for node in inclusion_proof(LEAVES[:3], 1)] == [ROOTS[1], leaf_hash(LEAVES[2]).hex()]
    assert [node.hex() for node in inclusion_proof(LEAVES, 0)] == [
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ]
    assert [node.hex() for node in consistency_proof(LEAVES[:7], 3)] == [
        leaf_hash(LEAVES[2]).hex(),
        leaf_hash(LEAVES[3]).hex(),
        ROOTS[2],
        consistency_proof(LEAVES[:7], 4)[0].hex(),
    ]


@pytest.mark.parametrize("tag", EMPTY_ROOTS)
def test_empty_roots_are_pinned(tag: Tag) -> None:
    assert counted_root(tag, []).hex() == EMPTY_ROOTS[tag]


def test_a_root_commits_to_tag_and_count() -> None:
    expected = sha256(b"metanode.txroot1" + (3).to_bytes(8, "big") + bytes.fromhex(ROOTS[3])).digest()
    assert counted_root(Tag.TRANSACTIONS_ROOT, LEAVES[:3]) == expected
    assert counted(Tag.TRANSACTIONS_ROOT, 3, bytes.fromhex(ROOTS[3])) == expected
    assert counted(Tag.TRANSACTIONS_ROOT, 4, bytes.fromhex(ROOTS[3])) != expected
    assert counted(Tag.RECEIPTS_ROOT, 3, bytes.fromhex(ROOTS[3])) != expected


def refusal(index: int, size: int, proof: list[bytes]) -> object:
    with pytest.raises(Rejected) as refused:
        root_from_inclusion(b"leaf", index, size, proof)
    return refused.value.reason


@pytest.mark.parametrize(("index", "size"), [(3, 3), (-1, 3), (0, 0), (0, SIZE_MAX + 1)])
def test_an_index_outside_the_tree_is_refused(index: int, size: int) -> None:
    assert refusal(index, size, [bytes(32)]) is MerkleRefusal.OUT_OF_RANGE


@pytest.mark.parametrize(("index", "size", "nodes"), [(0, 1, 1), (0, 2, 0), (0, 2, 2), (4, 5, 2), (4, 5, 0), (0, 5, 2)])
def test_a_proof_of_another_length_is_refused(index: int, size: int, nodes: int) -> None:
    assert refusal(index, size, [bytes(32)] * nodes) is MerkleRefusal.WRONG_LENGTH


def test_a_node_of_another_width_is_refused() -> None:
    assert refusal(0, 2, [bytes(31)]) is MerkleRefusal.WRONG_WIDTH
    assert refusal(0, 2, [bytes(33)]) is MerkleRefusal.WRONG_WIDTH


def test_an_index_cannot_be_read_under_another_size() -> None:
    """Leaf 4 of 5 has a path of one node, and so has leaf 1 of 2: the count in the root tells them apart."""
    proof = inclusion_proof(LEAVES[:5], 4)
    root = counted_root(Tag.TRANSACTIONS_ROOT, LEAVES[:5])
    assert root_from_inclusion(LEAVES[4], 1, 2, proof) == tree_hash(LEAVES[:5])
    assert verify_inclusion(Tag.TRANSACTIONS_ROOT, LEAVES[4], 4, 5, proof, root)
    assert not verify_inclusion(Tag.TRANSACTIONS_ROOT, LEAVES[4], 1, 2, proof, root)


def test_an_inner_node_is_no_leaf() -> None:
    """The second-preimage attack on trees without prefixes."""
    forged = leaf_hash(LEAVES[0]) + leaf_hash(LEAVES[1])
    assert tree_hash([forged]) != tree_hash(LEAVES[:2])


def test_what_is_not_there_does_not_verify() -> None:
    root = counted_root(Tag.RECEIPTS_ROOT, LEAVES)
    proof = inclusion_proof(LEAVES, 3)
    assert verify_inclusion(Tag.RECEIPTS_ROOT, LEAVES[3], 3, 8, proof, root)
    assert not verify_inclusion(Tag.RECEIPTS_ROOT, LEAVES[2], 3, 8, proof, root)
    assert not verify_inclusion(Tag.TRANSACTIONS_ROOT, LEAVES[3], 3, 8, proof, root)
    assert not verify_inclusion(Tag.RECEIPTS_ROOT, LEAVES[3], 3, 8, proof[:-1], root)
    assert not verify_inclusion(Tag.RECEIPTS_ROOT, LEAVES[3], 8, 8, proof, root)


def test_consistency_at_the_edges() -> None:
    full = tree_hash(LEAVES)
    assert consistency_proof(LEAVES, 0) == consistency_proof(LEAVES, 8) == ()
    assert verify_consistency(0, 8, EMPTY_TREE, full, ())
    assert verify_consistency(8, 8, full, full, ())
    assert verify_consistency(0, 0, EMPTY_TREE, EMPTY_TREE, ())
    assert not verify_consistency(0, 8, bytes(32), full, ())
    assert not verify_consistency(0, 8, EMPTY_TREE, full, (full,))
    assert not verify_consistency(8, 8, full, bytes(32), ())
    assert not verify_consistency(8, 8, full, full, (full,))
    assert not verify_consistency(8, 7, full, full, ())
    assert not verify_consistency(-1, 7, full, full, ())
    assert not verify_consistency(3, 8, tree_hash(LEAVES[:3]), full, ())
    assert not verify_consistency(4, 8, tree_hash(LEAVES[:4]), full, ())
    assert not verify_consistency(4, 8, tree_hash(LEAVES[:4]), full, (bytes(31),))
    good = consistency_proof(LEAVES, 3)
    assert verify_consistency(3, 8, tree_hash(LEAVES[:3]), full, good)
    assert not verify_consistency(3, 8, tree_hash(LEAVES[:3]), full, (*good, bytes(32)))
    assert not verify_consistency(3, 8, tree_hash(LEAVES[:2]), full, good)


def test_a_frontier_is_one_subtree_a_set_bit() -> None:
    frontier = Frontier()
    for leaf in LEAVES[:5]:
        frontier = frontier.append(leaf)
    assert frontier == Frontier(5, (tree_hash(LEAVES[:4]), leaf_hash(LEAVES[4])))
    assert frontier == Frontier.of(LEAVES[:5])
    assert Frontier.from_tuple(frontier.to_tuple()) == frontier
    assert frontier.counted_root(Tag.HISTORY_ROOT) == counted_root(Tag.HISTORY_ROOT, LEAVES[:5])
    assert Frontier().tree_hash() == EMPTY_TREE


@pytest.mark.parametrize(
    ("size", "peaks", "reason"),
    [
        (3, (bytes(32),), MerkleRefusal.WRONG_FRONTIER),
        (0, (bytes(32),), MerkleRefusal.WRONG_FRONTIER),
        (1, (bytes(31),), MerkleRefusal.WRONG_WIDTH),
        (-1, (), MerkleRefusal.OUT_OF_RANGE),
        (SIZE_MAX + 1, (bytes(32),), MerkleRefusal.OUT_OF_RANGE),
    ],
)
def test_a_frontier_that_is_none_is_refused(size: int, peaks: tuple[bytes, ...], reason: MerkleRefusal) -> None:
    with pytest.raises(Rejected) as refused:
        Frontier.from_tuple((size, peaks))
    assert refused.value.reason is reason


def test_a_growing_tree_proves_every_past_size() -> None:
    tree = GrowingTree()
    for leaf in LEAVES:
        tree.append(leaf)
    assert len(tree) == 8
    assert tree.tree_hash(0) == EMPTY_TREE
    for size in range(1, 9):
        assert tree.tree_hash(size) == tree_hash(LEAVES[:size])
        for index in range(size):
            assert tree.inclusion_proof(index, size) == inclusion_proof(LEAVES[:size], index)
    with pytest.raises(AssertionError):
        tree.inclusion_proof(8, 8)


def _consistency(old_size: int, new_size: int, old_tree: bytes, proof: tuple[bytes, ...]) -> tuple[bytes, bytes]:
    """The two tree hashes that a proof leads to, by the recursive definition of RFC 9162 §2.1.4.1, read backwards:
    `ValueError` where no tree has such a proof."""

    def walk(old: int, new: int, nodes: tuple[bytes, ...], *, whole: bool) -> tuple[bytes, bytes]:
        if old == new:
            if len(nodes) != (0 if whole else 1):
                raise ValueError
            return (old_tree, old_tree) if whole else (nodes[0], nodes[0])
        if not nodes:
            raise ValueError
        split = 1 << (new - 1).bit_length() - 1
        top, rest = nodes[-1], nodes[:-1]
        if old <= split:
            left, right = walk(old, split, rest, whole=whole)
            return left, sha256(b"\1" + right + top).digest()
        left, right = walk(old - split, new - split, rest, whole=False)
        return sha256(b"\1" + top + left).digest(), sha256(b"\1" + top + right).digest()

    return walk(old_size, new_size, proof, whole=True)


def test_consistency_is_what_the_recursive_definition_says() -> None:
    """Every proof of two sizes, shown as that of any other two, shortened, lengthened."""
    leaves = [b"%d" % number for number in range(14)]
    trees = [tree_hash(leaves[:size]) for size in range(15)]
    for old, new in combinations(range(1, 15), 2):
        right = consistency_proof(leaves[:new], old)
        for proof in (right, right[:-1], right[1:], (*right, trees[1]), (trees[1], *right)):
            for shown_old, shown_new in combinations(range(1, 15), 2):
                try:
                    expected = _consistency(shown_old, shown_new, trees[old], proof) == (trees[old], trees[new])
                except ValueError:
                    expected = False
                found = verify_consistency(shown_old, shown_new, trees[old], trees[new], proof)
                assert found is expected, (old, new, shown_old, shown_new)


def test_sizes_at_the_limit_are_taken() -> None:
    assert SIZE_MAX == 0xFFFF_FFFF_FFFF_FFFF, "what eight bytes hold (BYTES-7)"
    proof = (bytes(32),) * (SIZE_MAX - 1).bit_count()
    assert len(root_from_inclusion(b"leaf", SIZE_MAX - 1, SIZE_MAX, proof)) == 32
    assert Frontier(SIZE_MAX, (bytes(32),) * SIZE_MAX.bit_count()).size == SIZE_MAX
    assert verify_consistency(SIZE_MAX, SIZE_MAX, bytes(32), bytes(32), ())
