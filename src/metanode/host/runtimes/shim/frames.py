"""Messages between agent and shim: a length, then JSON. Bounded on both sides."""

import base64
import json
import re
from typing import Any, Final

from metanode.host.runtimes.refusals import RuntimeRefusal
from metanode.primitives.refusal import Rejected

FRAME_BYTES_MAX: Final = 2 << 20
"""One message: a plan with all its secrets, commands and variables fits."""
LENGTH_BYTES: Final = 4
DEPTH_MAX: Final = 32
"""Nesting of a message; the deepest of ours has six levels. The parser of the standard library goes as deep as the
recursion limit of the process lets it, which a library may have set beyond what its stack can hold."""
_ESCAPED: Final = re.compile(rb"\\.", re.DOTALL)
_TEXT: Final = re.compile(rb'"[^"]*"')
Message = dict[str, Any]


def packed(message: Message) -> bytes:
    """A frame. Bytes inside a message go as text, see `text_of`."""
    body = json.dumps(message, separators=(",", ":")).encode()
    if len(body) > FRAME_BYTES_MAX:
        raise Rejected(RuntimeRefusal.BAD_FRAME, f"{len(body)} bytes, at most {FRAME_BYTES_MAX}")
    return len(body).to_bytes(LENGTH_BYTES, "big") + body


class Unpacker:
    """RUN-6. Bytes in, messages out. Holds at most one frame and what was just read."""

    def __init__(self) -> None:
        self._held = bytearray()

    def feed(self, data: bytes) -> list[Message]:
        """The messages these bytes complete."""
        self._held += data
        found = []
        while len(self._held) >= LENGTH_BYTES:
            length = int.from_bytes(self._held[:LENGTH_BYTES], "big")
            if length > FRAME_BYTES_MAX:
                raise Rejected(RuntimeRefusal.BAD_FRAME, f"a frame of {length} bytes, at most {FRAME_BYTES_MAX}")
            if len(self._held) < LENGTH_BYTES + length:
                break
            body = bytes(self._held[LENGTH_BYTES : LENGTH_BYTES + length])
            del self._held[: LENGTH_BYTES + length]
            found.append(_message(body))
        return found


def _is_deep(body: bytes) -> bool:
    """Whether brackets outside of texts are nested too deeply. Most messages do not even have so many."""
    if body.count(b"[") + body.count(b"{") <= DEPTH_MAX:
        return False
    depth = 0
    for byte in _TEXT.sub(b"", _ESCAPED.sub(b"", body)):
        if byte in b"[{":
            depth += 1
            if depth > DEPTH_MAX:
                return True
        elif byte in b"]}":
            depth -= 1
    return False


def _message(body: bytes) -> Message:
    if _is_deep(body):
        raise Rejected(RuntimeRefusal.BAD_FRAME, f"nested more than {DEPTH_MAX} levels deep")
    try:
        message = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Rejected(RuntimeRefusal.BAD_FRAME, "not JSON") from error
    if not isinstance(message, dict):
        raise Rejected(RuntimeRefusal.BAD_FRAME, "not an object")
    return message


def text_of(data: bytes) -> str:
    """Bytes as text, for a message."""
    return str(base64.b64encode(data), "ascii")


def bytes_of(text: str) -> bytes:
    """The bytes of such a text."""
    try:
        return base64.b64decode(text, validate=True)
    except (ValueError, TypeError) as error:
        raise Rejected(RuntimeRefusal.BAD_FRAME, "not base64") from error
