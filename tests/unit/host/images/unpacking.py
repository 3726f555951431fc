"""A few layers unpacked into a folder that has something precious beside it."""

import os
from collections.abc import Iterable
from pathlib import Path

from tests.unit.host.images.made import Made, blob_store, hexed, image

from metanode.docklock.images.bounds import Limits
from metanode.docklock.images.digests import parse_digest
from metanode.docklock.images.manifests import OCI_LAYER, OCI_LAYER_GZIP, Descriptor
from metanode.host.images.tree import KeepOwners, OneOwner, Owners
from metanode.host.images.unpack import Unpacked, unpack

OWN: Owners = KeepOwners() if os.geteuid() == 0 else OneOwner()
SECRET = b"not of the image"
MEMORY = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
"""Where tests that make thousands of folders put them: a file system in memory, where there is one."""


class Place:
    """A folder to unpack to: `root` inside of it is the image's, all else is somebody's."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.root = path / "place" / "root"
        self.root.mkdir(parents=True)
        self.store = blob_store(path)
        for name in ("etc", "outside"):
            (path / "place" / name).mkdir()
            (path / "place" / name / "passwd").write_bytes(SECRET)
        self.before = self.others()

    def others(self) -> dict[str, tuple[bytes, int]]:
        """Everything beside the root: content and number of names."""
        return {
            str(file): (file.read_bytes(), file.stat().st_nlink)
            for folder in ("etc", "outside")
            for file in sorted((self.path / "place" / folder).rglob("*"))
        }

    def unpack(
        self,
        *layers: bytes,
        packed: bool = False,
        owners: Owners = OWN,
        limits: Limits | None = None,
        wrong: bool = False,
    ) -> Unpacked:
        """Unpack layers (tars); `wrong`: the last one is not what the configuration says."""
        made: Made = image(*layers, packed=packed)
        for data in made.blobs.values():
            self.store.put([data], 1 << 30)
        described = []
        for number, layer in enumerate(layers):
            data = next(blob for blob in made.blobs.values() if _is(blob, layer, packed=packed))
            kind = OCI_LAYER_GZIP if packed else OCI_LAYER
            said = "0" * 64 if wrong and number == len(layers) - 1 else hexed(layer)
            described.append(
                (Descriptor(kind, parse_digest(f"sha256:{hexed(data)}"), len(data)), parse_digest(f"sha256:{said}"))
            )
        return self.unpack_described(described, owners, limits or Limits())

    def unpack_described(self, described, owners: Owners = OWN, limits: Limits = Limits()) -> Unpacked:  # noqa: B008
        root = os.open(self.root, os.O_RDONLY | os.O_DIRECTORY)
        try:
            return unpack(self.store, described, root, owners, limits)
        finally:
            os.close(root)

    def found(self) -> dict[str, str]:
        """What the root has: each path with its content, where a link leads, or a slash for a folder."""
        return {
            str(path.relative_to(self.root)): (
                f"-> {path.readlink()}" if path.is_symlink() else "/" if path.is_dir() else path.read_text()
            )
            for path in _walk(self.root)
        }


def _walk(folder: Path) -> Iterable[Path]:
    for path in sorted(folder.iterdir()):
        yield path
        if path.is_dir() and not path.is_symlink():
            yield from _walk(path)


def _is(blob: bytes, layer: bytes, *, packed: bool) -> bool:
    import gzip

    return blob == (gzip.compress(layer, 1, mtime=0) if packed else layer)
