"""Which images a node has, and what they are called: one small file, written anew as a whole."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Final

import msgspec

from metanode.docklock.images.digests import Digest, parse_digest
from metanode.docklock.images.manifests import INDEX_DEPTH_MAX, LAYERS_MAX, Descriptor, Platform
from metanode.docklock.images.references import parse_reference
from metanode.docklock.images.refusals import ImageRefusal
from metanode.host.disk import Disk, read_file, write_durably
from metanode.host.fault import Fault, FaultReason
from metanode.primitives.refusal import Rejected

IMAGES_MAX: Final = 4096
"""Most images of a node."""
NAMES_MAX: Final = 64
"""Most names of an image."""
PARTS_MAX: Final = LAYERS_MAX + INDEX_DEPTH_MAX + 2
"""Most parts of an image: its layers, its configuration, its manifest, the indexes above it."""
_BYTES_MAX: Final = 64 << 20

_Text = Annotated[str, msgspec.Meta(max_length=512)]
_Size = Annotated[int, msgspec.Meta(ge=0)]


@dataclass(frozen=True, slots=True)
class Image:
    """IMG-16. An image that is here. `top`: what its names stand for, an index or the manifest; its digest is the
    image's. `manifest`: the digest of the manifest for this machine. `size`: bytes of all its parts as stored.
    `chain`: what its layers unpack to. `parts`: all content that is its own, documents, configuration and layers.
    """

    top: Descriptor
    manifest: Digest
    platform: Platform
    names: tuple[str, ...]
    size: int
    chain: Digest
    parts: tuple[Digest, ...]

    @property
    def digest(self) -> Digest:
        """The digest by which the image is referred to and signed."""
        return self.top.digest


class _Row(msgspec.Struct, frozen=True):
    digest: _Text
    media_type: _Text
    bytes: _Size
    manifest: _Text
    platform: tuple[_Text, _Text, _Text]
    names: Annotated[tuple[_Text, ...], msgspec.Meta(max_length=NAMES_MAX)]
    size: _Size
    chain: _Text
    parts: Annotated[tuple[_Text, ...], msgspec.Meta(max_length=PARTS_MAX)]


class _File(msgspec.Struct, frozen=True):
    version: int
    images: Annotated[tuple[_Row, ...], msgspec.Meta(max_length=IMAGES_MAX)]


def decode_catalogue(data: bytes, path: Path) -> tuple[Image, ...]:
    """The images of the file. Raises `Fault` where it is damaged: to go on would take away what it names."""
    try:
        found = msgspec.json.decode(data, type=_File)
        return tuple(_image(row) for row in found.images)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, Rejected) as error:
        fix = f"rm {path}; then import or pull the images again"
        raise Fault(FaultReason.BLOB_DAMAGED, f"{path}: {error}", fix) from None


class Catalogue:
    """IMG-16. The file `images.json`. Whoever changes it does so `alone` (see `Leases`)."""

    def __init__(self, folder: Path, disk: Disk) -> None:
        self._path = folder / "images.json"
        self._disk = disk

    def read(self) -> tuple[Image, ...]:
        """Every image, by digest. Raises `Fault`."""
        if not self._path.exists():
            return ()
        return decode_catalogue(read_file(self._path, _BYTES_MAX), self._path)

    def add(self, image: Image) -> Image:
        """Add an image, or more names to it. A name that another image had is this one's from now on, in one write."""
        names = {parse_reference(name).alias for name in image.names}
        others = []
        for one in self.read():
            if one.digest == image.digest:
                names |= set(one.names)
            else:
                others.append(replace(one, names=tuple(name for name in one.names if name not in names)))
        if len(names) > NAMES_MAX or len(others) >= IMAGES_MAX:
            detail = f"{len(others) + 1} images, at most {IMAGES_MAX}; {len(names)} names of one, at most {NAMES_MAX}"
            raise Rejected(ImageRefusal.CATALOGUE_FULL, detail)
        added = replace(image, names=tuple(sorted(names)))
        self._write((*others, added))
        return added

    def remove(self, digest: Digest) -> None:
        """Forget an image; its content goes with the next collection."""
        self._write(tuple(one for one in self.read() if one.digest != digest))

    def unname(self, name: str) -> None:
        """Take a name away; the image stays under its digest."""
        self._write(tuple(replace(one, names=tuple(n for n in one.names if n != name)) for one in self.read()))

    def _write(self, images: tuple[Image, ...]) -> None:
        rows = tuple(_row(one) for one in sorted(images, key=lambda one: one.digest))
        write_durably(self._disk, self._path, msgspec.json.encode(_File(1, rows)))


def _row(image: Image) -> _Row:
    platform = (image.platform.os, image.platform.architecture, image.platform.variant)
    return _Row(
        str(image.top.digest), image.top.media_type, image.top.size, str(image.manifest), platform, image.names,
        image.size, str(image.chain), tuple(str(part) for part in image.parts),
    )  # fmt: skip


def _image(row: _Row) -> Image:
    top = Descriptor(row.media_type, parse_digest(row.digest), row.bytes)
    parts = tuple(parse_digest(part) for part in row.parts)
    return Image(
        top, parse_digest(row.manifest), Platform(*row.platform), row.names, row.size, parse_digest(row.chain), parts
    )
