"""Pages and nodes of the state tree: how they are hashed, built, changed and merged. Values, never changed in place.

A *subtree* is a page (one bytes object: sorted entries of 64 bytes) or a `Node` with sixteen subtrees. Which of the two
is decided by the number of its entries alone (STATE-3): equal contents have equal subtrees, whatever happened before.
"""

from bisect import bisect_left
from collections.abc import Sequence
from hashlib import sha256
from typing import Final, TypeAlias

import msgspec

from metanode.primitives.digest import Tag

HASH_BYTES: Final = 32
"""A path, a leaf hash and a subtree hash are SHA-256 digests."""
ENTRY_BYTES: Final = 64
"""One entry of a page: path, then leaf hash."""
PAGE_ENTRIES_MAX: Final = 32
"""Entries of a page: 2 KiB cost less to hash than four node hashes; more would make proofs long."""
FANOUT: Final = 16
"""Children of a node: one nibble of the path."""
DEPTH_MAX: Final = 64
"""Nibbles of a path; no tree can be deeper."""
KEY_BYTES_MAX: Final = 255
"""Bytes of a raw key: keys are module prefixes, addresses and symbols, all short."""

COUNT_MAX: Final = (1 << 63) - 1
"""Keys of a state: what the eight bytes of the root can count, within a signed integer for every language."""

EMPTY_PAGE: Final = b""
EMPTY_HASH: Final = bytes(HASH_BYTES)
"""The hash of a subtree without entries: no preimage is known, so it cannot stand for a page or node."""

_KEY: Final = Tag.STATE_KEY.value
_LEAF: Final = Tag.STATE_LEAF.value
_PAGE: Final = Tag.STATE_PAGE.value
_NODE: Final = Tag.STATE_NODE.value
_PAGE_BYTES_MAX: Final = PAGE_ENTRIES_MAX * ENTRY_BYTES


class Node(msgspec.Struct, frozen=True, gc=False):
    """A subtree of more than `PAGE_ENTRIES_MAX` entries.

    `count` entries below it; `hashes` 16 x 32 bytes, `EMPTY_HASH` for nothing; `children` the sixteen subtrees.
    """

    count: int
    hashes: bytes
    children: tuple["bytes | Node", ...]


Subtree: TypeAlias = bytes | Node


def key_path(key: bytes) -> bytes:
    """STATE-1. Where a raw key lives: its tagged digest, so that nobody chooses neighbours cheaply."""
    return sha256(_KEY + key).digest()


def leaf_hash(key: bytes, value: bytes) -> bytes:
    """STATE-1. What a key holds: tagged digest over the key's length (2), the key and the value."""
    assert len(key) <= KEY_BYTES_MAX, "no module writes such a key, and a stranger's is refused before"
    return sha256(_LEAF + len(key).to_bytes(2, "big") + key + value).digest()


def subtree_hash(subtree: Subtree) -> bytes:
    """STATE-2. Tagged digest of a page's bytes or of a node's sixteen hashes; `EMPTY_HASH` for nothing."""
    if isinstance(subtree, Node):
        return sha256(_NODE + subtree.hashes).digest()
    return sha256(_PAGE + subtree).digest() if subtree else EMPTY_HASH


def node_hash(hashes: bytes) -> bytes:
    """STATE-2. The digest of a node, from its sixteen child hashes (512 bytes)."""
    return sha256(_NODE + hashes).digest()


def subtree_count(subtree: Subtree) -> int:
    """Entries in a subtree."""
    return subtree.count if isinstance(subtree, Node) else len(subtree) // ENTRY_BYTES


def nibble(path: bytes, depth: int) -> int:
    """The child of a node at `depth` under which `path` lies, 0 to 15."""
    byte = path[depth >> 1]
    return byte & 15 if depth & 1 else byte >> 4


def page_entries(page: bytes) -> list[bytes]:
    """The entries of a page, 64 bytes each."""
    return [page[start : start + ENTRY_BYTES] for start in range(0, len(page), ENTRY_BYTES)]


def find_entry(page: bytes, path: bytes) -> int:
    """Offset of the entry of `path` in a page, or -1."""
    offset = page.find(path)
    while offset & 63 and offset >= 0:  # the same bytes inside a leaf hash or across entries
        offset = page.find(path, offset + 1)
    return offset


def build(entries: Sequence[bytes], depth: int) -> Subtree:
    """STATE-3. The one subtree at `depth` of these entries: sorted, of distinct paths that agree up to `depth`."""
    if len(entries) <= PAGE_ENTRIES_MAX:
        return b"".join(entries)
    buckets: list[list[bytes]] = [[] for _ in range(FANOUT)]
    at = depth >> 1
    if depth & 1:
        for entry in entries:
            buckets[entry[at] & 15].append(entry)
    else:
        for entry in entries:
            buckets[entry[at] >> 4].append(entry)
    children = tuple([build(bucket, depth + 1) if bucket else EMPTY_PAGE for bucket in buckets])
    return Node(len(entries), b"".join(map(subtree_hash, children)), children)


def apply(subtree: Subtree, changes: Sequence[bytes], depth: int) -> Subtree:
    """STATE-3. The subtree after sorted changes: 64 bytes put an entry, 32 bytes (a path alone) delete one.

    The argument is left as it was; everything not on the way to a change is shared with it.
    """
    if isinstance(subtree, Node):
        return _apply_to_node(subtree, changes, depth)
    if len(changes) == 1:
        page = _apply_one(subtree, changes[0])
        return page if len(page) <= _PAGE_BYTES_MAX else build(page_entries(page), depth)
    return build(_merged(subtree, changes), depth)


def _apply_to_node(node: Node, changes: Sequence[bytes], depth: int) -> Subtree:
    """One pass over the changes in runs of equal nibble; collapses to a page when few enough entries are left."""
    children = list(node.children)
    hashes = bytearray(node.hashes)
    count = node.count
    at = depth >> 1
    low = depth & 1
    start = 0
    end = len(changes)
    while start < end:
        byte = changes[start][at]
        child = byte & 15 if low else byte >> 4
        stop = start + 1
        while stop < end:
            byte = changes[stop][at]
            if (byte & 15 if low else byte >> 4) != child:
                break
            stop += 1
        before = children[child]
        after = apply(before, changes[start:stop], depth + 1)
        children[child] = after
        count += subtree_count(after) - subtree_count(before)
        hashes[child << 5 : (child << 5) + 32] = subtree_hash(after)
        start = stop
    if count <= PAGE_ENTRIES_MAX:
        return b"".join(pages_of(children))
    return Node(count, bytes(hashes), tuple(children))


def _apply_one(page: bytes, change: bytes) -> bytes:
    """A page after one change; may be one entry too long."""
    offset = find_entry(page, change[:32])
    if offset >= 0:
        kept = change if len(change) == ENTRY_BYTES else b""
        return page[:offset] + kept + page[offset + ENTRY_BYTES :]
    if len(change) != ENTRY_BYTES:
        return page
    offset = bisect_left(page_entries(page), change) << 6
    return page[:offset] + change + page[offset:]


def _merged(page: bytes, changes: Sequence[bytes]) -> list[bytes]:
    """The sorted entries of a page after several changes."""
    entries = {entry[:32]: entry for entry in page_entries(page)}
    for change in changes:
        if len(change) == ENTRY_BYTES:
            entries[change[:32]] = change
        else:
            entries.pop(change, None)
    return sorted(entries.values())


def pages_of(subtrees: Sequence[Subtree]) -> list[bytes]:
    """All pages under these subtrees, in order of their paths."""
    pages: list[bytes] = []
    for subtree in subtrees:
        if isinstance(subtree, Node):
            pages.extend(pages_of(subtree.children))
        elif subtree:
            pages.append(subtree)
    return pages
