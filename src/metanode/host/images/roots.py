"""Unpacked images: one root a pile of layers and kind of owner, shared by all containers that only read it.

    roots/<key>/rootfs      the files
    roots/<key>/root.json   what it is, and in which life of the machine it was made

A root is made below `staging` and gets its name by one rename, so a name stands for a whole root. Nothing of it is
synced: that would take longer than unpacking. Instead a root is believed only while the machine that made it has not
been started anew, for a power cut may have lost any part of it; then it is made again from its layers.
"""

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from metanode.docklock.images.bounds import Limits
from metanode.docklock.images.configs import ImageConfig
from metanode.docklock.images.digests import Digest, chain_id
from metanode.docklock.images.manifests import Manifest
from metanode.host.blobs import BlobStore
from metanode.host.disk import read_file
from metanode.host.fault import Fault, disk_fault
from metanode.host.images.tree import KeepOwners, OneOwner, Owners, ShiftOwners
from metanode.host.images.unpack import LIMITS, Unpacked, unpack
from metanode.host.leases import Lease, discard

_ABOUT: Final = "root.json"
_FILES: Final = "rootfs"
_ABOUT_BYTES_MAX: Final = 65_536
_BOOT: Final = Path("/proc/sys/kernel/random/boot_id")


class _About(msgspec.Struct, frozen=True):
    chain: str
    boot: str
    entries: int
    bytes: int
    left_out: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class Root:
    """An unpacked image. `key`: its name here and in leases. `files`: its root folder, which nobody may change."""

    key: str
    files: Path
    contents: Unpacked


def root_key(chain: Digest, owners: Owners) -> str:
    """IMG-9. The name of a root: what is in it, and whose it is here."""
    match owners:
        case KeepOwners():
            return f"{chain.hex}-kept"
        case ShiftOwners(uid, gid, count):
            return f"{chain.hex}-{uid}-{gid}-{count}"
        case OneOwner():
            return f"{chain.hex}-own"


class Roots:
    """IMG-9. The roots of one store. `boot`: names this life of the machine."""

    def __init__(self, store: BlobStore, boot: str) -> None:
        self._store = store
        self._boot = boot
        self._folder = store.folder / "roots"
        store.disk.make_folder(self._folder)

    def take(
        self, manifest: Manifest, config: ImageConfig, owners: Owners, lease: Lease, limits: Limits = LIMITS
    ) -> Root:
        """IMG-9. The root of an image, unpacked now where it is not here; `lease` holds it from now on."""
        chain = chain_id(config.diff_ids)
        key = root_key(chain, owners)
        lease.hold(key)
        if (found := self.find(key)) is not None:
            return found
        layers = list(zip(manifest.layers, config.diff_ids, strict=True))
        path, lock = self._store.leases.new_folder()
        try:
            files = path / _FILES
            files.mkdir(0o700)
            root = os.open(files, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
            try:
                contents = unpack(self._store, layers, root, owners, limits)
            finally:
                os.close(root)
            about = _About(str(chain), self._boot, contents.entries, contents.bytes, contents.left_out)
            (path / _ABOUT).write_bytes(msgspec.json.encode(about))
            self._publish(path, key)
            return Root(key, self._folder / key / _FILES, contents)
        except OSError as error:
            raise disk_fault(error, f"unpacking to {path}") from error
        finally:
            if path.exists():
                discard(path)
            os.close(lock)

    def find(self, key: str) -> Root | None:
        """A root that is here, whole, and of this life of the machine."""
        try:
            about = msgspec.json.decode(read_file(self._folder / key / _ABOUT, _ABOUT_BYTES_MAX), type=_About)
        except (Fault, msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return None
        if about.boot != self._boot or not self._boot:
            return None
        contents = Unpacked(about.entries, about.bytes, about.left_out)
        return Root(key, self._folder / key / _FILES, contents)

    def list(self) -> Iterator[str]:
        """The keys of the roots that are here, in order."""
        yield from sorted(one.name for one in self._folder.iterdir())

    def collect(self, kept: frozenset[str], held: frozenset[str]) -> int:
        """IMG-17. Remove roots that nobody holds and that are of no image (`kept`: the beginnings of their keys), or
        of an earlier life of the machine; how many. Call while `alone`: they are only set aside then, swept after.
        """
        gone = 0
        for key in self.list():
            wanted = key.partition("-")[0] in kept and self.find(key) is not None
            if key not in held and not wanted:
                self._set_aside(key)
                gone += 1
        return gone

    def _publish(self, path: Path, key: str) -> None:
        """Give it its name; where another was quicker, his is as good; what is not whole gives way."""
        with self._store.leases.alone():
            if (self._folder / key).exists() and self.find(key) is None:
                self._set_aside(key)
            with suppress(FileExistsError):
                try:
                    path.rename(self._folder / key)
                except OSError as error:
                    if not (self._folder / key).exists():
                        raise
                    raise FileExistsError from error

    def _set_aside(self, key: str) -> None:
        """Into `staging`, unlocked: the next sweep removes it."""
        self._store.disk.rename(self._folder / key, self._store.leases.new_name())


def this_boot() -> str:
    """What names this life of the machine; empty where the system does not say, and then no root is believed."""
    try:
        return read_file(_BOOT, 64).decode("ascii", "replace").strip()
    except Fault:
        return ""
