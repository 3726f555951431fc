"""Backup and restore of a data directory. What is restored never signs on its own word.

A backup has the genesis, settings, key files, store and block log. It has neither guard nor journal: both say what was
signed *last*, and a copy of them is out of date the moment it is made. A restored validator observes until its peers,
or its operator, have said what it signed last.
"""

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Final

from metanode.host.block_log import BlockLog
from metanode.host.data_directory import Layout, Owner, read_format, write_format
from metanode.host.disk import FOLDER_MODE, Disk, read_file, write_durably
from metanode.host.fault import Fault, FaultReason, disk_fault
from metanode.host.guard_file import GuardFile
from metanode.host.journal import Journal
from metanode.host.store import copy_store

MANIFEST: Final = "MANIFEST"
"""The list of files with their digests, written last: without it a backup is not one."""
_MANIFEST_BYTES_MAX: Final = 64 << 20
_CHUNK_BYTES: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Backup:
    """What was written: how many files and bytes, and the last block in it."""

    files: int
    bytes: int
    last_block: int


def back_up(layout: Layout, target: Path, salt: Callable[[int], bytes], disk: Disk) -> Backup:
    """DISK-21. A backup in a new folder, of a data directory whose node runs or does not. Raises `Fault`.

    The store first, as of one block; then the block log, which has that block and maybe more: a node that starts with
    them executes the rest.
    """
    if target.exists():
        fix = "name a folder that is not there yet"
        raise Fault(FaultReason.DIRECTORY_EXISTS, f"{target} exists", fix)
    read_format(layout)
    copy = Layout(target)
    disk.make_folder(target)
    copy_store(layout.store, copy.store)
    for name in ("genesis", "settings", "format_file"):
        _copy_file(getattr(layout, name), getattr(copy, name))
    _copy_folder(layout.keys, copy.keys)
    _copy_blocks(layout.blocks, copy.blocks)
    blocks = BlockLog(copy.blocks, disk, salt)  # half a block at the end is cut
    last_block = blocks.last
    blocks.close()
    listed = [(path.relative_to(target), *_measure(path)) for path in _files(target)]
    text = "".join(f"{digest} {size} {path}\n" for path, digest, size in listed)
    for folder in (target, copy.store, copy.keys, copy.blocks):
        _sync_all(folder, disk)
    write_durably(disk, target / MANIFEST, text.encode())
    return Backup(len(listed), sum(size for _, _, size in listed), last_block)


def check_backup(source: Path) -> int:
    """DISK-22. Every listed file is there with its digest, and none beside them; how many. Raises `Fault`."""
    fix = "use another backup; this one was changed or not finished"
    listed = _read_manifest(source, fix)
    for path, (digest, size) in listed.items():
        if not (source / path).is_file():
            raise Fault(FaultReason.BACKUP_DAMAGED, f"{source / path} is missing", fix)
        if _measure(source / path) != (digest, size):
            raise Fault(FaultReason.BACKUP_DAMAGED, f"{source / path} differs from what was written", fix)
    beside = [path for path in _files(source) if str(path.relative_to(source)) not in listed]
    if beside:
        raise Fault(FaultReason.BACKUP_DAMAGED, f"{beside[0]} is not of this backup", fix)
    return len(listed)


def restore(source: Path, root: Path, salt: Callable[[int], bytes], disk: Disk) -> Owner:
    """DISK-19, DISK-22. A data directory out of a checked backup: with an empty journal and, for a validator, a guard
    that signs nothing until somebody vouches. Raises `Fault`, also where a node lives or may have signed."""
    layout = Layout(root)
    if root.exists() and any(root.iterdir()):
        fix = "name an empty folder; a guard that is there may have signed and must not be replaced"
        raise Fault(FaultReason.DIRECTORY_EXISTS, f"{root} is not empty", fix)
    check_backup(source)
    owner = read_format(Layout(source))
    disk.make_folder(root)
    copy = Layout(source)
    for name in ("genesis", "settings"):
        _copy_file(getattr(copy, name), getattr(layout, name))
    for name in ("keys", "blocks", "store"):
        _copy_folder(getattr(copy, name), getattr(layout, name))
    for folder in (root, layout.store, layout.keys, layout.blocks):
        _sync_all(folder, disk)
    Journal.create(layout.journal, disk, salt)
    if owner.is_validator:
        GuardFile.create_restored(layout.guard, owner.identity, disk)
    write_format(layout, owner, disk)
    return owner


def _read_manifest(source: Path, fix: str) -> dict[str, tuple[str, int]]:
    path = source / MANIFEST
    if not path.is_file():
        raise Fault(FaultReason.BACKUP_DAMAGED, f"{source} has no {MANIFEST}", fix)
    listed: dict[str, tuple[str, int]] = {}
    try:
        for line in read_file(path, _MANIFEST_BYTES_MAX).decode().splitlines():
            digest, size, name = line.split(" ", 2)
            inside = Path(name)
            if inside.is_absolute() or ".." in inside.parts:
                raise Fault(FaultReason.BACKUP_DAMAGED, f"{path} names {name}, which is outside", fix)
            listed[name] = (digest, int(size))
    except (ValueError, UnicodeDecodeError) as error:
        raise Fault(FaultReason.BACKUP_DAMAGED, f"{path}: {error}", fix) from error
    return listed


def _files(folder: Path) -> Iterator[Path]:
    """Every file of a backup but its manifest, sorted."""
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path != folder / MANIFEST:
            yield path


def _measure(path: Path) -> tuple[str, int]:
    """(SHA-256, bytes) of a file."""
    hasher, size = sha256(), 0
    try:
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK_BYTES):
                hasher.update(chunk)
                size += len(chunk)
    except OSError as error:
        raise disk_fault(error, f"reading {path}") from error
    return hasher.hexdigest(), size


def _copy_file(source: Path, target: Path) -> None:
    """Contents and mode; a file that is not there (settings, an observer's keys) is left out."""
    if not source.exists():
        return
    try:
        shutil.copyfile(source, target)
        target.chmod(0o600)
    except OSError as error:
        raise disk_fault(error, f"copying {source} to {target}") from error


def _copy_folder(source: Path, target: Path) -> None:
    if not source.is_dir():
        return
    try:
        target.mkdir(FOLDER_MODE, exist_ok=True)
        names = sorted(path for path in source.iterdir() if path.is_file() and path.name != "LOCK")
    except OSError as error:
        raise disk_fault(error, f"copying {source} to {target}") from error
    for path in names:
        _copy_file(path, target / path.name)


def _copy_blocks(source: Path, target: Path) -> None:
    """Segments, oldest first. Where pruning takes one away meanwhile, it took those before it: a log has no gap."""
    target.mkdir(FOLDER_MODE, exist_ok=True)
    for path in sorted(source.glob("*.blocks")):
        try:
            shutil.copyfile(path, target / path.name)
            (target / path.name).chmod(0o600)
        except FileNotFoundError:
            for older in target.iterdir():
                older.unlink()
        except OSError as error:
            raise disk_fault(error, f"copying {path} to {target}") from error


def _sync_all(folder: Path, disk: Disk) -> None:
    """Every file of the folder and its names, durable."""
    if not folder.is_dir():
        return
    for path in sorted(folder.iterdir()):
        if path.is_file():
            file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            try:
                disk.sync(file)
            finally:
                disk.close(file)
    disk.sync_folder(folder)
