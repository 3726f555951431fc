"""Canonical msgpack: one value, one sequence of bytes."""

from typing import Any, Final, Generic, TypeVar, dataclass_transform

import msgspec

from metanode.primitives.refusal import Refusal, Rejected

Value = TypeVar("Value")

_ENCODER = msgspec.msgpack.Encoder()


class CodecRefusal(Refusal):
    """Why bytes are not a value."""

    TOO_LARGE = "codec.too-large"
    """More bytes than this kind of object may have."""
    MALFORMED = "codec.malformed"
    """Not msgpack of the expected shape."""
    NOT_CANONICAL = "codec.not-canonical"
    """Decodes, but encodes to other bytes: there is a shorter or better ordered form."""


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(msgspec.field,))
class Wire(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True, gc=False, kw_only=True):
    """The shape of everything that crosses the wire or is hashed: a msgpack array, nothing else (BYTES-1)."""


def encode(value: Any) -> bytes:
    """BYTES-1. The canonical bytes of a value built from `Wire` structs, tuples, integers, bytes and strings."""
    return _ENCODER.encode(value)


class Decoder(Generic[Value]):
    """Decodes one type within a limit of bytes and refuses everything that is not canonical."""

    def __init__(self, kind: Any, bytes_max: int) -> None:
        self._decoder: Final = msgspec.msgpack.Decoder(kind)
        self.bytes_max: Final = bytes_max

    def decode(self, data: bytes) -> Value:
        """BYTES-1. Decode, encode again, compare. Raises `Rejected` with a `CodecRefusal`."""
        if len(data) > self.bytes_max:
            raise Rejected(CodecRefusal.TOO_LARGE, f"{len(data)} bytes, at most {self.bytes_max}")
        try:
            value: Value = self._decoder.decode(data)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise Rejected(CodecRefusal.MALFORMED, str(error)) from None
        if _ENCODER.encode(value) != data:
            raise Rejected(CodecRefusal.NOT_CANONICAL, "encodes to other bytes")
        return value
