"""The authenticated map as a value: a root over all keys and values, and cheap successors of it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from metanode.ledger.state.nodes import (
    DEPTH_MAX,
    EMPTY_HASH,
    EMPTY_PAGE,
    Node,
    Subtree,
    apply,
    build,
    key_path,
    leaf_hash,
    nibble,
    subtree_count,
    subtree_hash,
)
from metanode.ledger.state.proof import ProofLevel, StateProof, fold_root
from metanode.primitives.names import Hash


@dataclass(frozen=True, slots=True)
class StateTree:
    """STATE-4. One version of the state, about 75 bytes a key; versions share whatever did not change between them.

    Undecided blocks, siblings among them, each hold a tree of their own: keeping one is holding it, discarding one is
    forgetting it. The tree knows digests only; keys and values stay with whoever reads and writes them.
    """

    top: Subtree
    root: Hash

    @property
    def count(self) -> int:
        """Keys in this version."""
        return subtree_count(self.top)

    def update(self, writes: Mapping[bytes, bytes | None]) -> "StateTree":
        """STATE-3. The version after these writes (raw key to value, or to `None` to delete), all at once.

        Deleting an absent key changes nothing. The order of `writes` does not matter.
        """
        changes = [
            key_path(key) + leaf_hash(key, value) if value is not None else key_path(key)
            for key, value in writes.items()
        ]
        if not changes:
            return self
        changes.sort()
        return _version(apply(self.top, changes, 0))

    def prove(self, key: bytes) -> StateProof:
        """STATE-5. What shows that `key` holds its value in this version, or that it is absent."""
        path = key_path(key)
        levels, subtree = self.walk(path, DEPTH_MAX)
        assert isinstance(subtree, bytes), "paths of full length end in a page"
        return StateProof(count=self.count, levels=levels, page=subtree)

    def walk(self, path: bytes, depth_max: int) -> tuple[tuple[ProofLevel, ...], Subtree]:
        """The nodes met on the way along `path`, at most `depth_max`, and the subtree found there."""
        levels: list[ProofLevel] = []
        subtree = self.top
        while isinstance(subtree, Node) and len(levels) < depth_max:
            child = nibble(path, len(levels))
            levels.append(ProofLevel.beside(subtree.hashes, child))
            subtree = subtree.children[child]
        return tuple(levels), subtree


def _version(top: Subtree) -> StateTree:
    return StateTree(top, fold_root(subtree_count(top), subtree_hash(top)))


def build_tree(pairs: Iterable[tuple[bytes, bytes]]) -> StateTree:
    """STATE-3. The version that holds these raw keys and values, each key once, in any order."""
    return _version(build(sorted(key_path(key) + leaf_hash(key, value) for key, value in pairs), 0))


EMPTY_TREE: Final = StateTree(EMPTY_PAGE, fold_root(0, EMPTY_HASH))
"""The state before genesis: no key."""
