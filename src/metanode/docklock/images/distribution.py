"""What a registry says in the distribution protocol, apart from images: challenges, tokens, errors, ranges."""

import re
from dataclasses import dataclass
from typing import Annotated, Final

import msgspec

from metanode.docklock.images.manifests import decode_json
from metanode.docklock.images.refusals import RegistryRefusal
from metanode.primitives.refusal import Rejected

ANSWER_BYTES_MAX: Final = 65_536
"""Longest token or error."""
CHALLENGE_MAX: Final = 4096
"""Longest header WWW-Authenticate in characters."""
TOKEN_MAX: Final = 16_384
"""Longest token; servers of ours and others take headers of at most 64 KiB in all."""
_WORD: Final = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_SCHEME: Final = re.compile(rf"[\s,]*({_WORD})(?:\s+|\s*,|$)")
_PARAMETER: Final = re.compile(rf'\s*,?\s*({_WORD})\s*=\s*(?:"((?:[^"\\]|\\.)*)"|({_WORD}))')
_RANGE: Final = re.compile(r"bytes ([0-9]{1,15})-([0-9]{1,15})/(?:[0-9]{1,15}|\*)")
_TOKEN: Final = re.compile(r"[A-Za-z0-9._~+/=-]+")


@dataclass(frozen=True, slots=True)
class Challenge:
    """How a registry wants to know who asks: `bearer` or `basic`, and its parameters."""

    scheme: str
    parameters: tuple[tuple[str, str], ...]

    def parameter(self, name: str) -> str:
        """A parameter, or an empty text."""
        return dict(self.parameters).get(name, "")


class _Token(msgspec.Struct, frozen=True):
    token: str = ""
    access_token: str = ""


class _Error(msgspec.Struct, frozen=True):
    code: Annotated[str, msgspec.Meta(max_length=ANSWER_BYTES_MAX)] = ""
    message: str | None = None


class _Errors(msgspec.Struct, frozen=True):
    errors: tuple[_Error, ...] = ()


def parse_challenges(text: str) -> tuple[Challenge, ...]:
    """IMG-22. The challenges of a header WWW-Authenticate (RFC 9110 §11.6.1); what follows nonsense is not read."""
    found: list[Challenge] = []
    at = 0
    text = text[:CHALLENGE_MAX]
    while (scheme := _SCHEME.match(text, at)) is not None and scheme[1]:
        at = scheme.end(1)
        parameters = []
        while (match := _PARAMETER.match(text, at)) is not None:
            value = match[3] if match[3] is not None else re.sub(r"\\(.)", r"\1", match[2])
            parameters.append((match[1].lower(), value))
            at = match.end()
        found.append(Challenge(scheme[1].lower(), tuple(parameters)))
    return tuple(found)


def decode_token(data: bytes) -> str:
    """IMG-22. The token of an answer of a token server."""
    try:
        found: _Token = decode_json(data, _Token, "token", ANSWER_BYTES_MAX)
    except Rejected as rejected:
        raise Rejected(RegistryRefusal.PROTOCOL, rejected.detail) from rejected
    token = found.token or found.access_token
    if _TOKEN.fullmatch(token) is None or len(token) > TOKEN_MAX:
        raise Rejected(RegistryRefusal.PROTOCOL, f"the token server gave no token, but {token[:20]!r}")
    return token


def error_text(data: bytes) -> str:
    """IMG-23. What a registry says about its refusal, as one line; what is not of its protocol is shown as it is."""
    try:
        found: _Errors = decode_json(data, _Errors, "error", ANSWER_BYTES_MAX)
        said = "; ".join(f"{one.code} {one.message or ''}".strip() for one in found.errors[:4])
    except Rejected:
        said = data[:200].decode("utf-8", "replace")
    return "".join(letter if letter.isprintable() else " " for letter in said).strip()[:300]


def range_begins(text: str) -> int | None:
    """IMG-24. Where the bytes of a partial answer begin, by its header Content-Range; None where it says nothing."""
    match = _RANGE.fullmatch(text)
    return int(match[1]) if match is not None else None
