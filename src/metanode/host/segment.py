"""Segments: append-only files of checksummed frames that can tell a write cut short from damage.

A crash may leave the last, unsynced writes of a file torn in any way. Damage of what was synced is another matter: it
must never be cut away silently. Each frame therefore names its batch, the first frame synced together with it, and a
batch is begun only when everything before it is durable. So a whole frame proves that all frames before its batch were
durable once; if one of those is bad, the file is damaged, not torn.
"""

import struct
from dataclasses import dataclass
from hashlib import sha256
from typing import Final, TypeAlias

from metanode.primitives.digest import Tag

PAYLOAD_BYTES_MAX: Final = 32 << 20
"""Longest payload of a frame: twice the largest block."""
SALT_BYTES: Final = 16
"""Chance in each segment: strangers choose payloads, and must not be able to write what passes for a frame."""
FORMAT: Final = 1
"""Version of headers and frames."""

_HEADER: Final = struct.Struct(">8sHQ16s16s")
_FRAME: Final = struct.Struct(">8sIQQ16s")
_MAGIC: Final = b"MNSEGMNT"
HEADER_BYTES: Final = _HEADER.size
"""magic(8) ‖ format(2) ‖ first sequence(8) ‖ salt(16) ‖ digest(16)."""
FRAME_BYTES: Final = _FRAME.size
"""Before each payload: marker(8) ‖ length(4) ‖ sequence(8) ‖ batch(8) ‖ digest(16)."""


@dataclass(frozen=True, slots=True)
class Segment:
    """What a segment's header says. `tag` is the kind of file, `first` the sequence number of its first frame."""

    tag: Tag
    first: int
    salt: bytes

    @property
    def marker(self) -> bytes:
        """What each frame begins with: made from the salt, so that the search for a later frame (`scan`) meets frames
        and not what a stranger wrote into a payload to keep it busy.
        """
        return sha256(self.tag.value + b"marker" + self.salt).digest()[:8]


@dataclass(frozen=True, slots=True)
class Frame:
    """Where a whole frame is: its sequence number, the offset of its payload in the file, and the payload's length."""

    sequence: int
    offset: int
    length: int

    @property
    def end(self) -> int:
        """Offset of what follows."""
        return self.offset + self.length


@dataclass(frozen=True, slots=True)
class Whole:
    """Every byte belongs to a good frame."""

    frames: tuple[Frame, ...]


@dataclass(frozen=True, slots=True)
class Torn:
    """The last write was cut short: after the good frames, `cut_bytes` that were never promised to anybody."""

    frames: tuple[Frame, ...]
    cut_bytes: int


@dataclass(frozen=True, slots=True)
class Damaged:
    """Something durable is gone: frame `sequence`, due at `offset`, is bad, and a later one proves it was synced."""

    frames: tuple[Frame, ...]
    sequence: int
    offset: int
    detail: str


Scan: TypeAlias = Whole | Torn | Damaged


def header_bytes(segment: Segment) -> bytes:
    """The first bytes of a segment."""
    assert len(segment.salt) == SALT_BYTES, "a salt of 16 bytes"
    fields = struct.pack(">8sHQ16s", _MAGIC, FORMAT, segment.first, segment.salt)
    return fields + sha256(segment.tag.value + fields).digest()[:16]


def read_header(tag: Tag, data: bytes) -> Segment | str:
    """The header of a segment of this kind, or a sentence saying why there is none."""
    if len(data) < HEADER_BYTES:
        return f"{len(data)} bytes, shorter than a header"
    magic, version, first, salt, digest = _HEADER.unpack_from(data)
    if magic != _MAGIC or digest != sha256(tag.value + data[: HEADER_BYTES - 16]).digest()[:16]:
        return "the header is not one, or is damaged"
    if version != FORMAT:
        return f"format {version}, this program knows {FORMAT}"
    return Segment(tag, first, salt)


def frame_bytes(segment: Segment, sequence: int, batch: int, payload: bytes) -> bytes:
    """DISK-4. One frame. `batch`: the sequence number of the first frame that is not yet durable."""
    assert len(payload) <= PAYLOAD_BYTES_MAX, "payloads are bounded by their rooms"
    assert segment.first <= batch <= sequence, "a batch begins at or before the frame"
    fields = struct.pack(">8sIQQ", segment.marker, len(payload), sequence, batch)
    return b"".join((fields, _frame_digest(segment, fields, payload), payload))


def _frame_digest(segment: Segment, fields: bytes, payload: bytes | memoryview) -> bytes:
    hasher = sha256(segment.tag.value + segment.salt + fields)
    hasher.update(payload)
    return hasher.digest()[:16]


def whole_frame_at(segment: Segment, data: bytes | memoryview, offset: int) -> tuple[Frame, int] | None:
    """The good frame whose header begins at this offset, and its batch; None where there is none."""
    if len(data) - offset < FRAME_BYTES:
        return None
    marker, length, sequence, batch, digest = _FRAME.unpack_from(data, offset)
    start = offset + FRAME_BYTES
    if marker != segment.marker or length > PAYLOAD_BYTES_MAX or start + length > len(data):
        return None
    fields = bytes(data[offset : start - 16])
    if digest != _frame_digest(segment, fields, memoryview(data)[start : start + length]):
        return None
    return Frame(sequence, start, length), batch


def frame_extent(segment: Segment, header: bytes) -> tuple[int, int] | None:
    """(sequence, payload length) as an unchecked frame header says; None where it is not one. For walking by seeks."""
    if len(header) < FRAME_BYTES:
        return None
    marker, length, sequence, _, _ = _FRAME.unpack_from(header)
    return (sequence, length) if marker == segment.marker and length <= PAYLOAD_BYTES_MAX else None


def scan(segment: Segment, data: bytes) -> Scan:
    """DISK-5. Judge a whole segment, header included, that may have lost its last writes."""
    frames: list[Frame] = []
    offset, sequence = HEADER_BYTES, segment.first
    while offset < len(data):
        found = whole_frame_at(segment, data, offset)
        if found is None or found[0].sequence != sequence:
            return _judge_rest(segment, data, tuple(frames), offset, sequence)
        frames.append(found[0])
        offset, sequence = found[0].end, sequence + 1
    return Whole(tuple(frames))


def _judge_rest(segment: Segment, data: bytes, frames: tuple[Frame, ...], offset: int, sequence: int) -> Scan:
    """DISK-5. The frame expected at `offset` is bad: torn, unless a later good one says that it was durable."""
    marker = segment.marker
    at = data.find(marker, offset)
    while at >= 0:
        found = whole_frame_at(segment, data, at)
        if found is not None and found[1] > sequence:
            detail = f"frame {sequence} at byte {offset} is bad, frame {found[0].sequence} at byte {at} is whole"
            return Damaged(frames, sequence, offset, detail)
        at = data.find(marker, at + 1)
    return Torn(frames, len(data) - offset)


def scan_sealed(segment: Segment, data: bytes) -> Scan:
    """DISK-5. Judge a segment that was durable to its last byte: here a torn end is damage."""
    found = scan(segment, data)
    if isinstance(found, Torn):
        bad = len(data) - found.cut_bytes
        sequence = segment.first + len(found.frames)
        return Damaged(found.frames, sequence, bad, f"frame {sequence} at byte {bad} is bad")
    return found
