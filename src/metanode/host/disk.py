"""The seam to the disk: the few calls durability rests on, in one place, so that tests can make each of them fail."""

import os
from contextlib import suppress
from pathlib import Path
from typing import Final

from metanode.host.fault import disk_fault

FILE_MODE: Final = 0o600
"""Files of a node are its user's alone: keys and guards live among them."""
FOLDER_MODE: Final = 0o700
"""Likewise folders."""

_data_sync: Final = getattr(os, "fdatasync", os.fsync)


class Disk:
    """The disk of the operating system. Every method raises `Fault`, never `OSError`."""

    def create(self, path: Path) -> int:
        """A new empty file, open for reading and writing; an old one of this name is emptied."""
        try:
            return os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, FILE_MODE)
        except OSError as error:
            raise disk_fault(error, f"creating {path}") from error

    def open(self, path: Path) -> int:
        """An existing file, open for reading and writing."""
        try:
            return os.open(path, os.O_RDWR | os.O_CLOEXEC)
        except OSError as error:
            raise disk_fault(error, f"opening {path}") from error

    def write(self, file: int, offset: int, data: bytes) -> None:
        """Write all of it at the offset. Not durable before `sync`."""
        view = memoryview(data)
        try:
            while view:
                written = os.pwrite(file, view, offset)
                view, offset = view[written:], offset + written
        except OSError as error:
            raise disk_fault(error, f"writing {_name(file)}") from error

    def read(self, file: int, offset: int, length: int) -> bytes:
        """At most `length` bytes at the offset; fewer only where the file ends."""
        parts = []
        try:
            while length and (part := os.pread(file, length, offset)):
                parts.append(part)
                offset, length = offset + len(part), length - len(part)
        except OSError as error:
            raise disk_fault(error, f"reading {_name(file)}") from error
        return b"".join(parts)

    def size(self, file: int) -> int:
        """Bytes of the file."""
        return os.fstat(file).st_size

    def sync(self, file: int) -> None:
        """DISK-2. Return once everything written to the file is on the disk. After a failure the kernel may have
        dropped what was written, so nobody tries again: the owner of the file stops.
        """
        try:
            _data_sync(file)
        except OSError as error:
            raise disk_fault(error, f"syncing {_name(file)}") from error

    def cut(self, file: int, length: int) -> None:
        """Shorten the file to this many bytes."""
        try:
            os.ftruncate(file, length)
        except OSError as error:
            raise disk_fault(error, f"cutting {_name(file)}") from error

    def close(self, file: int) -> None:
        """Close; what was not synced may be lost."""
        with suppress(OSError):
            os.close(file)

    def rename(self, source: Path, target: Path) -> None:
        """Give a file another name, atomically, replacing what had it. Durable after `sync_folder`."""
        try:
            source.replace(target)
        except OSError as error:
            raise disk_fault(error, f"renaming {source} to {target}") from error

    def remove(self, path: Path) -> None:
        """Remove a file. Durable after `sync_folder`."""
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise disk_fault(error, f"removing {path}") from error

    def make_folder(self, path: Path) -> None:
        """Make a folder and those above it, where they are not there, and sync the one that holds it."""
        try:
            path.mkdir(FOLDER_MODE, parents=True, exist_ok=True)
        except OSError as error:
            raise disk_fault(error, f"creating {path}") from error
        self.sync_folder(path.parent)

    def sync_folder(self, path: Path) -> None:
        """DISK-3. Make the names in a folder durable: a rename nobody synced may be undone by a power cut."""
        try:
            folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
        except OSError as error:
            raise disk_fault(error, f"syncing {path}") from error


def write_durably(disk: Disk, path: Path, data: bytes) -> None:
    """DISK-3. A small file, whole or not at all: temporary name, sync, rename, sync of the folder."""
    temporary = path.with_name(path.name + ".new")
    file = disk.create(temporary)
    try:
        disk.write(file, 0, data)
        disk.sync(file)
    finally:
        disk.close(file)
    disk.rename(temporary, path)
    disk.sync_folder(path.parent)


def read_file(path: Path, bytes_max: int) -> bytes:
    """A whole file of at most so many bytes; one byte more is returned of a longer one. Raises `Fault`."""
    try:
        with path.open("rb") as file:
            return file.read(bytes_max + 1)
    except OSError as error:
        raise disk_fault(error, f"reading {path}") from error


def free_bytes(path: Path) -> int:
    """What an unprivileged process may still write there. Raises `Fault`."""
    try:
        found = os.statvfs(path)
    except OSError as error:
        raise disk_fault(error, f"asking for the free space of {path}") from error
    return found.f_bavail * found.f_frsize


def _name(file: int) -> str:
    try:
        return str(Path(f"/proc/self/fd/{file}").readlink())
    except OSError:
        return f"file {file}"
