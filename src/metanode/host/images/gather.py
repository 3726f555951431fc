"""All parts of an image into the store, from wherever they come; each compared with what names it."""

from dataclasses import dataclass
from typing import Protocol

from metanode.docklock.images.configs import CONFIG_BYTES_MAX, ImageConfig, check_layers, decode_config
from metanode.docklock.images.manifests import (
    DOCUMENT_BYTES_MAX,
    INDEX_DEPTH_MAX,
    INDEXES,
    Descriptor,
    Manifest,
    Platform,
    check_runnable,
    decode_index,
    decode_manifest,
)
from metanode.docklock.images.platforms import choose, runs_on
from metanode.docklock.images.refusals import ImageRefusal
from metanode.host.blobs import BlobStore
from metanode.host.leases import Lease
from metanode.primitives.refusal import Rejected


class Origin(Protocol):
    """Where parts of an image come from: an archive, a folder, a registry."""

    def fetch(self, part: Descriptor, lease: Lease) -> None:
        """Put content into the store, where it can: of this digest and of no more than this size."""
        ...


class Nowhere:
    """What is not in the store comes from nowhere."""

    def fetch(self, part: Descriptor, lease: Lease) -> None:
        """Nothing comes."""


@dataclass(frozen=True, slots=True)
class Gathered:
    """An image of which everything is in the store. `top`: what its names stand for, an index or the manifest."""

    top: Descriptor
    manifest_at: Descriptor
    manifest: Manifest
    config: ImageConfig
    documents: tuple[Descriptor, ...]

    @property
    def parts(self) -> tuple[Descriptor, ...]:
        """Everything that belongs to it: indexes on the way, the manifest, the configuration, the layers."""
        return (*self.documents, self.manifest.config, *self.manifest.layers)

    @property
    def size(self) -> int:
        """Bytes of all parts, as stored; a layer that is there twice counts once."""
        return sum({part.digest: part.size for part in self.parts}.values())


def gather(store: BlobStore, origin: Origin, top: Descriptor, machine: Platform, lease: Lease) -> Gathered:
    """IMG-5, IMG-16. The image for this machine that `top` names, whole, and held by the lease."""
    documents = [top]
    for _ in range(INDEX_DEPTH_MAX + 1):
        at = documents[-1]
        data = _document(store, origin, at, lease, DOCUMENT_BYTES_MAX)
        if at.media_type not in INDEXES:
            break
        documents.append(choose(decode_index(data, at.media_type), machine))
    else:
        detail = f"{top.digest}: indexes within indexes, at most {INDEX_DEPTH_MAX} of them"
        raise Rejected(ImageRefusal.INDEX_TOO_DEEP, detail)
    manifest = decode_manifest(data, at.media_type)
    check_runnable(manifest)
    config = decode_config(_document(store, origin, manifest.config, lease, CONFIG_BYTES_MAX))
    check_layers(manifest, config)
    if not runs_on(config.platform, machine):
        raise Rejected(ImageRefusal.NO_PLATFORM, f"needed {machine}, {at.digest} is of {config.platform}")
    for layer in manifest.layers:
        _present(store, origin, layer, lease)
    return Gathered(top, at, manifest, config, tuple(documents))


def _document(store: BlobStore, origin: Origin, part: Descriptor, lease: Lease, bytes_max: int) -> bytes:
    if part.size > bytes_max:
        raise Rejected(ImageRefusal.TOO_LARGE, f"{part.digest} has {part.size} bytes, at most {bytes_max}")
    _present(store, origin, part, lease)
    return store.read(part.digest, bytes_max)


def _present(store: BlobStore, origin: Origin, part: Descriptor, lease: Lease) -> None:
    lease.hold(str(part.digest))
    if not store.has(part.digest):
        origin.fetch(part, lease)
    if not store.has(part.digest):
        raise Rejected(ImageRefusal.MISSING_BLOB, f"{part.digest} ({part.media_type}, {part.size} bytes) is not there")
    if (size := store.size(part.digest)) != part.size:
        raise Rejected(ImageRefusal.WRONG_SIZE, f"{part.digest} has {size} bytes, {part.size} were said")
