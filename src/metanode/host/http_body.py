"""Reading a request's body within its limits."""

import asyncio

from starlette.requests import ClientDisconnect, Request

from metanode.api.errors import ApiError, ApiRefusal
from metanode.host.http_settings import PortSettings


def media_type(http: Request) -> str:
    """The content type without its parameters."""
    return http.headers.get("content-type", "").partition(";")[0].strip().lower()


async def read_body(http: Request, settings: PortSettings) -> bytes | ApiError:
    """HTTP-11, HTTP-13. All of the body, unless it is too long or too slow, whatever its headers say."""
    chunks: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(settings.request_timeout_ms / 1000):
            async for chunk in http.stream():
                size += len(chunk)
                if size > settings.body_bytes_max:
                    return ApiError(ApiRefusal.BODY_TOO_LARGE, f"more than {settings.body_bytes_max} bytes")
                chunks.append(chunk)
    except TimeoutError:
        return ApiError(ApiRefusal.TIMED_OUT, f"the body did not arrive in {settings.request_timeout_ms} ms")
    except ClientDisconnect:
        return ApiError(ApiRefusal.MALFORMED, "the client went away")
    return b"".join(chunks)
