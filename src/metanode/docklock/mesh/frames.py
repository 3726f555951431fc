"""MESH-10. What agents say to each other about flows; every message is one of BPCI's stream bulk."""

import re
from dataclasses import dataclass
from enum import IntEnum
from struct import Struct
from typing import Final

from metanode.docklock.mesh.refusals import MeshRefusal
from metanode.primitives.codec import Decoder, Wire, encode
from metanode.primitives.refusal import Rejected

VERSION: Final = 1
"""Of an opening."""
OPENING_BYTES_MAX: Final = 4_096
"""Largest opening: the longest is an operator's request."""
DATA_BYTES_MAX: Final = 32_768
"""Most bytes of one message: a flow that says much lets others speak in between."""
FLOW_MAX: Final = (1 << 32) - 1
"""Highest number of a flow of a session; a session that reached it ends."""
HEADER: Final = Struct(">BBI")
"""kind(1) ‖ side(1) ‖ flow(4)."""

_CREDIT: Final = Struct(">Q")
_CODE: Final = re.compile(rb"[a-z][a-z0-9-]{0,30}\.[a-z][a-z0-9-]{0,62}")


class Kind(IntEnum):
    """What a message is."""

    OPEN = 1
    ACCEPT = 2
    REFUSE = 3
    DATA = 4
    END = 5
    RESET = 6
    CREDIT = 7


class Opening(Wire):
    """Who calls whom: `caller` a workload by a revision, or empty for an operator, whose signed request is `header` and
    `body`; the replica of the service that is meant, and the port in its container."""

    version: int
    caller: str
    revision: int
    service: str
    port: int
    index: int
    attempt: int
    header: str
    body: bytes


OPENINGS: Final = Decoder[Opening](Opening, OPENING_BYTES_MAX)


@dataclass(frozen=True, slots=True)
class Message:
    """One message. `ours`: about a flow that the reader opened. `data`: bytes carried; `code`: why it is refused or
    reset; `credit`: everything taken in so far; `opening`: with OPEN alone."""

    kind: Kind
    flow: int
    ours: bool
    data: bytes = b""
    code: str = ""
    credit: int = 0
    opening: Opening | None = None


def write(kind: Kind, flow: int, rest: bytes = b"", *, ours: bool) -> bytes:
    """A message about a flow that the writer opened (`ours`), or the other side."""
    return HEADER.pack(kind, 0 if ours else 1, flow) + rest


def write_opening(flow: int, opening: Opening) -> bytes:
    """OPEN."""
    return write(Kind.OPEN, flow, encode(opening), ours=True)


def write_credit(flow: int, credit: int, *, ours: bool) -> bytes:
    """CREDIT."""
    return write(Kind.CREDIT, flow, _CREDIT.pack(credit), ours=ours)


def write_code(kind: Kind, flow: int, code: str, *, ours: bool) -> bytes:
    """REFUSE or RESET."""
    return write(kind, flow, code.encode("ascii"), ours=ours)


def _malformed(detail: str) -> Rejected:
    return Rejected(MeshRefusal.MALFORMED, detail)


def read(message: bytes) -> Message:
    """MESH-10. A message of another agent. Raises `Rejected` MALFORMED."""
    if len(message) < HEADER.size:
        raise _malformed(f"{len(message)} bytes")
    number, side, flow = HEADER.unpack_from(message)
    if not Kind.OPEN <= number <= Kind.CREDIT or side > 1:
        raise _malformed(f"kind {number}, side {side}")
    kind, rest = Kind(number), message[HEADER.size :]
    ours = side == 1
    match kind:
        case Kind.DATA:
            if not 0 < len(rest) <= DATA_BYTES_MAX:
                raise _malformed(f"{len(rest)} bytes of data")
            return Message(kind, flow, ours, data=rest)
        case Kind.OPEN:
            if ours:
                raise _malformed("opens a flow of ours")
            return Message(kind, flow, ours, opening=_opening(rest))
        case Kind.REFUSE | Kind.RESET:
            if not _CODE.fullmatch(rest):
                raise _malformed("no code")
            return Message(kind, flow, ours, code=rest.decode("ascii"))
        case Kind.CREDIT:
            if len(rest) != _CREDIT.size:
                raise _malformed("no credit")
            return Message(kind, flow, ours, credit=_CREDIT.unpack(rest)[0])
        case _:
            if rest:
                raise _malformed(f"{kind.name} with {len(rest)} bytes")
            return Message(kind, flow, ours)


def _opening(rest: bytes) -> Opening:
    try:
        opening = OPENINGS.decode(rest)
    except Rejected as rejected:
        raise _malformed(f"opening: {rejected.detail}"[:200]) from None
    if opening.version != VERSION:
        raise _malformed(f"version {opening.version}")
    if not all(0 <= number < 1 << 32 for number in (opening.revision, opening.port, opening.index, opening.attempt)):
        raise _malformed("a number without bounds")
    return opening
