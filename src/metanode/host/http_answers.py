"""How answers and errors leave the port."""

from typing import Any, Final

import msgspec
from starlette.responses import Response

from metanode.api.errors import ApiError, ApiRefusal, ErrorBody, error_form, explain
from metanode.api.openapi import JSON
from metanode.host.http_counts import HEADER

_ENCODER: Final = msgspec.json.Encoder()
_SAFE: Final = {
    "x-content-type-options": "nosniff",
    "cache-control": "no-store",
    "cross-origin-resource-policy": "same-origin",
}


def json_bytes(value: Any) -> bytes:
    """The JSON of a struct, a document or a list of them."""
    return _ENCODER.encode(value)


def json_response(value: Any, status: int = 200) -> Response:
    """HTTP-5. An answer as JSON."""
    return Response(_ENCODER.encode(value), status, _SAFE, JSON)


def bytes_response(data: bytes, media_type: str) -> Response:
    """HTTP-5. An answer as it is."""
    return Response(data, 200, _SAFE, media_type)


def error_bytes(error: ApiError) -> bytes:
    """HTTP-2. The body of an error."""
    return _ENCODER.encode(ErrorBody(error=error_form(error)))


def error_response(error: ApiError, retry_after_s: float = 0.0, allow: str = "") -> Response:
    """HTTP-2. An error: its status, the one shape, and the headers HTTP wants beside it."""
    headers = {**_SAFE, HEADER.decode(): error.code}
    match error.code:
        case ApiRefusal.UNAUTHENTICATED:
            headers["www-authenticate"] = 'Bearer realm="metanode"'
        case ApiRefusal.BODY_TOO_LARGE | ApiRefusal.TIMED_OUT:
            headers["connection"] = "close"  # what is left of the body is not read
        case _:
            pass
    if retry_after_s:
        headers["retry-after"] = str(max(1, int(retry_after_s + 0.999)))
    if allow:
        headers["allow"] = allow
    return Response(error_bytes(error), explain(error.code).http_status, headers, JSON)
