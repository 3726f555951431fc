"""Proofs that a key holds a value, or nothing, under a state root: bytes in, yes or no out."""

from typing import Annotated, Final

import msgspec

from metanode.ledger.state.nodes import (
    COUNT_MAX,
    DEPTH_MAX,
    EMPTY_HASH,
    ENTRY_BYTES,
    FANOUT,
    HASH_BYTES,
    KEY_BYTES_MAX,
    PAGE_ENTRIES_MAX,
    find_entry,
    key_path,
    leaf_hash,
    nibble,
    node_hash,
    subtree_hash,
)
from metanode.primitives.codec import Decoder, Wire
from metanode.primitives.digest import Tag, digest
from metanode.primitives.names import Hash

STATE_PROOF_BYTES_MAX: Final = 40_960
"""64 levels of 15 siblings and a full page are 33,200 bytes; ordinary proofs are about 3,000."""


class ProofLevel(Wire):
    """The siblings at one node, root first. Absent ones are left out.

    `bitmap` has bit i set when child i exists and is not the one on the path; `siblings` are their hashes in order.
    """

    bitmap: Annotated[int, msgspec.Meta(ge=0, lt=1 << FANOUT)]
    siblings: Annotated[bytes, msgspec.Meta(max_length=(FANOUT - 1) * HASH_BYTES)]

    @classmethod
    def beside(cls, hashes: bytes, child: int) -> "ProofLevel":
        """The level of a node with these sixteen hashes, seen by its child number `child`."""
        bitmap = 0
        siblings = []
        for index in range(FANOUT):
            sibling = hashes[index * HASH_BYTES : (index + 1) * HASH_BYTES]
            if index != child and sibling != EMPTY_HASH:
                bitmap |= 1 << index
                siblings.append(sibling)
        return cls(bitmap=bitmap, siblings=b"".join(siblings))


class StateProof(Wire):
    """STATE-5. A key's page and everything beside the way to it.

    `count` keys in the state; `levels` root first; `page` the page the path ends in, empty when there is none.
    """

    count: Annotated[int, msgspec.Meta(ge=0, le=COUNT_MAX)]
    levels: Annotated[tuple[ProofLevel, ...], msgspec.Meta(max_length=DEPTH_MAX)]
    page: Annotated[bytes, msgspec.Meta(max_length=PAGE_ENTRIES_MAX * ENTRY_BYTES)]


STATE_PROOF_DECODER: Final = Decoder[StateProof](StateProof, STATE_PROOF_BYTES_MAX)
"""Canonical bytes to `StateProof`, or `Rejected` with a `CodecRefusal`."""


def fold_root(count: int, top_hash: bytes) -> Hash:
    """STATE-2. The state root: tagged digest over the number of keys (8) and the hash of the top."""
    return digest(Tag.STATE_ROOT, count.to_bytes(8, "big"), top_hash)


def fold_levels(levels: tuple[ProofLevel, ...], path: bytes, below: bytes) -> bytes | None:
    """STATE-5. The hash of the top, from the hash `below` the last level; `None` when a level is malformed."""
    for depth in range(len(levels) - 1, -1, -1):
        level = levels[depth]
        own = nibble(path, depth)
        if level.bitmap >> own & 1 or len(level.siblings) != level.bitmap.bit_count() * HASH_BYTES:
            return None
        siblings = [level.siblings[at : at + HASH_BYTES] for at in range(0, len(level.siblings), HASH_BYTES)]
        if EMPTY_HASH in siblings:
            return None  # what is absent is left out: one proof, one sequence of bytes
        following = iter(siblings)
        hashes = [next(following) if level.bitmap >> child & 1 else EMPTY_HASH for child in range(FANOUT)]
        hashes[own] = below
        below = node_hash(b"".join(hashes))
    return below


def verify_state_proof(root: Hash, key: bytes, value: bytes | None, proof: StateProof) -> bool:
    """STATE-5. Whether `key` holds `value` (`None`: is absent) in the state with this root. Needs nothing else."""
    if len(proof.page) % ENTRY_BYTES or len(key) > KEY_BYTES_MAX:
        return False
    path = key_path(key)
    top = fold_levels(proof.levels, path, subtree_hash(proof.page))
    if top is None or fold_root(proof.count, top) != root:
        return False
    offset = find_entry(proof.page, path)
    if value is None:
        return offset < 0
    return offset >= 0 and proof.page[offset + HASH_BYTES : offset + ENTRY_BYTES] == leaf_hash(key, value)
