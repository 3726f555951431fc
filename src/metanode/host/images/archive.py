"""An archive read from its beginning to its end, entry by entry, each with its content."""

from collections.abc import Iterator
from typing import Final

from metanode.docklock.images.refusals import ImageRefusal
from metanode.docklock.images.tar import BLOCK_BYTES, End, Entry, Extra, Headers
from metanode.host.images.streams import PIECE_BYTES, Reader
from metanode.primitives.refusal import Rejected

_ZEROS: Final = bytes(PIECE_BYTES)


class Content:
    """The bytes of one entry; what is not read is passed over when the next entry is asked for."""

    __slots__ = ("_left", "_padding", "_source")

    def __init__(self, source: Reader, size: int) -> None:
        self._source = source
        self._left = size
        self._padding = -size % BLOCK_BYTES

    def read(self, size: int) -> bytes:
        """The next bytes, fewer only at the end of the content. Refused where the archive ends before."""
        wanted = min(size, self._left)
        data = self._source.read(wanted)
        if len(data) < wanted:
            raise _cut_off()
        self._left -= wanted
        return data

    def piece(self) -> bytes:
        """The next bytes, as many as come at once; none at the end."""
        return self.read(PIECE_BYTES)

    def pieces(self) -> Iterator[bytes]:
        """What is left, in pieces."""
        return iter(self.piece, b"")

    def finish(self) -> None:
        """Pass over what is left, and over what fills the last block."""
        for _ in self.pieces():
            pass
        if len(self._source.read(self._padding)) < self._padding:
            raise _cut_off()
        self._padding = 0


def entries(source: Reader) -> Iterator[tuple[Entry, Content]]:
    """IMG-10. Every entry of an archive. Behind its end only zeros may follow: what one reader stops before, another
    would read. An archive without the zeros that mark its end is taken, as every reader takes it.
    """
    headers = Headers()
    while block := source.read(BLOCK_BYTES):
        if len(block) < BLOCK_BYTES:
            raise _cut_off()
        match headers.block(block):
            case Extra(size):
                content = Content(source, size)
                headers.more(b"".join(content.pieces()))
                content.finish()
            case Entry() as entry:
                content = Content(source, entry.size)
                yield entry, content
                content.finish()
            case End():
                while rest := source.read(PIECE_BYTES):
                    if rest != _ZEROS[: len(rest)]:
                        raise Rejected(ImageRefusal.TAR_MALFORMED, "something follows the end of the archive")
                return
    headers.check_end()


def _cut_off() -> Rejected:
    return Rejected(ImageRefusal.TAR_MALFORMED, "the archive ends in the middle of an entry")
