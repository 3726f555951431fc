"""Merkle trees of RFC 9162, their proofs, and roots that commit to a count."""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from metanode.primitives.digest import Tag, digest
from metanode.primitives.names import Hash
from metanode.primitives.refusal import Refusal, Rejected

EMPTY_TREE: Final = sha256(b"").digest()
"""The tree hash of no leaves (RFC 9162 §2.1.1)."""
NODE_BYTES: Final = 32
"""Width of every node of a tree and of a proof."""
SIZE_MAX: Final = (1 << 64) - 1
"""Most leaves of a tree: a count is 8 bytes wide, so a proof has at most 64 nodes."""
_LEAF: Final = b"\x00"
_INNER: Final = b"\x01"


class MerkleRefusal(Refusal):
    """Why a proof or a frontier is none."""

    OUT_OF_RANGE = "merkle.out-of-range"
    """The index is not below the size, or the size needs more than 8 bytes."""
    WRONG_LENGTH = "merkle.wrong-length"
    """A tree of this size needs another number of proof nodes for this index."""
    WRONG_WIDTH = "merkle.wrong-width"
    """A node of the proof or of the frontier is not 32 bytes."""
    WRONG_FRONTIER = "merkle.wrong-frontier"
    """Not one subtree for each set bit of the size."""


def leaf_hash(leaf: bytes) -> bytes:
    """BYTES-6. SHA-256(0x00 ‖ leaf)."""
    return sha256(_LEAF + leaf).digest()


def _inner_hash(left: bytes, right: bytes) -> bytes:
    return sha256(_INNER + left + right).digest()


def _level_above(level: list[bytes]) -> list[bytes]:
    """The parents of one level; a node without a sibling rises as it is."""
    pairs = iter(level)
    above = [sha256(_INNER + left + right).digest() for left, right in zip(pairs, pairs, strict=False)]
    if len(level) & 1:
        above.append(level[-1])
    return above


def _fold(level: list[bytes]) -> bytes:
    while len(level) > 1:
        level = _level_above(level)
    return level[0] if level else EMPTY_TREE


def tree_hash(leaves: Sequence[bytes]) -> bytes:
    """BYTES-6. The Merkle Tree Hash of RFC 9162 §2.1.1, 32 bytes; level by level, which gives the same tree."""
    return _fold([sha256(_LEAF + leaf).digest() for leaf in leaves])


def counted(tag: Tag, size: int, tree: bytes) -> Hash:
    """BYTES-7. A root: digest of tag ‖ count(8) ‖ tree hash, so that no index can be read under another size."""
    return digest(tag, size.to_bytes(8, "big"), tree)


def counted_root(tag: Tag, leaves: Sequence[bytes]) -> Hash:
    """BYTES-7. The root of these leaves under this tag."""
    return counted(tag, len(leaves), tree_hash(leaves))


def inclusion_proof(leaves: Sequence[bytes], index: int) -> tuple[bytes, ...]:
    """BYTES-8. The path of RFC 9162 §2.1.3.1 from leaf `index` up to the tree hash."""
    assert 0 <= index < len(leaves), "a leaf of this tree"
    level = [sha256(_LEAF + leaf).digest() for leaf in leaves]
    path = []
    while len(level) > 1:
        sibling = index ^ 1
        if sibling < len(level):
            path.append(level[sibling])
        level = _level_above(level)
        index >>= 1
    return tuple(path)


def _check_nodes(nodes: Sequence[bytes]) -> None:
    if any(len(node) != NODE_BYTES for node in nodes):
        raise Rejected(MerkleRefusal.WRONG_WIDTH, f"every node has {NODE_BYTES} bytes")


def root_from_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes]) -> bytes:
    """BYTES-8. The tree hash that `proof` leads to from `leaf` (RFC 9162 §2.1.3.2).

    Raises `Rejected` with a `MerkleRefusal` where no tree of this size has such a proof; whether the result is the
    tree hash one trusts is for the caller, or for `verify_inclusion`, to say.
    """
    if not 0 <= index < size <= SIZE_MAX:
        raise Rejected(MerkleRefusal.OUT_OF_RANGE, f"index {index} of {size}")
    _check_nodes(proof)
    node, last, result = index, size - 1, leaf_hash(leaf)
    for sibling in proof:
        if last == 0:
            raise Rejected(MerkleRefusal.WRONG_LENGTH, f"{len(proof)} nodes are too many for {index} of {size}")
        if node & 1 or node == last:
            result = _inner_hash(sibling, result)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            result = _inner_hash(result, sibling)
        node, last = node >> 1, last >> 1
    if last:
        raise Rejected(MerkleRefusal.WRONG_LENGTH, f"{len(proof)} nodes are too few for {index} of {size}")
    return result


def verify_inclusion(tag: Tag, leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> bool:
    """BYTES-8. Whether `leaf` is number `index` of the `size` leaves under the counted `root`."""
    try:
        return counted(tag, size, root_from_inclusion(leaf, index, size, proof)) == root
    except Rejected:
        return False


def consistency_proof(leaves: Sequence[bytes], old_size: int) -> tuple[bytes, ...]:
    """BYTES-9. The proof of RFC 9162 §2.1.4.1 that the first `old_size` leaves were the tree once.

    Empty when the old tree is empty or is the whole tree.
    """
    assert 0 <= old_size <= len(leaves), "an older tree is not larger"
    if old_size == 0:
        return ()
    hashes = [sha256(_LEAF + leaf).digest() for leaf in leaves]
    path: list[bytes] = []
    low, high, known = 0, len(hashes), True
    while old_size != high - low:
        split = 1 << (high - low - 1).bit_length() - 1
        if old_size <= split:
            path.append(_fold(hashes[low + split : high]))
            high = low + split
        else:
            path.append(_fold(hashes[low : low + split]))
            low, old_size, known = low + split, old_size - split, False
    if not known:
        path.append(_fold(hashes[low:high]))
    return tuple(reversed(path))


def verify_consistency(old_size: int, new_size: int, old_tree: bytes, new_tree: bytes, proof: Sequence[bytes]) -> bool:
    """BYTES-9. Whether the tree of `new_size` leaves begins with the tree of `old_size` (RFC 9162 §2.1.4.2)."""
    if not 0 <= old_size <= new_size <= SIZE_MAX or any(len(node) != NODE_BYTES for node in proof):
        return False
    if old_size == 0:
        return not proof and old_tree == EMPTY_TREE
    if old_size == new_size:
        return not proof and old_tree == new_tree
    nodes = list(proof)
    if old_size & (old_size - 1) == 0:
        nodes.insert(0, old_tree)
    if not nodes:
        return False
    node, last = old_size - 1, new_size - 1
    while node & 1:
        node, last = node >> 1, last >> 1
    old = new = nodes[0]
    for sibling in nodes[1:]:
        if last == 0:
            return False
        if node & 1 or node == last:
            old, new = _inner_hash(sibling, old), _inner_hash(sibling, new)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            new = _inner_hash(new, sibling)
        node, last = node >> 1, last >> 1
    return last == 0 and old == old_tree and new == new_tree


@dataclass(frozen=True, slots=True)
class Frontier:
    """BYTES-10. The right edge of a growing tree: enough to append and to name its root, whatever its size.

    `peaks` are the hashes of the perfect subtrees, largest first: one for each set bit of `size`.
    """

    size: int = 0
    peaks: tuple[bytes, ...] = ()

    def __post_init__(self) -> None:
        if not 0 <= self.size <= SIZE_MAX:
            raise Rejected(MerkleRefusal.OUT_OF_RANGE, f"{self.size} leaves")
        if len(self.peaks) != self.size.bit_count():
            raise Rejected(MerkleRefusal.WRONG_FRONTIER, f"{len(self.peaks)} subtrees for {self.size} leaves")
        _check_nodes(self.peaks)

    @classmethod
    def of(cls, leaves: Sequence[bytes]) -> "Frontier":
        """The frontier after these leaves, built in one pass."""
        hashes = [sha256(_LEAF + leaf).digest() for leaf in leaves]
        peaks, start = [], 0
        for bit in reversed(range(len(hashes).bit_length())):
            if len(hashes) >> bit & 1:
                peaks.append(_fold(hashes[start : start + (1 << bit)]))
                start += 1 << bit
        return cls(len(hashes), tuple(peaks))

    @classmethod
    def from_tuple(cls, value: tuple[int, tuple[bytes, ...]]) -> "Frontier":
        """The frontier in `(size, peaks)`, from a snapshot or a store. Raises `Rejected` with a `MerkleRefusal`."""
        return cls(*value)

    def to_tuple(self) -> tuple[int, tuple[bytes, ...]]:
        """`(size, peaks)`: what a snapshot carries."""
        return self.size, self.peaks

    def append(self, leaf: bytes) -> "Frontier":
        """The frontier with one more leaf; at most 64 hashes, two on average."""
        node, peaks, carry = leaf_hash(leaf), self.peaks, self.size
        while carry & 1:
            node, peaks, carry = _inner_hash(peaks[-1], node), peaks[:-1], carry >> 1
        return Frontier(self.size + 1, (*peaks, node))

    def tree_hash(self) -> bytes:
        """The same 32 bytes that `tree_hash` of all leaves gives."""
        if not self.peaks:
            return EMPTY_TREE
        result = self.peaks[-1]
        for peak in self.peaks[-2::-1]:
            result = _inner_hash(peak, result)
        return result

    def counted_root(self, tag: Tag) -> Hash:
        """BYTES-7. The root of all leaves so far under this tag."""
        return counted(tag, self.size, self.tree_hash())


class GrowingTree:
    """BYTES-10. All perfect subtrees of a tree that only grows: any proof of any past size in a few hashes.

    Holds 64 bytes a leaf; for who answers proofs over a long history, where `inclusion_proof` would hash all of it.
    """

    __slots__ = ("_levels",)

    def __init__(self) -> None:
        self._levels: list[list[bytes]] = [[]]

    def __len__(self) -> int:
        return len(self._levels[0])

    def append(self, leaf: bytes) -> None:
        """One more leaf."""
        node, levels = leaf_hash(leaf), self._levels
        for height, level in enumerate(levels):
            level.append(node)
            if len(level) & 1:
                return
            node = _inner_hash(level[-2], level[-1])
            if height + 1 == len(levels):
                levels.append([node])
                return

    def _range_hash(self, start: int, stop: int) -> bytes:
        """The tree hash of leaves [start, stop), where start is a multiple of the least power of two ≥ stop − start."""
        peaks = []
        for bit in reversed(range((stop - start).bit_length())):
            if (stop - start) >> bit & 1:
                peaks.append(self._levels[bit][start >> bit])
                start += 1 << bit
        result = peaks[-1]
        for peak in peaks[-2::-1]:
            result = _inner_hash(peak, result)
        return result

    def tree_hash(self, size: int) -> bytes:
        """The tree hash of the first `size` leaves."""
        assert 0 <= size <= len(self), "a size this tree once had"
        return self._range_hash(0, size) if size else EMPTY_TREE

    def inclusion_proof(self, index: int, size: int) -> tuple[bytes, ...]:
        """BYTES-8. The same proof that `inclusion_proof` gives for the first `size` leaves."""
        assert 0 <= index < size <= len(self), "a leaf of a tree this tree once was"
        path: list[bytes] = []
        low, high = 0, size
        while high - low > 1:
            split = low + (1 << (high - low - 1).bit_length() - 1)
            if index < split:
                path.append(self._range_hash(split, high))
                high = split
            else:
                path.append(self._range_hash(low, split))
                low = split
        return tuple(reversed(path))
