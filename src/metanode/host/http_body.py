"""Reading a request's body within its limits."""

import asyncio
from typing import Final

from starlette.requests import ClientDisconnect, Request
from starlette.types import Receive

from metanode.api.errors import ApiError, ApiRefusal
from metanode.host.http_settings import PortSettings

DISCARD_BYTES_MAX: Final = 32 << 20
"""So much of a refused body is taken and thrown away: four times what would have been read."""


def media_type(http: Request) -> str:
    """The content type without its parameters."""
    return http.headers.get("content-type", "").partition(";")[0].strip().lower()


async def discard(receive: Receive, settings: PortSettings) -> None:
    """HTTP-11. Take what is under way of a refused body, within bounds: most clients send all of it before they read,
    and closing on bytes that were not read resets the connection under the answer."""
    size, more = 0, True
    try:
        async with asyncio.timeout(settings.request_timeout_ms / 1000):
            while more and size <= DISCARD_BYTES_MAX:
                message = await receive()
                more = bool(message.get("more_body", False))
                size += len(message.get("body", b""))
    except TimeoutError:
        pass


async def read_body(http: Request, settings: PortSettings) -> bytes | ApiError:
    """HTTP-11, HTTP-13. All of the body, unless it is too long or too slow, whatever its headers say."""
    chunks: list[bytes] = []
    size, most = 0, settings.body_bytes_max
    try:
        async with asyncio.timeout(settings.request_timeout_ms / 1000):
            async for chunk in http.stream():
                size += len(chunk)
                if size <= most:
                    chunks.append(chunk)
                elif size > most + DISCARD_BYTES_MAX:
                    break
    except TimeoutError:
        if size <= most:
            return ApiError(ApiRefusal.TIMED_OUT, f"the body did not arrive in {settings.request_timeout_ms} ms")
    except ClientDisconnect:
        return ApiError(ApiRefusal.MALFORMED, "the client went away")
    if size > most:
        return ApiError(ApiRefusal.BODY_TOO_LARGE, f"more than {most} bytes")
    return b"".join(chunks)
