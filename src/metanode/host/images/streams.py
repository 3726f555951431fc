"""Bytes of archives and layers on their way: unpacked, hashed, counted; never more in memory than a piece."""

import zlib
from hashlib import sha256
from typing import BinaryIO, Final, Protocol

from metanode.docklock.images.bounds import check_inflation
from metanode.docklock.images.digests import Digest
from metanode.docklock.images.refusals import ImageRefusal
from metanode.host.fault import disk_fault
from metanode.primitives.refusal import Rejected

PIECE_BYTES: Final = 1 << 18
"""What is read at once: large enough that calls cost little, small enough for the cache of a processor."""
_GZIP: Final = b"\x1f\x8b"
_OTHERS: Final = {b"\x28\xb5\x2f\xfd": "zstd", b"\xfd7zXZ\x00": "xz", b"BZh": "bzip2", b"\x04\x22\x4d\x18": "lz4"}
"""How streams of other compressions begin."""
_GZIP_WINDOW: Final = 31
"""zlib's word for `a gzip header, and the largest window`."""


class Pieces(Protocol):
    """What gives bytes in pieces."""

    def piece(self) -> bytes:
        """The next bytes; none at the end."""
        ...


class FilePieces:
    """A file as it is."""

    __slots__ = ("_file",)

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def piece(self) -> bytes:
        """The next bytes. Raises `Fault`."""
        try:
            return self._file.read(PIECE_BYTES)
        except OSError as error:
            raise disk_fault(error, "reading an archive") from error


class GunzipPieces:
    """IMG-11. A gzip stream unpacked: one member or several; damage and bombs are refused as soon as they show."""

    __slots__ = ("_inflater", "_packed", "_source", "_unpacked", "_unread")

    def __init__(self, first: bytes, source: Pieces) -> None:
        """`first`: what of the stream was read already."""
        self._source = source
        self._inflater = zlib.decompressobj(_GZIP_WINDOW)
        self._unread = first
        self._packed = len(first)
        self._unpacked = 0

    def piece(self) -> bytes:
        """The next bytes."""
        while True:
            if not self._unread:
                self._unread = self._source.piece()
                self._packed += len(self._unread)
            if self._inflater.eof:
                if not self._unread:
                    return b""
                self._inflater = zlib.decompressobj(_GZIP_WINDOW)
            fed = self._unread
            try:
                piece = self._inflater.decompress(fed, PIECE_BYTES)
            except zlib.error as error:
                detail = f"gzip is damaged within its first {self._packed} bytes: {error}"
                raise Rejected(ImageRefusal.STREAM_DAMAGED, detail) from None
            self._unread = self._inflater.unused_data if self._inflater.eof else self._inflater.unconsumed_tail
            self._unpacked += len(piece)
            check_inflation(self._packed, self._unpacked)
            if piece:
                return piece
            if not fed and not self._inflater.eof:
                detail = f"gzip ends in the middle, after {self._packed} bytes"
                raise Rejected(ImageRefusal.STREAM_DAMAGED, detail)


class HashedPieces:
    """A stream whose bytes are hashed and counted as they pass."""

    __slots__ = ("_hasher", "_source", "size")

    def __init__(self, source: Pieces) -> None:
        self._source = source
        self._hasher = sha256()
        self.size = 0

    def piece(self) -> bytes:
        """The next bytes."""
        piece = self._source.piece()
        self._hasher.update(piece)
        self.size += len(piece)
        return piece

    def digest(self) -> Digest:
        """The digest of what has passed."""
        return Digest(self._hasher.hexdigest())


class _Begun:
    """A stream of which the first bytes were read already."""

    __slots__ = ("_first", "_source")

    def __init__(self, first: bytes, source: Pieces) -> None:
        self._first = first
        self._source = source

    def piece(self) -> bytes:
        first, self._first = self._first, b""
        return first or self._source.piece()


class Reader:
    """Pieces read in whatever portions are wanted."""

    __slots__ = ("_at", "_piece", "_source")

    def __init__(self, source: Pieces) -> None:
        self._source = source
        self._piece = b""
        self._at = 0

    def read(self, size: int) -> bytes:
        """The next bytes, fewer only at the end."""
        end = self._at + size
        if end <= len(self._piece):
            data = self._piece[self._at : end]
            self._at = end
            return data
        parts = [self._piece[self._at :]]
        missing = size - len(parts[0])
        self._piece, self._at = b"", 0
        while missing and (piece := self._source.piece()):
            parts.append(piece[:missing])
            self._piece, self._at = piece, len(parts[-1])
            missing -= len(parts[-1])
        return b"".join(parts)


def unpacked(source: Pieces) -> Pieces:
    """IMG-11. The stream itself, or unpacked where it is gzip, told by its first bytes. Refused: other compressions."""
    first = source.piece()
    while 0 < len(first) < 6 and (more := source.piece()):
        first += more
    if first.startswith(_GZIP):
        return GunzipPieces(first, source)
    for mark, name in _OTHERS.items():
        if first.startswith(mark):
            raise Rejected(ImageRefusal.COMPRESSION, f"compressed by {name}: pack it again by gzip, or not at all")
    return _Begun(first, source)
