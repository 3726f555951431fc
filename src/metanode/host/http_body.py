"""Reading a request's body within its limits."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Final

from starlette.requests import ClientDisconnect, Request
from starlette.types import Receive

from metanode.api.errors import ApiError, ApiRefusal
from metanode.host.http_settings import PortSettings

DISCARD_BYTES_MAX: Final = 32 << 20
"""So much of a refused body is taken and thrown away: four times what would have been read."""
BODY_BYTES_FREE: Final = 64 << 10
"""Of each body this much is not counted: all connections together hold 32 MiB of it, and whoever sends little is never
kept out by those who send much."""
LONG_BODIES_BYTES_MAX: Final = 16 << 20
"""Two of the longest bodies: a validator has 250 MB for everything."""


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


class Bodies:
    """HTTP-11. Reads bodies, and knows how much of them is in memory: of each what is beyond its first bytes."""

    def __init__(self, settings: PortSettings) -> None:
        self._settings: Final = settings
        self._room: Final = max(LONG_BODIES_BYTES_MAX, settings.body_bytes_max)
        self.held = 0

    @asynccontextmanager
    async def read(self, http: Request) -> AsyncGenerator[bytes | ApiError, None]:
        """HTTP-11, HTTP-13. All of the body, unless it is too long or too slow, whatever its headers say, or there is
        no room. Its room is taken until the end of the block, for the answer is made of it."""
        body = _Body(self._take)
        try:
            yield await self._read(http, body)
        finally:
            self.held -= body.held

    def _take(self, size: int) -> bool:
        if self.held + size > self._room:
            return False
        self.held += size
        return True

    async def _read(self, http: Request, body: "_Body") -> bytes | ApiError:
        most, limit_ms = self._settings.body_bytes_max, self._settings.request_timeout_ms
        try:
            async with asyncio.timeout(limit_ms / 1000):
                async for chunk in http.stream():
                    body.add(chunk, most)
                    if body.size > most + DISCARD_BYTES_MAX:
                        break
        except TimeoutError:
            if body.size <= most:
                return ApiError(ApiRefusal.TIMED_OUT, f"the body did not arrive in {limit_ms} ms")
        except ClientDisconnect:
            return ApiError(ApiRefusal.MALFORMED, "the client went away")
        if body.size > most:
            return ApiError(ApiRefusal.BODY_TOO_LARGE, f"more than {most} bytes")
        if not body.fits:
            return ApiError(ApiRefusal.BUSY, f"long bodies of others fill the {self._room} bytes there are for them")
        return b"".join(body.chunks)


class _Body:
    """One body while it arrives; what cannot be kept is counted and thrown away."""

    def __init__(self, take: Callable[[int], bool]) -> None:
        self._take: Final = take
        self.chunks: list[bytes] = []
        self.size = self.held = 0
        self.fits = True

    def add(self, chunk: bytes, most: int) -> None:
        """The next part."""
        self.size += len(chunk)
        more = max(0, min(len(chunk), self.size - BODY_BYTES_FREE))
        if self.fits and self.size <= most and self._take(more):
            self.held += more
            self.chunks.append(chunk)
        else:
            self.fits = False
            self.chunks.clear()
