"""The tar format: headers of 512 bytes into entries. Ustar, PAX and the long names of GNU tar; nothing else.

Two readers of one archive must never see two things, so whatever readers are known to understand differently is
refused instead of guessed: sparse files, sizes on entries that have no content, global headers that change names.
"""

from dataclasses import dataclass
from enum import Enum
from typing import Final

from metanode.docklock.images.refusals import ImageRefusal
from metanode.primitives.refusal import Rejected

BLOCK_BYTES: Final = 512
"""A header; content is filled up to a multiple of it."""
EXTRA_BYTES_MAX: Final = 1 << 20
"""Longest PAX header or GNU long name."""
EXTRAS_MAX: Final = 4
"""Most such headers before one entry: a PAX header, a long name, a long link, and a global one."""
SIZE_MAX: Final = 1 << 40
"""Largest content of one entry that is even read as a number; the bounds of an image are far lower."""
TIME_MAX: Final = (1 << 33) - 1
"""Latest time of change, in seconds of Unix time (year 2242); later ones, and those before 1970, are moved to the
nearer end.
"""
_ZEROS: Final = bytes(BLOCK_BYTES)
_GLOBAL_HARMLESS: Final = frozenset({b"comment", b"mtime", b"atime", b"ctime", b"charset", b"hdrcharset"})


class Kind(Enum):
    """What an entry is."""

    FILE = b"0"
    HARD_LINK = b"1"
    SYMLINK = b"2"
    CHARACTER_DEVICE = b"3"
    BLOCK_DEVICE = b"4"
    FOLDER = b"5"
    PIPE = b"6"


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry as the archive says it; nothing in it is trusted yet.

    `mode`: permission bits, setuid, setgid and sticky. `changed_ns`: time of change in nanoseconds. `link`: target of
    a link. `has_attributes`: it came with extended attributes, which are not kept.
    """

    name: bytes
    kind: Kind
    size: int = 0
    mode: int = 0o644
    uid: int = 0
    gid: int = 0
    changed_ns: int = 0
    link: bytes = b""
    has_attributes: bool = False


@dataclass(frozen=True, slots=True)
class Extra:
    """The next so many bytes (filled up to blocks) belong to the entry that follows: hand them to `more`."""

    size: int


@dataclass(frozen=True, slots=True)
class End:
    """The archive ends here; what follows must be zeros."""


_KINDS: Final = {kind.value: kind for kind in Kind} | {b"\x00": Kind.FILE, b"7": Kind.FILE}


class Headers:
    """Headers in their order. `block` takes 512 bytes and answers an entry, a wish for more, or the end."""

    __slots__ = ("_extras", "_pax", "_wanted")

    def __init__(self) -> None:
        self._pax: dict[bytes, bytes] = {}
        self._extras = 0
        self._wanted = b""

    def block(self, block: bytes) -> Entry | Extra | End:
        """IMG-10. The next header."""
        assert len(block) == BLOCK_BYTES
        if block == _ZEROS:
            self.check_end()
            return End()
        total = sum(block) - sum(block[148:156]) + 8 * 32
        if _octal(block[148:156], "checksum") != total:
            raise _malformed("a header with a wrong checksum")
        flag = block[156:157]
        if flag in (b"x", b"g", b"L", b"K"):
            return self._begin_extra(block, flag)
        if flag not in _KINDS:
            what = "a sparse file" if flag == b"S" else f"an entry of type {flag!r}"
            raise Rejected(ImageRefusal.TAR_UNSUPPORTED, f"{what}: {block[:100]!r}"[:200])
        entry = _entry(block, _KINDS[flag], self._pax)
        self._pax, self._extras = {}, 0
        return entry

    def check_end(self) -> None:
        """IMG-10. Refuse an archive that ends here where a header still waits for its entry."""
        if self._extras:
            raise _malformed("the archive ends after a header that belongs to an entry")

    def more(self, data: bytes) -> None:
        """IMG-10. The bytes that `block` asked for."""
        match self._wanted:
            case b"x":
                self._pax.update(_pax_records(data))
            case b"g":
                strange = sorted(set(_pax_records(data)) - _GLOBAL_HARMLESS)
                if strange:
                    detail = f"a global header that changes {strange[0][:40]!r} of every entry"
                    raise Rejected(ImageRefusal.TAR_UNSUPPORTED, detail)
            case flag:
                self._pax.setdefault(b"path" if flag == b"L" else b"linkpath", data.rstrip(b"\x00"))

    def _begin_extra(self, block: bytes, flag: bytes) -> Extra:
        size = _octal(block[124:136], "size")
        if size > EXTRA_BYTES_MAX:
            raise _malformed(f"a header of {size} bytes, at most {EXTRA_BYTES_MAX}")
        self._extras += 1
        if self._extras > EXTRAS_MAX:
            raise _malformed(f"more than {EXTRAS_MAX} headers before one entry")
        self._wanted = flag
        return Extra(size)


def _entry(block: bytes, kind: Kind, pax: dict[bytes, bytes]) -> Entry:
    name = block[:100].split(b"\x00", 1)[0]
    if block[257:265] == b"ustar\x0000" and (prefix := block[345:500].split(b"\x00", 1)[0]):
        name = prefix + b"/" + name
    name = pax.get(b"path") or name
    if kind is Kind.FILE and name.endswith(b"/"):
        kind = Kind.FOLDER  # before POSIX there was no other way to say so
    sparse = next((key for key in pax if key.startswith(b"GNU.sparse.")), b"")
    if sparse:
        raise Rejected(ImageRefusal.TAR_UNSUPPORTED, f"a sparse file: {name[:80]!r}")
    size = _decimal(pax, b"size") if b"size" in pax else _octal(block[124:136], "size")
    if size > SIZE_MAX or (size and kind is not Kind.FILE):
        raise _malformed(f"{name[:80]!r} ({kind.name.lower()}) has content of {size} bytes")
    return Entry(
        name,
        kind,
        size,
        _octal(block[100:108], "mode") & 0o7777,
        _decimal(pax, b"uid") if b"uid" in pax else _octal(block[108:116], "owner"),
        _decimal(pax, b"gid") if b"gid" in pax else _octal(block[116:124], "group"),
        _pax_time(pax[b"mtime"]) if b"mtime" in pax else _seconds(_signed(block[136:148], "time")) * 10**9,
        (pax.get(b"linkpath") or block[157:257].split(b"\x00", 1)[0]) if kind in _LINKS else b"",
        any(key.startswith((b"SCHILY.xattr.", b"LIBARCHIVE.xattr.", b"SCHILY.acl.")) for key in pax),
    )


_LINKS: Final = (Kind.HARD_LINK, Kind.SYMLINK)


def _signed(field: bytes, what: str) -> int:
    """A number: octal digits, or (first bit set) a big-endian number in two's complement."""
    if field[0] & 0x80:
        number = int.from_bytes(field, "big") & ~(0x80 << 8 * (len(field) - 1))
        return number - (1 << 8 * len(field) - 1) if field[0] & 0x40 else number
    digits = field.strip(b" \x00")
    if not digits:
        return 0
    if digits.strip(b"01234567"):
        raise _malformed(f"a {what} of {field!r}")
    return int(digits, 8)


def _octal(field: bytes, what: str) -> int:
    number = _signed(field, what)
    if number < 0:
        raise _malformed(f"a negative {what}: {number}")
    return number


def _decimal(pax: dict[bytes, bytes], key: bytes) -> int:
    text = pax[key]
    if not text.isdigit() or len(text) > 20:
        raise _malformed(f"{key.decode('latin-1')} of {text[:40]!r}")
    return int(text)


def _pax_time(text: bytes) -> int:
    """Nanoseconds of `seconds.fraction`."""
    whole, _, fraction = text.partition(b".")
    if not whole.removeprefix(b"-").isdigit() or len(whole) > 20 or (fraction and not fraction.isdigit()):
        raise _malformed(f"a time of {text[:40]!r}")
    seconds = _seconds(int(whole))
    return seconds * 10**9 + (int(fraction[:9].ljust(9, b"0")) if seconds == int(whole) else 0)


def _seconds(number: int) -> int:
    return min(max(number, 0), TIME_MAX)


def _pax_records(data: bytes) -> dict[bytes, bytes]:
    """`length key=value` and a newline each; the length counts all of the record. An empty value is no value."""
    found: dict[bytes, bytes] = {}
    at = 0
    while at < len(data):
        space = data.find(b" ", at, at + 8)
        digits = data[at:space] if space > at else b""
        length = int(digits) if digits.isdigit() else 0
        record = data[space + 1 : at + length] if length else b""
        key, equals, value = record.removesuffix(b"\n").partition(b"=")
        if at + length > len(data) or not record.endswith(b"\n") or not equals or not key:
            raise _malformed(f"a PAX record at byte {at}: {data[at : at + 40]!r}")
        if key in (b"path", b"linkpath") and b"\x00" in value:
            raise _malformed(f"a PAX {key.decode()} with a NUL: {value[:80]!r}")
        if value:
            found[key] = value
        else:
            found.pop(key, None)
        at += length
    return found


def _malformed(why: str) -> Rejected:
    return Rejected(ImageRefusal.TAR_MALFORMED, why)


def file_header(name: bytes, size: int) -> bytes:
    """IMG-14. The 512 bytes before a plain file of an export: no owner, no time, so that equal content makes equal
    archives.
    """
    assert len(name) <= 100, "a plain name"
    assert size < 1 << 33, "eleven octal digits"
    fields = (
        name.ljust(100, b"\x00") + b"0000644\x00" + b"0000000\x00" * 2 + b"%011o\x00" % size + b"00000000000\x00"
        + b" " * 8 + b"0" + bytes(100) + b"ustar\x0000" + bytes(64) + b"0000000\x00" * 2 + bytes(167)
    )  # fmt: skip
    return fields[:148] + b"%06o\x00 " % sum(fields) + fields[156:]
