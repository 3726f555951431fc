"""Layers into a folder: every byte compared with the digest that the configuration names."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from metanode.docklock.images.bounds import Budget, Limits
from metanode.docklock.images.digests import Digest
from metanode.docklock.images.manifests import GZIP_LAYERS, Descriptor
from metanode.docklock.images.plan import Plan
from metanode.docklock.images.refusals import ImageRefusal
from metanode.host.blobs import BlobStore
from metanode.host.images.archive import entries
from metanode.host.images.streams import FilePieces, GunzipPieces, HashedPieces, Pieces, Reader, unpacked
from metanode.host.images.tree import Owners, Tree
from metanode.primitives.refusal import Rejected

LIMITS: Final = Limits()


@dataclass(frozen=True, slots=True)
class Unpacked:
    """What an image came to: entries read, bytes of content, and what was left out, by kind."""

    entries: int
    bytes: int
    left_out: tuple[tuple[str, int], ...]


def unpack(
    store: BlobStore,
    layers: Sequence[tuple[Descriptor, Digest]],
    root: int,
    owners: Owners,
    limits: Limits = LIMITS,
) -> Unpacked:
    """IMG-8, IMG-9, IMG-11. Unpack layers, lowest first, each with its digest when unpacked, into the open and empty
    folder `root`. Refused: whatever is unsafe, too much, or other bytes; then the folder is worth nothing.
    """
    budget = Budget(limits)
    plan = Plan(budget)
    tree = Tree(root, owners)
    try:
        for number, (layer, diff_id) in enumerate(layers):
            tree.begin_layer()
            try:
                _unpack_layer(store, layer, diff_id, plan, tree)
            except Rejected as rejected:
                raise Rejected(rejected.reason, f"layer {number} ({layer.digest}): {rejected.detail}") from rejected
        tree.finish()
    finally:
        tree.close()
    left_out = tuple(sorted((what.value, count) for what, count in plan.left_out.items()))
    return Unpacked(budget.entries, budget.unpacked_bytes, left_out)


def diff_id_of(store: BlobStore, digest: Digest) -> tuple[Digest, bool]:
    """IMG-9. What a stored layer unpacks to, and whether it is gzip."""
    with store.open(digest) as file:
        source = unpacked(FilePieces(file))
        hashed = HashedPieces(source)
        while hashed.piece():
            pass
        return hashed.digest(), isinstance(source, GunzipPieces)


def _unpack_layer(store: BlobStore, layer: Descriptor, diff_id: Digest, plan: Plan, tree: Tree) -> None:
    with store.open(layer.digest) as file:
        hashed = HashedPieces(_source(layer, FilePieces(file)))
        for entry, content in entries(Reader(hashed)):
            tree.apply(plan.step(entry), content)
        while hashed.piece():
            pass
    if hashed.digest() != diff_id:
        store.check(layer.digest)  # is it the disk that lies, or the image?
        detail = f"unpacks to {hashed.digest()}, its configuration says {diff_id}"
        raise Rejected(ImageRefusal.WRONG_DIFF_ID, detail)


def _source(layer: Descriptor, file: Pieces) -> Pieces:
    """The layer's tar; a layer that is not compressed as its media type says is refused, for others would refuse it."""
    source = unpacked(file)
    if isinstance(source, GunzipPieces) is not (layer.media_type in GZIP_LAYERS):
        raise Rejected(ImageRefusal.COMPRESSION, f"called {layer.media_type}, but it is not packed so")
    return source
