"""Of msgspec.msgpack: the shortest form of everything."""

import struct
from typing import Any


class Decoder:
    def __init__(self, kind: Any, **_: Any) -> None:
        self.type = kind


class Encoder:
    def encode(self, value: Any) -> bytes:
        match value:
            case bool():
                return b"\xc3" if value else b"\xc2"
            case int():
                return _integer(value)
            case str():
                data = value.encode()
                return _head(len(data), ((32, 0xA0), (1 << 8, 0xD9), (1 << 16, 0xDA), (1 << 32, 0xDB))) + data
            case bytes():
                return _head(len(value), ((0, 0), (1 << 8, 0xC4), (1 << 16, 0xC5), (1 << 32, 0xC6))) + value
            case tuple() | list():
                head = _head(len(value), ((16, 0x90), (0, 0), (1 << 16, 0xDC), (1 << 32, 0xDD)))
                return head + b"".join(map(self.encode, value))
            case _:
                tag = [value.__struct_tag__] if value.__struct_tag__ else []
                return self.encode((*tag, *(getattr(value, name) for name in value.__struct_fields__)))


def _head(size: int, forms: tuple[tuple[int, int], ...]) -> bytes:
    """Length in the shortest of four forms: in the first byte, in one, two or four bytes after it."""
    (inside, code), *others = forms
    if size < inside:
        return bytes([code | size])
    width, code = next((1 << at, code) for at, (limit, code) in enumerate(others) if size < limit)
    return bytes([code]) + size.to_bytes(width, "big")


def _integer(value: int) -> bytes:
    if -32 <= value < 128:
        return struct.pack("b" if value < 0 else "B", value)
    if value >= 0:
        width, code = next((w, c) for w, c in ((1, 0xCC), (2, 0xCD), (4, 0xCE), (8, 0xCF)) if value < 1 << 8 * w)
        return bytes([code]) + value.to_bytes(width, "big")
    width, code = next((w, c) for w, c in ((1, 0xD0), (2, 0xD1), (4, 0xD2), (8, 0xD3)) if value >= -(1 << 8 * w - 1))
    return bytes([code]) + value.to_bytes(width, "big", signed=True)
