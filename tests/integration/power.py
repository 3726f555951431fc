"""A disk whose every call is written down, and any disk that a power cut may have left at any of them.

What a call promises is what `host/disk.py` says: contents are durable after `sync`, names after `sync_folder`. At a
cut, of the writes since then any part may be there, by sectors, in whatever order; of the names any beginning of what
was done to them. The store writes by itself, through RocksDB: between two of its flushes its log only grows, and of
what it grew by any beginning may be there, and behind it zeros.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from shutil import copytree, rmtree
from typing import Any, Final

from metanode.host.disk import Disk
from metanode.host.store import Store

SECTOR: Final = 512
"""What a disk writes whole or not at all."""


@dataclass(frozen=True)
class Wrote:
    file: int
    offset: int
    data: bytes


@dataclass(frozen=True)
class Cut:
    file: int
    length: int


@dataclass(frozen=True)
class Synced:
    file: int


@dataclass(frozen=True)
class Named:
    """A file got a name (a new one, or another), or lost one (`file` 0)."""

    path: Path
    file: int
    before: Path | None = None


@dataclass(frozen=True)
class FolderSynced:
    path: Path


@dataclass(frozen=True)
class StoreGrew:
    """The bytes of the store's log now, and whether they are durable."""

    size: int
    durable: bool


@dataclass(frozen=True)
class Said:
    """Something left the node: from here on somebody may rely on it."""

    what: Any


Call = Wrote | Cut | Synced | Named | FolderSynced | StoreGrew | Said


@dataclass
class Trace:
    """All calls of one life, in order, and what the folder held before the first."""

    root: Path
    before: Path
    names: dict[Path, int]
    calls: list[Call] = field(default_factory=list)

    @classmethod
    def of(cls, root: Path, before: Path) -> "Trace":
        copytree(root, before)
        files = (path for path in root.rglob("*") if path.is_file() and "store" not in path.parts)
        return cls(root, before, {path: path.stat().st_ino for path in files})

    def said(self, what: Any) -> None:
        self.calls.append(Said(what))


class TracedDisk(Disk):
    """The real disk, its changing calls written down. Files are named by their inodes."""

    trace: Trace

    def create(self, path):
        file = super().create(path)
        self.trace.calls.append(Named(path, path.stat().st_ino))
        self.trace.calls.append(Cut(path.stat().st_ino, 0))
        return file

    def write(self, file, offset, data):
        super().write(file, offset, data)
        self.trace.calls.append(Wrote(_inode(file), offset, bytes(data)))

    def sync(self, file):
        super().sync(file)
        self.trace.calls.append(Synced(_inode(file)))

    def cut(self, file, length):
        super().cut(file, length)
        self.trace.calls.append(Cut(_inode(file), length))

    def rename(self, source, target):
        super().rename(source, target)
        self.trace.calls.append(Named(target, target.stat().st_ino, source))

    def remove(self, path):
        super().remove(path)
        self.trace.calls.append(Named(path, 0))

    def sync_folder(self, path):
        super().sync_folder(path)
        self.trace.calls.append(FolderSynced(path))


class TracedStore(Store):
    """The real store, the growth of its log written down."""

    trace: Trace

    def write(self, rows):
        super().write(rows)
        self.trace.calls.append(StoreGrew(self._log().stat().st_size, durable=False))

    def flush(self):
        super().flush()
        self.trace.calls.append(StoreGrew(self._log().stat().st_size, durable=True))

    def _log(self) -> Path:
        (log,) = self._path.glob("*.log")
        return log


def _inode(file: int) -> int:
    return Path(f"/proc/self/fd/{file}").stat().st_ino


@dataclass
class _File:
    """What is on the disk for certain, and what may be there or not."""

    durable: bytes = b""
    pending: list[Wrote | Cut] = field(default_factory=list)

    def settle(self) -> None:
        self.durable, self.pending = _applied(self.durable, self.pending), []


def _applied(data: bytes, changes: list[Wrote | Cut]) -> bytes:
    found = bytearray(data)
    for change in changes:
        if isinstance(change, Cut):
            del found[change.length :]
            found.extend(bytes(change.length - len(found)))
        else:
            found.extend(bytes(max(0, change.offset - len(found))))
            found[change.offset : change.offset + len(change.data)] = change.data
    return bytes(found)


class Cuts:
    """The folder as a power cut may leave it, at one call after the other of a trace."""

    def __init__(self, trace: Trace, store_after: Path) -> None:
        """`store_after`: the store's folder at the end of the life, not closed: its log holds all that was written."""
        self._trace = trace
        self._store = store_after
        self._files: dict[int, _File] = {}
        self._names: dict[Path, int] = {}
        self._pending_names: list[Named] = []
        self._store_durable = self._store_size = 0
        self.said: list[Any] = []
        for path, file in trace.names.items():
            self._files[file] = _File((trace.before / path.relative_to(trace.root)).read_bytes())
            self._names[path] = file

    def walk(self) -> Iterator[int]:
        """Go on by one call; after each, `leave` makes what a cut would leave."""
        for number, call in enumerate(self._trace.calls):
            self._take(call)
            yield number

    def _take(self, call: Call) -> None:
        match call:
            case Wrote(file, _, _) | Cut(file, _):
                self._files[file].pending.append(call)
            case Synced(file):
                self._files[file].settle()
            case Named(_, file, _):
                if file and file not in self._files:
                    self._files[file] = _File()
                self._pending_names.append(call)
            case FolderSynced(path):
                for named in [one for one in self._pending_names if one.path.parent == path]:
                    self._name(self._names, named)
                    self._pending_names.remove(named)
            case StoreGrew(size, durable):
                self._store_size = size
                self._store_durable = size if durable else self._store_durable
            case Said(what):
                self.said.append(what)

    @staticmethod
    def _name(names: dict[Path, int], named: Named) -> None:
        if named.before is not None:
            names.pop(named.before, None)
        if named.file:
            names[named.path] = named.file
        else:
            names.pop(named.path, None)

    def leave(self, target: Path, chance: Random) -> Path:
        """The folder after a cut here. How much of what was not synced is there: nothing, everything, or any of it."""
        rmtree(target, ignore_errors=True)
        kept = chance.choice(("nothing", "all", "any", "any"))
        names = dict(self._names)
        count = {"nothing": 0, "all": len(self._pending_names)}.get(kept, chance.randint(0, len(self._pending_names)))
        for named in self._pending_names[:count]:
            self._name(names, named)
        for folder in (p for p in self._trace.before.rglob("*") if p.is_dir()):
            (target / folder.relative_to(self._trace.before)).mkdir(parents=True, exist_ok=True)
        for path, file in names.items():
            place = target / path.relative_to(self._trace.root)
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(self._content(self._files[file], kept, chance))
            place.chmod(0o600)
        self._leave_store(target / "store", kept, chance)
        return target

    @staticmethod
    def _content(file: _File, kept: str, chance: Random) -> bytes:
        if kept != "any":
            return _applied(file.durable, file.pending if kept == "all" else [])
        sectors: list[Wrote | Cut] = []
        for change in file.pending:
            if isinstance(change, Cut):
                sectors.append(change)
                continue
            at = change.offset
            while at < change.offset + len(change.data):
                end = min(change.offset + len(change.data), (at // SECTOR + 1) * SECTOR)
                sectors.append(Wrote(0, at, change.data[at - change.offset : end - change.offset]))
                at = end
        return _applied(file.durable, [one for one in sectors if chance.random() < 0.5])

    def _leave_store(self, target: Path, kept: str, chance: Random) -> None:
        rmtree(target, ignore_errors=True)
        copytree(self._store, target)
        (log,) = target.glob("*.log")
        data, durable = log.read_bytes()[: self._store_size], self._store_durable
        size = {"nothing": durable, "all": len(data)}.get(kept, chance.randint(durable, len(data)))
        garbage = bytes(len(data) - size) if kept == "any" and chance.random() < 0.5 else b""
        log.write_bytes(data[:size] + garbage)
