"""DET-4. What a caged job is told of files: nothing that only this machine's disk knows."""

import os
import stat
import struct
from dataclasses import dataclass
from typing import Final

from metanode.host.runtimes.shim.cage.made import START_S

LISTED_MAX: Final = 65_536
"""Most names of a folder that are sorted for a job; a fuller one cannot be listed."""
BLOCK_BYTES: Final = 4096
FILE_SYSTEM_BLOCKS: Final = 16_384
"""What every file system is said to have: 64 MiB, all free."""
_MADE_SYSTEMS: Final = frozenset({"tmpfs", "devtmpfs", "devpts", "proc", "mqueue", "ramfs"})
"""File systems that begin empty with the container, so that their times are of this run."""
_STAT: Final = struct.Struct("<QQQIIIIQqqqqqqqqq24x")
_STATX: Final = struct.Struct("<IIQIIIHHQQQQ" + "qIi" * 4 + "IIII112x")
_STATX_MASK: Final = 0x07FF
"""STATX_BASIC_STATS."""
_STATFS: Final = struct.pack("<qqQQQQQqqqq4q", 0x0102_1994, BLOCK_BYTES, *(FILE_SYSTEM_BLOCKS,) * 5, 0, 255,
                             BLOCK_BYTES, 0, 0, 0, 0, 0)  # fmt: skip


def made_devices(mountinfo: str) -> frozenset[int]:
    """The file systems of a container that begin empty with it, by device number."""
    found = set()
    for line in mountinfo.splitlines():
        before, _, after = line.partition(" - ")
        if after.partition(" ")[0] in _MADE_SYSTEMS:
            major, _, minor = before.split()[2].partition(":")
            found.add(os.makedev(int(major), int(minor)))
    return frozenset(found)


@dataclass(slots=True)
class _Listing:
    """A folder that is being read: its names in order, and how many were told."""

    entries: list[tuple[int, bytes]]
    told: int


class Files:
    """Made numbers of files, and sorted folders. `made`: devices of file systems that began empty."""

    def __init__(self, uid: int, gid: int) -> None:
        self._uid: Final = uid
        self._gid: Final = gid
        self.made: frozenset[int] = frozenset()
        self._numbers: Final[dict[tuple[int, int], int]] = {}
        self._listings: Final[dict[int, _Listing]] = {}

    def _number(self, device: int, inode: int) -> int:
        """In the order in which the job looks at them."""
        return self._numbers.setdefault((device, inode), len(self._numbers) + 1)

    def _owner(self, device: int) -> tuple[int, int]:
        return (self._uid, self._gid) if device in self.made else (0, 0)

    def _shape(self, device: int, mode: int, links: int, size: int, changed: tuple[int, int]) -> tuple[int, ...]:
        """Device, links, size, blocks, and the one time of a file."""
        if stat.S_ISREG(mode):
            fresh = device in self.made
            seconds, rest = (START_S, 0) if fresh else changed
            return (2 if fresh else 1), links, size, -(-size // 512), seconds, rest
        length = BLOCK_BYTES if stat.S_ISDIR(mode) else size if stat.S_ISLNK(mode) else 0
        return 1, 1, length, 0, START_S, 0

    def stat(self, data: bytes) -> bytes:
        """A `struct stat` (144 bytes), corrected."""
        device, inode, links, mode, _, _, _, kind, size, _, _, _, _, changed, rest, _, _ = _STAT.unpack(data)
        place, links, size, blocks, seconds, part = self._shape(device, mode, links, size, (changed, rest))
        uid, gid = self._owner(device)
        times = (seconds, part) * 3
        number = self._number(device, inode)
        return _STAT.pack(place, number, links, mode, uid, gid, 0, kind, size, BLOCK_BYTES, blocks, *times)

    def statx(self, data: bytes) -> bytes:
        """A `struct statx` (256 bytes), corrected; without a time of birth."""
        fields = _STATX.unpack(data)
        links, mode, inode, size = fields[3], fields[6], fields[8], fields[9]
        device = os.makedev(fields[26], fields[27])
        place, links, size, blocks, seconds, part = self._shape(device, mode, links, size, fields[21:23])
        uid, gid = self._owner(device)
        time = (seconds, part, 0)
        head = (_STATX_MASK, BLOCK_BYTES, 0, links, uid, gid, mode, 0, self._number(device, inode), size, blocks, 0)
        return _STATX.pack(*head, *time, 0, 0, 0, *time, *time, fields[24], fields[25], 0, place)

    def file_system(self) -> bytes:
        """A `struct statfs` (120 bytes): the same for all."""
        return _STATFS

    def listed(self, number: int, file: int, room: int, *, old: bool) -> bytes | None:
        """What getdents64 (`old`: getdents) gives for a folder that the job has open as `number`, and the supervisor,
        with the same position, as `file`; nothing where not one name fits. Raises `OSError`.

        The true position tells only whether the job has gone back to the beginning.
        """
        if os.lseek(file, 0, os.SEEK_CUR) == 0 or number not in self._listings:
            self._listings[number] = _Listing(_sorted(file), 0)
            os.lseek(file, 1, os.SEEK_SET)
        listing, said = self._listings[number], b""
        for kind, name in listing.entries[listing.told :]:
            record = _record(listing.told + 1, kind, name, old=old)
            if len(said) + len(record) > room:
                return said or None
            said += record
            listing.told += 1
        return said


def _sorted(folder: int) -> list[tuple[int, bytes]]:
    """(kind, name) of all names of a folder, by their bytes."""
    found: list[tuple[int, bytes]] = []
    with os.scandir(folder) as entries:
        for entry in entries:
            if len(found) >= LISTED_MAX:
                raise OSError(75, os.strerror(75))  # EOVERFLOW
            found.append((_kind(entry), os.fsencode(entry.name)))
    found.sort(key=lambda one: one[1])
    return [(4, b"."), (4, b".."), *found]


def _kind(entry: "os.DirEntry[str]") -> int:
    """DT_LNK, DT_DIR, DT_REG, or DT_UNKNOWN."""
    if entry.is_symlink():
        return 10
    if entry.is_dir(follow_symlinks=False):
        return 4
    return 8 if entry.is_file(follow_symlinks=False) else 0


def _record(place: int, kind: int, name: bytes, *, old: bool) -> bytes:
    """One `struct linux_dirent64`, or `linux_dirent`, whose last byte is the kind. Its number is its place: what a disk
    calls it here need not be what it calls it elsewhere."""
    if old:
        length = -(-(18 + len(name) + 2) // 8) * 8
        return struct.pack("<QQH", place, place, length) + name.ljust(length - 19, b"\0") + bytes([kind])
    length = -(-(19 + len(name) + 1) // 8) * 8
    return struct.pack("<QQHB", place, place, length, kind) + name.ljust(length - 19, b"\0")
