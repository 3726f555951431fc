"""An image out of the store as one tar, which other tools read: an OCI layout, and what `docker load` wants."""

from hashlib import sha256
from typing import BinaryIO, Final

from metanode.docklock.images.manifests import (
    CONTAINERD_NAME,
    LAYOUT,
    REF_NAME,
    Descriptor,
    SavedImage,
    encode_index,
    encode_saved,
)
from metanode.docklock.images.references import parse_reference
from metanode.docklock.images.tar import BLOCK_BYTES, file_header
from metanode.host.fault import disk_fault
from metanode.host.images.gather import Gathered
from metanode.host.images.store import ImageStore
from metanode.host.images.streams import FilePieces, HashedPieces

_END: Final = bytes(2 * BLOCK_BYTES)


def export_archive(images: ImageStore, text: str, out: BinaryIO) -> int:
    """IMG-14. Write an image as a tar; how many bytes. Equal images make equal tars. Of an image of many platforms it
    has the part for this machine, and the index that names the others.
    """
    image = images.find(text)
    with images.blobs.leases.lease() as lease:
        gathered = images.gathered(image, lease)
        writer = _Writer(out)
        writer.document("oci-layout", LAYOUT)
        writer.document("index.json", encode_index(tuple(_tops(gathered.top, image.names))))
        writer.document("manifest.json", encode_saved((_saved(gathered, image.names),)))
        for part in sorted({part.digest: part for part in gathered.parts}.values(), key=lambda part: part.digest):
            with images.blobs.open(part.digest) as file:
                hashed = HashedPieces(FilePieces(file))
                writer.file(f"blobs/sha256/{part.digest.hex}", part.size, hashed)
                if hashed.digest() != part.digest:
                    images.blobs.check(part.digest)
        writer.write(_END)
        return writer.size


def export_layers(images: ImageStore, text: str, out: BinaryIO, name: str, config: bytes) -> int:
    """IMG-14. The layers of an image under a name and a configuration of the caller's, as `docker load` takes them: for
    an engine that is told all else with each container. How many bytes."""
    with images.blobs.leases.lease() as lease:
        layers = images.gathered(images.find(text), lease).manifest.layers
        described = f"{sha256(config).hexdigest()}.json"
        saved = SavedImage(described, tuple(f"blobs/sha256/{layer.digest.hex}" for layer in layers), (name,))
        writer = _Writer(out)
        writer.document("manifest.json", encode_saved((saved,)))
        writer.document(described, config)
        for layer in sorted({layer.digest: layer for layer in layers}.values(), key=lambda layer: layer.digest):
            with images.blobs.open(layer.digest) as file:
                hashed = HashedPieces(FilePieces(file))
                writer.file(f"blobs/sha256/{layer.digest.hex}", layer.size, hashed)
                if hashed.digest() != layer.digest:
                    images.blobs.check(layer.digest)
        writer.write(_END)
        return writer.size


def _tops(top: Descriptor, names: tuple[str, ...]) -> list[Descriptor]:
    """One line of the index a name, or one without any."""
    plain = Descriptor(top.media_type, top.digest, top.size)
    named = [
        Descriptor(
            top.media_type,
            top.digest,
            top.size,
            ((CONTAINERD_NAME, name), (REF_NAME, parse_reference(name).tag)),
        )
        for name in names
    ]
    return named or [plain]


def _saved(gathered: Gathered, names: tuple[str, ...]) -> SavedImage:
    manifest = gathered.manifest
    layers = tuple(f"blobs/sha256/{layer.digest.hex}" for layer in manifest.layers)
    return SavedImage(f"blobs/sha256/{manifest.config.digest.hex}", layers, names)


class _Writer:
    """A tar being written, front to back."""

    def __init__(self, out: BinaryIO) -> None:
        self._out = out
        self.size = 0

    def document(self, name: str, data: bytes) -> None:
        """A small file."""
        self.write(file_header(name.encode(), len(data)) + data + bytes(-len(data) % BLOCK_BYTES))

    def file(self, name: str, size: int, source: HashedPieces) -> None:
        """A file of this size."""
        self.write(file_header(name.encode(), size))
        while piece := source.piece():
            self.write(piece)
        self.write(bytes(-size % BLOCK_BYTES))

    def write(self, data: bytes) -> None:
        """Bytes as they are. Raises `Fault`."""
        try:
            self._out.write(data)
        except OSError as error:
            raise disk_fault(error, "writing an archive") from error
        self.size += len(data)
