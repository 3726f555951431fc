"""MESH-2. The part of DNS (RFC 1035) that a container needs to find its services: one question, an address or none."""

from dataclasses import dataclass
from enum import IntEnum
from struct import Struct
from typing import Final

QUERY_BYTES_MAX: Final = 512
"""Longest query, as of RFC 1035 by UDP; more is no question for an address."""
NAME_BYTES_MAX: Final = 255
"""Longest name on the wire."""
LABEL_BYTES_MAX: Final = 63
"""Longest label."""
JUMPS_MAX: Final = 16
"""Most compression pointers followed in one name."""
FURTHER_MAX: Final = 4
"""Most records beside the question: EDNS needs one."""
TTL_S: Final = 5
"""How long an answer is believed: what may be called changes with the workloads."""

IN: Final = 1
A: Final = 1
"""The class and the type that are answered with an address."""

_HEADER: Final = Struct(">HHHHHH")
_FIXED: Final = Struct(">HH")
_RECORD: Final = Struct(">HHIH")
_ANSWER: Final = Struct(">HHHIH4s")
_RESPONSE: Final = 0x8000
_OPCODE: Final = 0x7800
_AUTHORITATIVE: Final = 0x0400
_RECURSION_DESIRED: Final = 0x0100
_RECURSION_AVAILABLE: Final = 0x0080
_POINTER: Final = 0xC0


class Code(IntEnum):
    """How a response ends."""

    NO_ERROR = 0
    FORMAT = 1
    NAME = 3
    NOT_IMPLEMENTED = 4
    REFUSED = 5


@dataclass(frozen=True, slots=True)
class Question:
    """What somebody asks: the query's number, its flags, the name in lower case, the type, and the question's bytes."""

    number: int
    flags: int
    name: str
    kind: int
    raw: bytes


@dataclass(frozen=True, slots=True)
class Unanswerable:
    """A query that gets a code at once."""

    number: int
    flags: int
    code: Code


def read_query(data: bytes) -> Question | Unanswerable | None:
    """MESH-2. A question, the code that something else deserves, or nothing for what is not to be answered."""
    if len(data) < _HEADER.size:
        return None
    number, flags, questions, answers, authorities, additional = _HEADER.unpack_from(data)
    if flags & _RESPONSE:
        return None
    if flags & _OPCODE:
        return Unanswerable(number, flags, Code.NOT_IMPLEMENTED)
    if len(data) > QUERY_BYTES_MAX or questions != 1 or answers + authorities + additional > FURTHER_MAX:
        return Unanswerable(number, flags, Code.FORMAT)
    found = _name(data, _HEADER.size)
    if found is None or found[1] + _FIXED.size > len(data):
        return Unanswerable(number, flags, Code.FORMAT)
    name, offset = found
    kind, wanted = _FIXED.unpack_from(data, offset)
    end = offset + _FIXED.size
    if not _skip(data, end, answers + authorities + additional):
        return Unanswerable(number, flags, Code.FORMAT)
    if wanted != IN:
        return Unanswerable(number, flags, Code.REFUSED)
    return Question(number, flags, name, kind, _plain(name) + data[offset:end])


def _name(data: bytes, offset: int) -> tuple[str, int] | None:
    """A name in lower case and where what follows it begins; nothing where it is none. Pointers lead backwards only."""
    labels: list[str] = []
    size, jumps, after = 1, 0, -1
    while offset < len(data):
        length = data[offset]
        if length & _POINTER == _POINTER:
            if offset + 1 >= len(data):
                return None
            target = (length & ~_POINTER) << 8 | data[offset + 1]
            after = offset + 2 if after < 0 else after
            jumps += 1
            if jumps > JUMPS_MAX or target >= offset:
                return None
            offset = target
            continue
        if length > LABEL_BYTES_MAX:
            return None
        offset += 1
        if not length:
            return ".".join(labels), after if after >= 0 else offset
        label = data[offset : offset + length]
        size += length + 1
        if len(label) < length or size > NAME_BYTES_MAX or not _is_host(label):
            return None
        labels.append(label.decode("ascii").lower())
        offset += length
    return None


def _is_host(label: bytes) -> bool:
    return all(byte in b"-_" or 48 <= byte <= 57 or 65 <= byte <= 90 or 97 <= byte <= 122 for byte in label)


def _plain(name: str) -> bytes:
    labels = name.split(".") if name else []
    return b"".join(bytes((len(label),)) + label.encode("ascii") for label in labels) + b"\0"


def _skip(data: bytes, offset: int, count: int) -> bool:
    """Whether so many records follow, and nothing else."""
    for _ in range(count):
        found = _name(data, offset)
        if found is None or found[1] + _RECORD.size > len(data):
            return False
        offset = found[1] + _RECORD.size + _RECORD.unpack_from(data, found[1])[3]
    return offset == len(data)


def _flags(flags: int, code: Code) -> int:
    return _RESPONSE | _AUTHORITATIVE | flags & _RECURSION_DESIRED | _RECURSION_AVAILABLE | code


def refuse(wrong: Unanswerable) -> bytes:
    """The response to what is not answered: its number and a code."""
    return _HEADER.pack(wrong.number, _flags(wrong.flags & ~_OPCODE, wrong.code), 0, 0, 0, 0)


def respond(question: Question, code: Code, address: str = "") -> bytes:
    """MESH-2. The response: the question, and the address where there is one and it was asked for."""
    answered = code is Code.NO_ERROR and question.kind == A and bool(address)
    head = _HEADER.pack(question.number, _flags(question.flags, code), 1, int(answered), 0, 0)
    if not answered:
        return head + question.raw
    packed = bytes(int(part) for part in address.split("."))
    return head + question.raw + _ANSWER.pack(_POINTER << 8 | _HEADER.size, A, IN, TTL_S, 4, packed)
