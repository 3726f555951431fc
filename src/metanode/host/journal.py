"""The journal: what this validator promised, durable before anyone hears of it. It stores bytes and knows no more."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

from metanode.host.disk import Disk, read_file
from metanode.host.fault import Fault, FaultReason
from metanode.host.segment import (
    HEADER_BYTES,
    PAYLOAD_BYTES_MAX,
    SALT_BYTES,
    Damaged,
    Frame,
    Segment,
    Torn,
    Whole,
    frame_bytes,
    header_bytes,
    read_header,
    scan,
)
from metanode.primitives.digest import Tag

JOURNAL_BYTES_MAX: Final = 1 << 30
"""A journal is begun anew every few blocks; one above this was not, and is not read into memory."""
RECORD_BYTES_MAX: Final = PAYLOAD_BYTES_MAX
"""A prepared body of the largest block fits."""
_SUFFIX: Final = ".journal"


@dataclass(frozen=True, slots=True)
class JournalWhole:
    """Everything that was written is there."""

    records: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class JournalCut:
    """The last write had been cut short by a crash and is gone; nobody had been told of it."""

    records: tuple[bytes, ...]
    cut_bytes: int


@dataclass(frozen=True, slots=True)
class JournalDamaged:
    """Something durable is gone. The records before the damage are worth reading, not enough to vote on: observe."""

    records: tuple[bytes, ...]
    detail: str


JournalRead: TypeAlias = JournalWhole | JournalCut | JournalDamaged


class Journal:
    """Appends records in order, each call durable when it returns. One owner, one thread at a time.

    `salt` gives 16 fresh random bytes for each segment.
    """

    def __init__(self, folder: Path, disk: Disk, salt: Callable[[int], bytes]) -> None:
        self._folder = folder
        self._disk = disk
        self._salt = salt
        self._file = -1
        self._segment = Segment(Tag.JOURNAL, 0, bytes(SALT_BYTES))
        self._next = 0
        self._end = 0
        self._stopped = "the journal is not open"
        self._is_damaged = False

    @classmethod
    def create(cls, folder: Path, disk: Disk, salt: Callable[[int], bytes]) -> None:
        """An empty journal in a folder that is made for it."""
        disk.make_folder(folder)
        journal = cls(folder, disk, salt)
        journal.begin_segment(())
        journal.close()

    @classmethod
    def open(cls, folder: Path, disk: Disk, salt: Callable[[int], bytes]) -> tuple["Journal", JournalRead]:
        """DISK-6. The journal and what is in it: the newest segment, its torn end cut. Raises `Fault` of the disk."""
        journal = cls(folder, disk, salt)
        return journal, journal._recover()

    def append(self, records: Sequence[bytes]) -> None:
        """DISK-1. Write the records and return when they are durable. Raises `Fault`; after one nothing is appended
        any more, because nobody knows what of it is on the disk.
        """
        self._check_usable()
        if not records:
            return
        batch = self._next
        data = b"".join(frame_bytes(self._segment, batch + i, batch, record) for i, record in enumerate(records))
        try:
            self._disk.write(self._file, self._end, data)
            self._disk.sync(self._file)
        except Fault as fault:
            self._stopped = str(fault)
            raise
        self._end += len(data)
        self._next += len(records)

    def begin_segment(self, records: Sequence[bytes]) -> None:
        """DISK-7. Begin anew with only these records. The new segment is durable, name and all, before the old ones go;
        a damaged one is kept beside it as `….damaged`. This is also the only way out of damage.
        """
        segment = Segment(Tag.JOURNAL, self._next, self._salt(SALT_BYTES))
        frames = [frame_bytes(segment, self._next + i, self._next, record) for i, record in enumerate(records)]
        data = header_bytes(segment) + b"".join(frames)
        path = self._folder / f"{self._next_number():012d}{_SUFFIX}"
        temporary = path.with_name(path.name + ".new")
        file = self._disk.create(temporary)
        try:
            self._disk.write(file, 0, data)
            self._disk.sync(file)
            self._disk.rename(temporary, path)
            self._disk.sync_folder(self._folder)
            self._clear_old(path)
        except Fault as fault:
            self._disk.close(file)
            self._stopped = str(fault)
            raise
        self.close()
        self._file, self._segment = file, segment
        self._stopped, self._is_damaged = "", False
        self._next += len(records)
        self._end = len(data)

    def close(self) -> None:
        """Close the file; everything appended is durable already."""
        if self._file >= 0:
            self._disk.close(self._file)
        self._file = -1
        self._stopped = "the journal is closed"

    def _check_usable(self) -> None:
        if self._stopped:
            fix = "start the node again; a damaged journal is left by syncing past it as an observer"
            raise Fault(FaultReason.JOURNAL_DAMAGED, f"nothing can be appended: {self._stopped}", fix)

    def _segments(self) -> list[Path]:
        return sorted(self._folder.glob(f"*{_SUFFIX}"))

    def _next_number(self) -> int:
        names = [path.name.split(".")[0] for path in self._folder.glob("*.journal*")]
        return max((int(name) for name in names if name.isdecimal()), default=-1) + 1

    def _clear_old(self, newest: Path) -> None:
        """DISK-7. Old segments say nothing that the newest does not; a damaged one may tell somebody what happened."""
        for old in self._segments():
            if old == newest:
                continue
            if self._is_damaged:
                self._disk.rename(old, old.with_name(old.name + ".damaged"))
            else:
                self._disk.remove(old)
        self._disk.sync_folder(self._folder)

    def _recover(self) -> JournalRead:
        for left in self._folder.glob("*.new"):  # a segment that was never named: nobody appended to it
            self._disk.remove(left)
        segments = self._segments()
        if not segments:
            return self._damaged((), f"no segment in {self._folder}")
        newest = segments[-1]
        data = read_file(newest, JOURNAL_BYTES_MAX)
        if len(data) > JOURNAL_BYTES_MAX:
            return self._damaged((), f"{newest.name} has more than {JOURNAL_BYTES_MAX} bytes")
        segment = read_header(Tag.JOURNAL, data)
        if isinstance(segment, str):
            return self._damaged((), f"{newest.name}: {segment}")
        found = scan(segment, data)
        records = tuple(data[f.offset : f.end] for f in found.frames)
        self._segment, self._next = segment, segment.first + len(records)
        match found:
            case Damaged(_, _, _, detail):
                return self._damaged(records, f"{newest.name}: {detail}")
            case Torn(_, cut_bytes):
                self._continue(newest, found.frames, len(data))
                return JournalCut(records, cut_bytes)
            case Whole():
                self._continue(newest, found.frames, len(data))
                return JournalWhole(records)

    def _continue(self, newest: Path, frames: tuple[Frame, ...], size: int) -> None:
        """Go on behind the last good frame. What a killed process wrote may be whole but not durable: sync first."""
        self._file = self._disk.open(newest)
        self._end = frames[-1].end if frames else HEADER_BYTES
        if self._end < size:
            self._disk.cut(self._file, self._end)
        self._disk.sync(self._file)
        self._stopped = ""
        if len(self._segments()) > 1:
            self._clear_old(newest)

    def _damaged(self, records: tuple[bytes, ...], detail: str) -> JournalDamaged:
        self._stopped, self._is_damaged = detail, True
        return JournalDamaged(records, detail)
