"""Handing the state over in pieces, each of which proves itself against the state root (STATE-6).

A piece is everything below a prefix of nibbles. Whoever receives one checks it alone, before the others have come.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated, Final

import msgspec

from metanode.ledger.state.nodes import (
    COUNT_MAX,
    DEPTH_MAX,
    ENTRY_BYTES,
    FANOUT,
    KEY_BYTES_MAX,
    PAGE_ENTRIES_MAX,
    Node,
    Subtree,
    build,
    key_path,
    leaf_hash,
    page_entries,
    subtree_count,
    subtree_hash,
)
from metanode.ledger.state.proof import STATE_PROOF_BYTES_MAX, ProofLevel, fold_levels, fold_root
from metanode.ledger.state.tree import StateTree
from metanode.primitives.codec import Decoder, Wire
from metanode.primitives.names import Hash


class SubtreeProof(Wire):
    """STATE-6. What ties a piece to the root: the levels above its prefix.

    Where the tree ends above the prefix, `page` is the page it ends in (the piece is the part of it under the prefix).
    """

    count: Annotated[int, msgspec.Meta(ge=0, le=COUNT_MAX)]
    levels: Annotated[tuple[ProofLevel, ...], msgspec.Meta(max_length=DEPTH_MAX)]
    page: Annotated[bytes, msgspec.Meta(max_length=PAGE_ENTRIES_MAX * ENTRY_BYTES)]


SUBTREE_PROOF_DECODER: Final = Decoder[SubtreeProof](SubtreeProof, STATE_PROOF_BYTES_MAX)
"""Canonical bytes to `SubtreeProof`, or `Rejected` with a `CodecRefusal`."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A prefix (one byte a nibble, each below 16) and how many entries lie under it."""

    prefix: bytes
    count: int


def subtrees(tree: StateTree, entries_max: int) -> list[Piece]:
    """STATE-6. Prefixes that cover all paths once, each with at most `entries_max` entries where it can be split.

    A page is never split, and prefixes without entries are listed too: nothing may be left out unseen.
    """
    found: list[Piece] = []
    _collect(tree.top, b"", max(entries_max, PAGE_ENTRIES_MAX), found)
    return found


def _collect(subtree: Subtree, prefix: bytes, entries_max: int, found: list[Piece]) -> None:
    if isinstance(subtree, Node) and subtree.count > entries_max:
        for child, below in enumerate(subtree.children):
            _collect(below, prefix + bytes([child]), entries_max, found)
    else:
        found.append(Piece(prefix, subtree_count(subtree)))


class PieceSorter:
    """STATE-6. All pairs of a state by the prefix of `subtrees` they lie under, in the order they came; some at a time,
    for a large state takes seconds."""

    def __init__(self, tree: StateTree, entries_max: int) -> None:
        self.pieces: Final[dict[bytes, list[tuple[bytes, bytes]]]] = {
            piece.prefix: [] for piece in subtrees(tree, entries_max)
        }
        self._by_hex: Final = {_hex_of(prefix): found for prefix, found in self.pieces.items()}
        self._lengths: Final = sorted({len(prefix) for prefix in self.pieces})

    def sort(self, pairs: Iterable[tuple[bytes, bytes]]) -> None:
        """Put these with the others of their piece."""
        by_hex, lengths = self._by_hex, self._lengths
        for pair in pairs:
            digits = key_path(pair[0]).hex()
            for length in lengths:
                found = by_hex.get(digits[:length])
                if found is not None:
                    found.append(pair)
                    break


def subtree_proof(tree: StateTree, prefix: bytes) -> SubtreeProof:
    """STATE-6. What proves the piece under `prefix`, which may be any prefix of at most 64 nibbles."""
    levels, subtree = tree.walk(_path_of(prefix), len(prefix))
    page = subtree if isinstance(subtree, bytes) and len(levels) < len(prefix) else b""
    return SubtreeProof(count=tree.count, levels=levels, page=page)


def verify_subtree(root: Hash, prefix: bytes, pairs: Sequence[tuple[bytes, bytes]], proof: SubtreeProof) -> bool:
    """STATE-6. Whether `pairs` (raw key, value) are exactly what lies under `prefix` in the state with this root."""
    if not prefix_is_valid(prefix) or len(proof.levels) > len(prefix) or len(proof.page) % ENTRY_BYTES:
        return False
    if any(len(key) > KEY_BYTES_MAX for key, _ in pairs):
        return False
    entries = sorted(key_path(key) + leaf_hash(key, value) for key, value in pairs)
    if not all(_under(entry, prefix) for entry in entries):
        return False
    if any(one[:32] == other[:32] for one, other in pairwise(entries)):
        return False
    if len(proof.levels) == len(prefix):
        if proof.page:
            return False
        below = subtree_hash(build(entries, len(prefix)))
    else:
        if entries != [entry for entry in page_entries(proof.page) if _under(entry, prefix)]:
            return False
        below = subtree_hash(proof.page)
    top = fold_levels(proof.levels, _path_of(prefix), below)
    return top is not None and fold_root(proof.count, top) == root


def prefix_is_valid(prefix: bytes) -> bool:
    """Whether these are at most 64 nibbles, one a byte."""
    return len(prefix) <= DEPTH_MAX and all(nibble < FANOUT for nibble in prefix)


def covers_all(prefixes: Iterable[bytes]) -> bool:
    """STATE-6. Whether prefixes cover every path exactly once, so that the verified pieces are the whole state."""
    due = b""  # the smallest prefix whose paths are not covered yet
    done = False
    for prefix in sorted(prefixes):
        if done or not prefix_is_valid(prefix) or not prefix.startswith(due) or any(prefix[len(due) :]):
            return False
        due = prefix.rstrip(bytes([FANOUT - 1]))
        done = not due
        due = due[:-1] + bytes([due[-1] + 1]) if due else b""
    return done


def _under(path: bytes, prefix: bytes) -> bool:
    hexadecimal = path[: (len(prefix) + 1) // 2].hex()
    return hexadecimal.startswith(_hex_of(prefix))


def _hex_of(prefix: bytes) -> str:
    return "".join([f"{nibble:x}" for nibble in prefix])


def _path_of(prefix: bytes) -> bytes:
    return bytes.fromhex(_hex_of(prefix).ljust(DEPTH_MAX, "0"))
