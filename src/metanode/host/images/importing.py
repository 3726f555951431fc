"""Images out of archives: OCI layouts (a folder, or a tar of one) and what `docker save` writes, old and new."""

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from metanode.docklock.images.configs import CONFIG_BYTES_MAX, check_layers, decode_config
from metanode.docklock.images.digests import Digest
from metanode.docklock.images.manifests import (
    BLOB_BYTES_MAX,
    CONTAINERD_NAME,
    DOCUMENT_BYTES_MAX,
    OCI_CONFIG,
    OCI_INDEX,
    OCI_LAYER,
    OCI_LAYER_GZIP,
    OCI_MANIFEST,
    REF_NAME,
    Descriptor,
    Manifest,
    SavedImage,
    decode_index,
    decode_layout,
    decode_saved,
    encode_manifest,
)
from metanode.docklock.images.paths import entry_path
from metanode.docklock.images.platforms import runs_on
from metanode.docklock.images.references import parse_reference
from metanode.docklock.images.refusals import ImageRefusal
from metanode.docklock.images.tar import Kind
from metanode.host.blobs import BlobRefusal, BlobStore, Stored
from metanode.host.fault import disk_fault
from metanode.host.images.archive import entries
from metanode.host.images.catalogue import Image
from metanode.host.images.gather import Nowhere, Origin
from metanode.host.images.store import ImageStore
from metanode.host.images.streams import FilePieces, Pieces, Reader, unpacked
from metanode.host.images.unpack import diff_id_of
from metanode.host.leases import Lease
from metanode.primitives.refusal import Rejected

MEMBERS_MAX: Final = 8192
"""Most files of an archive: a blob each, some images of many layers."""
_LINKS_MAX: Final = 8
"""Most links from one member to the next: `docker save` makes one."""
_INDEX: Final = "index.json"
_LAYOUT: Final = "oci-layout"
_SAVED: Final = "manifest.json"
_BLOB: Final = re.compile(r"blobs/sha256/([0-9a-f]{64})")
_OLD_CONFIG: Final = re.compile(r"([0-9a-f]{64})\.json")


@dataclass(frozen=True, slots=True)
class _Members:
    """What an archive holds: each file's content, which is in the store already, and links between them."""

    store: BlobStore
    files: Mapping[str, Stored]
    links: Mapping[str, str]

    def find(self, path: str) -> Stored:
        for _ in range(_LINKS_MAX):
            if path in self.files:
                return self.files[path]
            if path not in self.links:
                break
            path = self.links[path]
        raise Rejected(ImageRefusal.MISSING_BLOB, f"the archive names {path[:200]!r}, which it does not hold")

    def read(self, path: str) -> bytes:
        return self.store.read(self.find(path).digest, DOCUMENT_BYTES_MAX)


def import_archive(images: ImageStore, file: BinaryIO) -> tuple[Image, ...]:
    """IMG-12, IMG-13. Every image for this machine in a tar, read once from its beginning to its end; the tar may be
    gzip. What of it belongs to no image goes with the next collection.
    """
    with images.blobs.leases.lease() as lease:
        members = _read_members(images.blobs, file, lease)
        known = {*members.files, *members.links}
        if _INDEX in known and _LAYOUT in known:
            decode_layout(members.read(_LAYOUT))
            saved = decode_saved(members.read(_SAVED)) if _SAVED in known else ()
            return _import_index(images, members.read(_INDEX), Nowhere(), _names_by_config(saved), lease)
        if _SAVED in known:
            return tuple(_import_saved(images, members, one, lease) for one in decode_saved(members.read(_SAVED)))
    detail = f"it has neither {_LAYOUT} and {_INDEX} nor {_SAVED}, but {', '.join(sorted(known)[:4]) or 'nothing'}"
    raise Rejected(ImageRefusal.ARCHIVE_UNKNOWN, detail)


def import_layout(images: ImageStore, folder: Path) -> tuple[Image, ...]:
    """IMG-12. Every image for this machine in a folder that is an OCI layout."""
    with _opened_folder(folder) as opened, images.blobs.leases.lease() as lease:
        origin = _Layout(images.blobs, opened)
        decode_layout(origin.read(_LAYOUT))
        return _import_index(images, origin.read(_INDEX), origin, {}, lease)


class _Layout(Origin):
    """A layout that is a folder, open: every name is looked up in it, and no link is followed."""

    def __init__(self, store: BlobStore, folder: int) -> None:
        self._store = store
        self._folder = folder

    def fetch(self, part: Descriptor, lease: Lease) -> None:
        """The blob of this digest, where the layout has it."""
        path = f"blobs/sha256/{part.digest.hex}"
        with self._open(path) as file:
            if file is not None:
                _put_named(self._store, path, FilePieces(file), part.size, part.digest, lease)

    def read(self, path: str) -> bytes:
        """A document of the layout; refused where it is not there."""
        with self._open(path) as file:
            data = file.read(DOCUMENT_BYTES_MAX + 1) if file is not None else None
        if data is None:
            raise Rejected(ImageRefusal.ARCHIVE_UNKNOWN, f"the folder has no {path}, so it is no OCI layout")
        return data

    @contextmanager
    def _open(self, path: str) -> Iterator[BinaryIO | None]:
        *folders, name = path.split("/")
        here = os.dup(self._folder)
        try:
            for one in folders:
                below = os.open(one, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=here)
                os.close(here)
                here = below
            flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
            with open(os.open(name, flags, dir_fd=here), "rb", buffering=0) as file:  # noqa: PTH123 - a descriptor
                yield file
        except FileNotFoundError:
            yield None
        except OSError as error:
            raise disk_fault(error, f"reading {path} of a layout") from error
        finally:
            os.close(here)


def _read_members(store: BlobStore, file: BinaryIO, lease: Lease) -> _Members:
    """Put every file of the archive into the store: what will be needed is known only at the end."""
    files: dict[str, Stored] = {}
    links: dict[str, str] = {}
    for entry, content in entries(Reader(unpacked(FilePieces(file)))):
        path = b"/".join(entry_path(entry.name)).decode("utf-8", "backslashreplace")
        if entry.kind is Kind.FOLDER:
            continue
        if path in files or path in links or len(files) + len(links) >= MEMBERS_MAX:
            detail = f"{path[:200]!r} is there twice, or more than {MEMBERS_MAX} files are"
            raise Rejected(ImageRefusal.ARCHIVE_MEMBER, detail)
        match entry.kind:
            case Kind.FILE:
                blob = _BLOB.fullmatch(path)
                expected = Digest(blob[1]) if blob is not None else None
                files[path] = _put_named(store, path, content, BLOB_BYTES_MAX, expected, lease)
            case Kind.SYMLINK | Kind.HARD_LINK:
                links[path] = _link_target(path, entry.link, is_symbolic=entry.kind is Kind.SYMLINK)
            case _:
                raise Rejected(ImageRefusal.ARCHIVE_MEMBER, f"{path[:200]!r} is a {entry.kind.name.lower()}")
    return _Members(store, files, links)


def _put_named(
    store: BlobStore, path: str, source: Pieces, size_max: int, expected: Digest | None, lease: Lease
) -> Stored:
    """Store content, and name the file where it is refused."""
    try:
        return store.put(iter(source.piece, b""), size_max, expected, lease)
    except Rejected as rejected:
        raise Rejected(rejected.reason, f"{path}: {rejected.detail}") from rejected


def _link_target(path: str, link: bytes, *, is_symbolic: bool) -> str:
    """Which member a link means; a symbolic one from where it stands. One that leads outside means none."""
    parts = path.split("/")[:-1] if is_symbolic else []
    for part in link.decode("utf-8", "backslashreplace").split("/"):
        if part == ".." and parts:
            parts.pop()
        elif part not in ("", "."):
            parts.append(part)
    return "/".join(parts)


def _import_index(
    images: ImageStore, data: bytes, origin: Origin, names: Mapping[str, tuple[str, ...]], lease: Lease
) -> tuple[Image, ...]:
    """IMG-12. What a layout's own index lists. An image of another platform is passed over where one fits."""
    index = decode_index(data, OCI_INDEX)
    fitting = [one for one in index.manifests if one.platform is None or runs_on(one.platform, images.machine)]
    if not fitting:
        offered = ", ".join(sorted({str(one.platform) for one in index.manifests})) or "nothing"
        raise Rejected(ImageRefusal.NO_PLATFORM, f"needed {images.machine}, offered {offered[:200]}")
    found: dict[Digest, Image] = {}
    for top in fitting:
        image = images.add(top, origin, _names_of(top), lease)
        for name in names.get(_config_of(image), ()):
            image = images.name(str(image.digest), name)
        found[image.digest] = image
    return tuple(found.values())


def _config_of(image: Image) -> str:
    """The digits of the configuration's digest: it stands behind the manifest."""
    return image.parts[image.parts.index(image.manifest) + 1].hex


def _names_of(top: Descriptor) -> tuple[str, ...]:
    """IMG-12. The names that a layout gives an image; a bare tag says no name, and what is no reference is no name."""
    for text in (top.annotation(CONTAINERD_NAME), top.annotation(REF_NAME)):
        if "/" in text or ":" in text:
            return _aliases((text,))
    return ()


def _aliases(texts: tuple[str, ...]) -> tuple[str, ...]:
    found = set()
    for text in texts:
        try:
            found.add(parse_reference(text).alias)
        except Rejected:
            continue  # a name that nobody could type; the image is here all the same
    return tuple(sorted(found))


def _names_by_config(saved: tuple[SavedImage, ...]) -> dict[str, tuple[str, ...]]:
    """The names that `manifest.json` gives, by the digits of the configuration's digest."""
    found: dict[str, tuple[str, ...]] = {}
    for one in saved:
        match = _BLOB.fullmatch(one.config) or _OLD_CONFIG.fullmatch(one.config)
        if match is not None:
            found[match[1]] = (*found.get(match[1], ()), *_aliases(one.names))
    return found


def _import_saved(images: ImageStore, members: _Members, saved: SavedImage, lease: Lease) -> Image:
    """IMG-13. An image of `docker save`: the configuration is checked by the digest in its name, each layer unpacked by
    the digest in the configuration, and the manifest is made here.
    """
    store = images.blobs
    config = members.find(saved.config)
    stated = _BLOB.fullmatch(saved.config) or _OLD_CONFIG.fullmatch(saved.config)
    if stated is not None and stated[1] != config.digest.hex:
        raise Rejected(BlobRefusal.WRONG_DIGEST, f"{saved.config} has the digest {config.digest}")
    layers = []
    for path in saved.layers:
        stored = members.find(path)
        diff_id, is_gzip = diff_id_of(store, stored.digest)
        media_type = OCI_LAYER_GZIP if is_gzip else OCI_LAYER
        layers.append((diff_id, path, Descriptor(media_type, stored.digest, stored.size)))
    described = Descriptor(OCI_CONFIG, config.digest, config.size)
    manifest = Manifest(OCI_MANIFEST, described, tuple(layer for _, _, layer in layers))
    known = decode_config(store.read(config.digest, CONFIG_BYTES_MAX))
    check_layers(manifest, known)
    for number, ((found, path, _), said) in enumerate(zip(layers, known.diff_ids, strict=True)):
        if found != said:
            detail = f"layer {number} ({path[:100]}) unpacks to {found}, its configuration says {said}"
            raise Rejected(ImageRefusal.WRONG_DIFF_ID, detail)
    data = encode_manifest(manifest)
    stored = store.put([data], len(data), None, lease)
    return images.add(Descriptor(OCI_MANIFEST, stored.digest, stored.size), Nowhere(), _aliases(saved.names), lease)


@contextmanager
def _opened_folder(folder: Path) -> Iterator[int]:
    try:
        opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise disk_fault(error, f"reading {folder}") from error
    try:
        yield opened
    finally:
        os.close(opened)
