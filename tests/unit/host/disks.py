"""Disks that fail: killed at any call, or losing what was not synced."""

from dataclasses import dataclass, field
from pathlib import Path

from metanode.host.disk import Disk


class Killed(BaseException):
    """The process ended here: nobody may catch it by accident."""


@dataclass
class KilledDisk(Disk):
    """Lets `calls` changing calls happen, does `torn` bytes of the next one if it is a write, and kills."""

    calls: int = 1 << 30
    torn: int = 0
    done: int = field(default=0, init=False)

    def _step(self):
        if self.done >= self.calls:
            raise Killed
        self.done += 1

    def create(self, path):
        self._step()
        return super().create(path)

    def write(self, file, offset, data):
        if self.done >= self.calls:
            super().write(file, offset, data[: self.torn])
            raise Killed
        self.done += 1
        super().write(file, offset, data)

    def sync(self, file):
        self._step()
        super().sync(file)

    def cut(self, file, length):
        self._step()
        super().cut(file, length)

    def rename(self, source, target):
        self._step()
        super().rename(source, target)

    def remove(self, path):
        self._step()
        super().remove(path)

    def sync_folder(self, path):
        self._step()
        super().sync_folder(path)


class LossyDisk(Disk):
    """Remembers what is durable; `lose_power` puts the folder back to that, names and contents."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.files: dict[int, Path] = {}
        self.content: dict[int, bytes] = {}  # by inode: what was synced of it
        self.names: dict[str, int] = {}  # durable names in the folder

    def create(self, path):
        file = super().create(path)
        self.files[file] = path
        return file

    def open(self, path):
        file = super().open(path)
        self.files[file] = path
        return file

    def _inode(self, path: Path) -> int:
        return path.stat().st_ino

    def sync(self, file):
        super().sync(file)
        data = Path(f"/proc/self/fd/{file}").read_bytes()
        self.content[Path(f"/proc/self/fd/{file}").stat().st_ino] = data

    def sync_folder(self, path):
        super().sync_folder(path)
        if path == self.folder:
            self.names = {p.name: self._inode(p) for p in path.iterdir() if p.is_file()}

    def lose_power(self):
        for path in self.folder.iterdir():
            path.unlink()
        for name, inode in self.names.items():
            (self.folder / name).write_bytes(self.content.get(inode, b""))
