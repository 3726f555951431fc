"""Logs: records of ascending numbers, one after another, in flat append-only files; final blocks first of all."""

from array import array
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from metanode.host.disk import Disk, read_file
from metanode.host.fault import Fault, FaultReason, repair_fix
from metanode.host.segment import (
    FRAME_BYTES,
    HEADER_BYTES,
    PAYLOAD_BYTES_MAX,
    SALT_BYTES,
    Damaged,
    Segment,
    Torn,
    Whole,
    frame_bytes,
    frame_extent,
    header_bytes,
    read_header,
    scan,
    scan_sealed,
    whole_frame_at,
)
from metanode.primitives.digest import Tag

SEGMENT_BYTES: Final = 64 << 20
"""A segment is sealed above this: pruning drops whole ones, opening reads the last one."""
SEGMENT_BYTES_MAX: Final = SEGMENT_BYTES + PAYLOAD_BYTES_MAX + FRAME_BYTES
"""A segment may pass the mark by one block."""
OPEN_SEGMENTS_MAX: Final = 16
"""Sealed segments whose offsets are kept in memory and whose files are open: readers come in ranges."""
DAMAGES_MAX: Final = 64
"""Damaged heights remembered for the log; more say nothing new."""


@dataclass(frozen=True, slots=True)
class LogKind:
    """What a log holds: the tag of its segments, the suffix of their files, how one record is called, the number that
    an empty log begins with, the fault that damage is, and what mends it, given the folder."""

    tag: Tag
    suffix: str
    one: str
    begins: int
    damaged: FaultReason
    fix: Callable[[Path], str]


BLOCKS: Final = LogKind(
    Tag.BLOCK_LOG, ".blocks", "block", 1, FaultReason.BLOCK_LOG_DAMAGED, lambda folder: repair_fix(folder.parent)
)
"""Final blocks by height."""
_SUFFIX: Final = BLOCKS.suffix


class _Index:
    """Where the blocks of one segment are."""

    def __init__(self, path: Path, segment: Segment, file: int) -> None:
        self.path = path
        self.segment = segment
        self.file = file
        self.offsets = array("Q")
        self.end = HEADER_BYTES


class BlockLog:
    """Blocks by height, without gaps; of another `kind`, other records by number. One owner; `block` may be called
    between appends, not during one."""

    def __init__(self, folder: Path, disk: Disk, salt: Callable[[int], bytes], kind: LogKind = BLOCKS) -> None:
        """Open, or make where there is none; a torn end is cut. Raises `Fault` where durable blocks are damaged."""
        self._folder = folder
        self._disk = disk
        self._salt = salt
        self._kind = kind
        self._stopped = ""
        self._sealed: OrderedDict[int, _Index] = OrderedDict()
        self.cut_bytes = 0
        self.damages: list[str] = []
        disk.make_folder(folder)
        for left in folder.glob("*.new"):
            disk.remove(left)
        self._firsts = sorted(int(path.stem) for path in folder.glob(f"*{kind.suffix}") if path.stem.isdecimal())
        if not self._firsts:
            self._tail = self._begin(kind.begins)
        else:
            self._tail = self._open_tail(self._path(self._firsts[-1]))
        self._synced_to = self.last

    @property
    def first(self) -> int:
        """The lowest height kept; above `last` where the log is empty."""
        return self._firsts[0]

    @property
    def last(self) -> int:
        """The highest height kept; one below `first` where the log is empty."""
        return self._tail.segment.first + len(self._tail.offsets) - 1

    def append(self, height: int, block: bytes) -> None:
        """Add the next block; an empty log begins with whatever height comes first, after a snapshot for one.

        Durable after `sync`. Raises `Fault`; after one nothing is appended any more.
        """
        if self.last < self.first and height != self.first and not self._stopped:
            self.restart(height)
        assert height == self.last + 1, f"block {height} after block {self.last}"
        if self._stopped:
            raise Fault(self._kind.damaged, f"nothing can be appended: {self._stopped}", "start again")
        try:
            if self._tail.end >= SEGMENT_BYTES:
                self.sync()
                self._seal_tail()
            data = frame_bytes(self._tail.segment, height, max(self._synced_to + 1, self._tail.segment.first), block)
            self._disk.write(self._tail.file, self._tail.end, data)
        except Fault as fault:
            self._stopped = str(fault)
            raise
        self._tail.offsets.append(self._tail.end)
        self._tail.end += len(data)

    def sync(self) -> None:
        """DISK-10. Return when every block appended is durable. Raises `Fault`; after one nothing is appended."""
        try:
            self._disk.sync(self._tail.file)
        except Fault as fault:
            self._stopped = str(fault)
            raise
        self._synced_to = self.last

    def read(self, height: int) -> bytes:
        """A kept block, its checksum checked. Raises `Fault` where the disk lost it."""
        assert self.first <= height <= self.last, f"{height} is not kept"
        index = self._index_of(height)
        position = height - index.segment.first
        if position < len(index.offsets):
            offset = index.offsets[position]
            header = self._disk.read(index.file, offset, FRAME_BYTES)
            extent = frame_extent(index.segment, header)
            if extent is not None and extent[0] == height:
                data = header + self._disk.read(index.file, offset + FRAME_BYTES, extent[1])
                if whole_frame_at(index.segment, data, 0) is not None:
                    return data[FRAME_BYTES:]
        raise self._damaged(f"{self._kind.one} {height} in {index.path} is damaged")

    def block(self, height: int) -> bytes | None:
        """A block, or None where it is not kept or damaged; damage is noted in `damages`. For serving others: a rotten
        old block is no reason to stop validating, and a peer asks somebody else."""
        if not self.first <= height <= self.last:
            return None
        try:
            return self.read(height)
        except Fault as fault:
            if fault.detail not in self.damages and len(self.damages) < DAMAGES_MAX:
                self.damages.append(fault.detail)
            return None

    def segments(self) -> tuple[tuple[int, int], ...]:
        """The first number of each segment, and how many bytes it has, the oldest first."""
        return tuple((first, self._path(first).stat().st_size) for first in self._firsts)

    def prune(self, keep_from: int) -> int:
        """DISK-11. Drop segments that hold only blocks below this height, oldest first; returns the first one kept."""
        while len(self._firsts) > 1 and self._firsts[1] <= keep_from:
            self._forget(self._firsts[0])
            self._disk.remove(self._path(self._firsts[0]))
            self._disk.sync_folder(self._folder)
            del self._firsts[0]
        return self.first

    def restart(self, first: int) -> None:
        """Drop every block and begin at this height: what a snapshot does. Newest segments go first, so that a crash
        leaves a log without gaps."""
        self._disk.close(self._tail.file)
        for old in reversed(self._firsts):
            self._forget(old)
            self._disk.remove(self._path(old))
        self._disk.sync_folder(self._folder)
        self._firsts = []
        self._tail = self._begin(first)
        self._synced_to = self.last

    def verify(self) -> list[str]:
        """Read everything and check every frame; a sentence for each damaged segment. Slow: 1 GB a second or less."""
        damages = []
        for position, first in enumerate(self._firsts[:-1]):
            found = _scan_file(self._path(first), self._kind.tag, sealed=True)
            if isinstance(found, Whole) and first + len(found.frames) != self._firsts[position + 1]:
                before = self._firsts[position + 1] - 1
                damages.append(f"{self._path(first)} ends before {self._kind.one} {before}")
            elif isinstance(found, Damaged):
                damages.append(f"{self._path(first)}: {found.detail}")
        return damages

    def close(self) -> None:
        """Sync and close. Raises `Fault`."""
        if not self._stopped:
            self.sync()
            self._stopped = "the log is closed"
        self._disk.close(self._tail.file)
        for first in tuple(self._sealed):
            self._forget(first)

    def _path(self, first: int) -> Path:
        return self._folder / f"{first:016d}{self._kind.suffix}"

    def _begin(self, first: int) -> _Index:
        """DISK-3. A new segment: its header is durable before its name is there."""
        segment = Segment(self._kind.tag, first, self._salt(SALT_BYTES))
        path = self._path(first)
        temporary = path.with_name(path.name + ".new")
        file = self._disk.create(temporary)
        self._disk.write(file, 0, header_bytes(segment))
        self._disk.sync(file)
        self._disk.rename(temporary, path)
        self._disk.sync_folder(self._folder)
        self._firsts.append(first)
        return _Index(path, segment, file)

    def _damaged(self, detail: str) -> Fault:
        return Fault(self._kind.damaged, detail, self._kind.fix(self._folder))

    def _seal_tail(self) -> None:
        old = self._tail
        self._tail = self._begin(self.last + 1)
        self._remember(old)

    def _remember(self, index: _Index) -> None:
        self._sealed[index.segment.first] = index
        while len(self._sealed) > OPEN_SEGMENTS_MAX:
            self._forget(next(iter(self._sealed)))

    def _forget(self, first: int) -> None:
        index = self._sealed.pop(first, None)
        if index is not None:
            self._disk.close(index.file)

    def _index_of(self, height: int) -> _Index:
        first = self._firsts[bisect_right(self._firsts, height) - 1]
        if first == self._tail.segment.first:
            return self._tail
        index = self._sealed.get(first)
        if index is None:
            index = self._walk(self._path(first))
            self._remember(index)
        self._sealed.move_to_end(first)
        return index

    def _walk(self, path: Path) -> _Index:
        """Offsets of a sealed segment by its frame headers; checksums are checked when a block is read."""
        file = self._disk.open(path)
        segment = read_header(self._kind.tag, self._disk.read(file, 0, HEADER_BYTES))
        if isinstance(segment, str):
            self._disk.close(file)
            raise self._damaged(f"{path}: {segment}")
        index = _Index(path, segment, file)
        sequence = segment.first
        while True:
            extent = frame_extent(segment, self._disk.read(file, index.end, FRAME_BYTES))
            if extent is None or extent[0] != sequence:
                return index
            index.offsets.append(index.end)
            index.end += FRAME_BYTES + extent[1]
            sequence += 1

    def _open_tail(self, path: Path) -> _Index:
        """DISK-5. The last segment: its torn end is cut, damage before it refuses to open."""
        data = read_file(path, SEGMENT_BYTES_MAX)
        segment = read_header(self._kind.tag, data)
        if isinstance(segment, str):
            raise self._damaged(f"{path}: {segment}")
        found = scan(segment, data)
        if isinstance(found, Damaged):
            raise self._damaged(f"{path}: {found.detail}; {self._kind.one}s from {found.sequence} on")
        index = _Index(path, segment, self._disk.open(path))
        for frame in found.frames:
            index.offsets.append(frame.offset - FRAME_BYTES)
            index.end = frame.end
        if isinstance(found, Torn):
            self.cut_bytes = found.cut_bytes
            self._disk.cut(index.file, index.end)
        self._disk.sync(index.file)
        return index


def repair(folder: Path, disk: Disk, salt: Callable[[int], bytes]) -> int:
    """DISK-12. Keep the blocks before the first damage, set the rest aside as `….damaged`; the last height kept.

    Every segment is read. The node fetches the rest from its peers. 0 where nothing is left. Raises `Fault`.
    """
    firsts = sorted(int(path.stem) for path in folder.glob(f"*{_SUFFIX}") if path.stem.isdecimal())
    good_to = firsts[0] - 1 if firsts else 0
    for position, first in enumerate(firsts):
        path = folder / f"{first:016d}{_SUFFIX}"
        is_tail = position == len(firsts) - 1
        found = _scan_file(path, Tag.BLOCK_LOG, sealed=not is_tail) if first == good_to + 1 else None
        if isinstance(found, Whole) or (is_tail and isinstance(found, Torn)):
            good_to = first + len(found.frames) - 1
            continue
        aside = [folder / f"{later:016d}{_SUFFIX}" for later in reversed(firsts[position:])]
        for later in aside:
            disk.rename(later, later.with_name(later.name + ".damaged"))
        disk.sync_folder(folder)
        if isinstance(found, Damaged) and found.frames:
            data = read_file(path.with_name(path.name + ".damaged"), SEGMENT_BYTES_MAX)
            _copy_good(path, found, data, disk, salt)
            good_to = first + len(found.frames) - 1
        break
    return good_to


def _copy_good(path: Path, found: Damaged, data: bytes, disk: Disk, salt: Callable[[int], bytes]) -> None:
    """A new segment with the frames before the damage."""
    segment = Segment(Tag.BLOCK_LOG, found.frames[0].sequence, salt(SALT_BYTES))
    temporary = path.with_name(path.name + ".new")
    file = disk.create(temporary)
    try:
        end = HEADER_BYTES
        disk.write(file, 0, header_bytes(segment))
        for frame in found.frames:
            copy = frame_bytes(segment, frame.sequence, segment.first, data[frame.offset : frame.end])
            disk.write(file, end, copy)
            end += len(copy)
        disk.sync(file)
    finally:
        disk.close(file)
    disk.rename(temporary, path)
    disk.sync_folder(path.parent)


def _scan_file(path: Path, tag: Tag, *, sealed: bool) -> Whole | Torn | Damaged:
    data = read_file(path, SEGMENT_BYTES_MAX)
    segment = read_header(tag, data)
    if isinstance(segment, str):
        return Damaged((), 0, 0, segment)
    return scan_sealed(segment, data) if sealed else scan(segment, data)
