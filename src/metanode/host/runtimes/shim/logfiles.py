"""What a container says, kept in a bounded number of files, each record with its time and stream and in a chain of
digests: whoever knows the last digest knows that nothing before it was changed.

    file    magic(8) "MNCTLOG1" ‖ offset(8) ‖ digest(32) ‖ records
    record  time in ns(8) ‖ stream(1) ‖ length(4) ‖ bytes

Numbers are big-endian. `offset` counts the bytes of records before this file, `digest` is the chain's there; a record's
digest is SHA-256(digest before ‖ record). The files are named by their offset.
"""

import hashlib
import os
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from metanode.host.runtimes.states import LogMark

MAGIC: Final = b"MNCTLOG1"
FILE_HEADER: Final = struct.Struct(">8sQ32s")
RECORD_HEADER: Final = struct.Struct(">QBI")
RECORD_BYTES_MAX: Final = 64 << 10
"""Of one record: what one read of a pipe gives at most."""
GENESIS: Final = bytes(32)
"""The chain's digest before its first record."""
STDOUT: Final = 1
STDERR: Final = 2
"""Streams: as a process numbers them."""


def chained(digest: bytes, record: bytes) -> bytes:
    """The digest after one more record."""
    return hashlib.sha256(digest + record).digest()


class LogFiles:
    """RUN-18. The writer: the newest `files` files of about `file_bytes` each."""

    def __init__(self, folder: Path, file_bytes: int, files: int) -> None:
        folder.mkdir(0o700, parents=True, exist_ok=True)
        self._folder: Final = folder
        self._file_bytes: Final = file_bytes
        self._files: Final = files
        self._names: Final[list[int]] = []
        self._file = -1
        self._in_file = 0
        self._end = 0
        self._lost = 0
        self._digest = GENESIS

    def resume(self) -> None:
        """Go on after what another writer left here. What he was writing when he ended is cut off."""
        self._names[:] = sorted(int(path.stem) for path in self._folder.glob("*.log"))
        while self._names and not self._resumed(self._names[-1]):
            log_path(self._folder, self._names.pop()).unlink(missing_ok=True)

    def _resumed(self, base: int) -> bool:
        """Whether the file that begins there is one of a log; then it is written on."""
        try:
            data = log_path(self._folder, base).read_bytes()
            magic, offset, digest = FILE_HEADER.unpack_from(data)
        except (OSError, struct.error):
            return False
        if magic != MAGIC or offset != base:
            return False
        self._in_file, self._digest = FILE_HEADER.size, digest
        for *_, whole in records(data[FILE_HEADER.size :]):
            self._in_file += len(whole)
            self._digest = chained(self._digest, whole)
        self._end = base + self._in_file - FILE_HEADER.size
        self._file = os.open(log_path(self._folder, base), os.O_WRONLY | os.O_CLOEXEC)
        os.ftruncate(self._file, self._in_file)
        return True

    def append(self, stream: int, time_ns: int, data: bytes) -> None:
        """Write one record. Where the disk takes none it is lost and counted, and the container goes on."""
        record = RECORD_HEADER.pack(time_ns, stream, len(data)) + data
        try:
            if self._file < 0 or self._in_file + len(record) > self._file_bytes:
                self._rotate()
            written = os.pwrite(self._file, record, self._in_file)
        except OSError:
            self._lost += len(data)
            return
        if written < len(record):
            os.ftruncate(self._file, self._in_file)
            self._lost += len(data)
            return
        self._in_file += written
        self._end += written
        self._digest = chained(self._digest, record)

    def _rotate(self) -> None:
        """Begin the next file and forget the oldest."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
        path = log_path(self._folder, self._end)
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        os.write(self._file, FILE_HEADER.pack(MAGIC, self._end, self._digest))
        self._in_file = FILE_HEADER.size
        if self._end not in self._names:
            self._names.append(self._end)
        while len(self._names) > self._files:
            log_path(self._folder, self._names.pop(0)).unlink(missing_ok=True)

    def mark(self) -> LogMark:
        """Where it is now."""
        return LogMark(self._end, self._names[0] if self._names else 0, self._lost, self._digest.hex())

    def close(self) -> None:
        """Write no more."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1


def log_path(folder: Path, offset: int) -> Path:
    """The file that begins at an offset."""
    return folder / f"{offset:020d}.log"


def records(data: bytes) -> Iterator[tuple[int, int, bytes, bytes]]:
    """(time, stream, bytes, the record whole) of each record that is complete."""
    at = 0
    while at + RECORD_HEADER.size <= len(data):
        time_ns, stream, length = RECORD_HEADER.unpack_from(data, at)
        stop = at + RECORD_HEADER.size + length
        if stop > len(data):
            return
        yield time_ns, stream, data[at + RECORD_HEADER.size : stop], data[at:stop]
        at = stop
