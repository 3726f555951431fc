"""The guard at the port: which host is meant, who calls, how often. It stands before every route."""

import ipaddress
from dataclasses import dataclass
from hashlib import sha256
from hmac import compare_digest
from typing import Final
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Send
from starlette.types import Scope as Connection

from metanode.api.errors import ApiError, ApiRefusal
from metanode.api.method import Scope
from metanode.host.http_answers import error_response
from metanode.host.http_body import discard
from metanode.host.http_counts import HEADER, Counts
from metanode.host.http_limits import TokenBuckets
from metanode.host.http_settings import PortSettings

OPEN_PATHS: Final = ("/health", "/ready")
"""What a load balancer asks: no token, no limit, no secret in the answer."""
_EVERYTHING: Final = frozenset(Scope)


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls: the name of the token, or the address; and what that may do."""

    name: str
    scopes: frozenset[Scope]


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def check_host(settings: PortSettings, host: str, origin: str) -> ApiError | None:
    """HTTP-8. The Host must be an IP address, localhost or a listed name; an Origin that very host, or a listed one.

    A page of a stranger whose name was made to point here sends its own name as Host; a page elsewhere, as Origin.
    Where tokens are asked for, any name will do as Host: such a page has no token.
    """
    name = urlsplit(f"//{host}").hostname if host.isprintable() else None
    ours = bool(settings.tokens) or name == "localhost" or name in settings.hosts or _is_address(name or "")
    if not name or not ours:
        return ApiError(ApiRefusal.WRONG_HOST, f"Host {host[:80]!r} is not this node's")
    if origin and origin not in settings.origins and urlsplit(origin).netloc.lower() != host.lower():
        return ApiError(ApiRefusal.WRONG_HOST, f"Origin {origin[:80]!r} is another site")
    return None


def _with_origin(send: Send, origin: str) -> Send:
    """HTTP-8. Tell the browser that pages of this listed site may read the answer."""
    headers = [
        (b"access-control-allow-origin", origin.encode()),
        (b"access-control-allow-methods", b"GET, POST, DELETE"),
        (b"access-control-allow-headers", b"authorization, content-type, last-event-id"),
        (b"vary", b"origin"),
    ]

    async def told(message: Message) -> None:
        if message["type"] == "http.response.start":
            kept = [h for h in message["headers"] if h[0] != b"cross-origin-resource-policy"]
            message = {**message, "headers": [*kept, *headers]}
        await send(message)

    return told


class Guard:
    """An ASGI application around another. What passes carries a `Caller` in its scope."""

    def __init__(self, settings: PortSettings, buckets: TokenBuckets, counts: Counts, app: ASGIApp) -> None:
        self._settings: Final = settings
        self._counts: Final = counts
        self._buckets: Final = buckets
        self._app: Final = app
        self._tokens: Final = [(t.sha256.encode(), Caller(t.name, frozenset(t.scopes))) for t in settings.tokens]

    async def __call__(self, connection: Connection, receive: Receive, send: Send) -> None:
        """Let the request through, or answer why not."""
        assert connection["type"] == "http", "no lifespan and no websockets here"
        request = Request(connection)
        self._counts.asked()
        send = self._counted(send)
        origin = request.headers.get("origin", "")
        if origin in self._settings.origins:
            send = _with_origin(send, origin)
        refusal = self._refusal(connection, request)
        if refusal is not None:
            if "expect" not in request.headers:
                await discard(receive, self._settings)
            await refusal(connection, receive, send)
        else:
            await self._app(connection, receive, send)

    def _counted(self, send: Send) -> Send:
        """HTTP-6. Every error that leaves is counted by its code."""

        async def told(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] >= 400:
                for name, value in message["headers"]:
                    if name == HEADER:
                        self._counts.refused(value.decode())
            await send(message)

        return told

    def _refusal(self, connection: Connection, request: Request) -> ASGIApp | None:
        headers = request.headers
        try:
            wrong = check_host(self._settings, headers.get("host", ""), headers.get("origin", ""))
        except ValueError:
            wrong = ApiError(ApiRefusal.WRONG_HOST, "Host or Origin is malformed")
        if wrong is not None:
            return error_response(wrong)
        if connection["method"] == "OPTIONS":
            return Response(status_code=204, headers={"allow": "GET, POST, DELETE"})
        if connection["path"] in OPEN_PATHS:
            return None
        address = request.client.host if request.client else "local"
        caller = self._caller(headers.get("authorization", ""), address)
        wait_s = self._buckets.take(caller.name if isinstance(caller, Caller) else f"address {address}")
        if wait_s:
            detail = f"more than {self._settings.rate_per_second} requests a second"
            return error_response(ApiError(ApiRefusal.RATE_LIMITED, detail), wait_s)
        if isinstance(caller, ApiError):
            return error_response(caller)
        connection["metanode.caller"] = caller
        return self._body_refusal(headers.get("content-length", "0"))

    def _body_refusal(self, length: str) -> ASGIApp | None:
        """HTTP-11. A body that says it is too long is not read at all."""
        if length.isdecimal() and int(length) <= self._settings.body_bytes_max:
            return None
        most = self._settings.body_bytes_max
        return error_response(ApiError(ApiRefusal.BODY_TOO_LARGE, f"{length[:20]} bytes, at most {most}"))

    def _caller(self, authorization: str, address: str) -> Caller | ApiError:
        """HTTP-9. Every token is compared, in constant time, before the answer."""
        if not self._tokens:
            return Caller(f"address {address}", _EVERYTHING)
        kind, _, text = authorization.partition(" ")
        given = sha256(text.strip().encode("utf-8", "surrogateescape")).hexdigest().encode()
        found: Caller | None = None
        for digest, caller in self._tokens:
            if compare_digest(digest, given):
                found = caller
        if kind.lower() != "bearer" or found is None:
            return ApiError(ApiRefusal.UNAUTHENTICATED, "this node asks for a bearer token")
        return found
