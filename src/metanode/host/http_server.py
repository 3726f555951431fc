"""The public port: JSON-RPC, REST, events, metrics and documents, inside the node's own loop."""

import asyncio
import contextlib
import socket
from collections.abc import Generator
from time import monotonic
from typing import Final

import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from metanode.api.errors import ApiError, ApiRefusal
from metanode.api.method import Scope
from metanode.api.openapi import JSON, PROMETHEUS, openapi
from metanode.api.openrpc import openrpc
from metanode.host.http_answers import bytes_response, error_response, json_bytes, json_response
from metanode.host.http_body import Bodies, media_type
from metanode.host.http_calls import Calls
from metanode.host.http_counts import Counts
from metanode.host.http_door import Door
from metanode.host.http_events import Events
from metanode.host.http_guard import Guard
from metanode.host.http_head import Head
from metanode.host.http_limits import Connections, TokenBuckets
from metanode.host.http_protocol import limited_protocol
from metanode.host.http_rest import Rest, caller_of
from metanode.host.http_rpc import Rpc
from metanode.host.http_settings import PortSettings

BACKLOG: Final = 512
"""Connections the kernel may hold for us."""
STOP_S: Final = 3
"""How long requests that run may still take when the node stops."""


class EmbeddedServer(uvicorn.Server):
    """uvicorn inside a loop that is not its own: signals belong to the node, and somebody waits for the start."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.began = asyncio.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """None: they belong to whoever runs the loop."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, and say so."""
        await super().startup(sockets)
        self.began.set()


class Pages:
    """The endpoints that are no methods of the table."""

    def __init__(
        self, version: str, door: Door, rpc: Rpc, buckets: TokenBuckets, counts: Counts, bodies: Bodies
    ) -> None:
        self._bodies: Final = bodies
        self._door: Final = door
        self._rpc: Final = rpc
        self._buckets: Final = buckets
        self._counts: Final = counts
        self._openapi: Final = json_bytes(openapi(version))
        self._openrpc: Final = json_bytes(openrpc(version))

    def routes(self, *, metrics: bool) -> list[Route]:
        """Their paths."""
        return [
            Route("/rpc", self._rpc_page, methods=["POST"]),
            Route("/health", self._health),
            Route("/ready", self._ready),
            Route("/openapi.json", self._openapi_page),
            Route("/openrpc.json", self._openrpc_page),
            *([Route("/metrics", self._metrics)] if metrics else []),
        ]

    async def _health(self, _: Request) -> Response:
        """HTTP-6. The process lives and its loop turns."""
        return json_response({"ok": True})

    async def _ready(self, _: Request) -> Response:
        """HTTP-6. The node has recovered and follows the chain."""
        if self._door.ready():
            return json_response({"ok": True})
        return error_response(ApiError(ApiRefusal.NOT_READY, "recovering, or behind the chain"))

    async def _metrics(self, http: Request) -> Response:
        """HTTP-6. Counters need the scope `read`."""
        if Scope.READ not in caller_of(http).scopes:
            return error_response(ApiError(ApiRefusal.FORBIDDEN, "/metrics needs the scope 'read'"))
        return bytes_response(self._door.metrics() + self._counts.render(), PROMETHEUS)

    async def _openapi_page(self, _: Request) -> Response:
        return bytes_response(self._openapi, JSON)

    async def _openrpc_page(self, _: Request) -> Response:
        return bytes_response(self._openrpc, JSON)

    async def _rpc_page(self, http: Request) -> Response:
        async with self._bodies.read(http) as body:
            if isinstance(body, ApiError):
                return error_response(body)
            return await self._answer_rpc(body, http)

    async def _answer_rpc(self, body: bytes, http: Request) -> Response:
        if media_type(http) != JSON:
            return error_response(ApiError(ApiRefusal.WRONG_MEDIA_TYPE, f"{media_type(http)[:80]!r} is not {JSON}"))
        caller = caller_of(http)

        def take(cost: int) -> ApiError | None:
            if self._buckets.take(caller.name, cost):
                return ApiError(ApiRefusal.RATE_LIMITED, f"{cost + 1} requests at once are too many now")
            return None

        status, answer = await self._rpc.handle(body, caller, take)
        if status == 204:
            return Response(status_code=204)
        return Response(answer, status, {"cache-control": "no-store"}, JSON)


async def _http_error(http: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException), "registered for this alone"
    if error.status_code == 405:
        allow = (error.headers or {}).get("Allow", "")
        return error_response(ApiError(ApiRefusal.WRONG_VERB, f"{http.method} is not for this path"), allow=allow)
    return error_response(ApiError(ApiRefusal.UNKNOWN_METHOD, "no such path; see /openapi.json"))


async def _bug(http: Request, _: Exception) -> Response:
    """HTTP-21. A bug of the port itself; uvicorn writes the trace down."""
    return error_response(ApiError(ApiRefusal.INTERNAL, f"{http.method} failed inside the port"))


class HttpServer:
    """The port. `start` binds it and returns its URL; `stop` says good-bye to streams and lets requests end."""

    def __init__(self, settings: PortSettings, door: Door) -> None:
        self._settings: Final = settings
        self._head: Final = Head(door, settings.request_timeout_ms)
        buckets = TokenBuckets(settings.rate_per_second, settings.rate_burst, monotonic)
        calls = Calls(settings, door, self._head)
        counts = Counts()
        bodies = Bodies(settings)
        pages = Pages(settings.version, door, Rpc(calls, counts), buckets, counts, bodies)
        events = Events(settings, calls, self._head)
        app = Starlette(
            routes=[
                *pages.routes(metrics=settings.metrics),
                Route("/v1/events", events, methods=["GET"]),
                *Rest(bodies, calls).routes(),
            ],
            exception_handlers={HTTPException: _http_error, Exception: _bug},
        )
        self.connections: Final = Connections(settings.connections_max, settings.connections_per_address_max)
        counts.gauges["metanode_http_connections"] = lambda: self.connections.open
        counts.gauges["metanode_http_long_body_bytes"] = lambda: bodies.held
        counts.gauges["metanode_http_streams"] = lambda: events.open
        self._server: Final = EmbeddedServer(
            uvicorn.Config(
                Guard(settings, buckets, counts, app),
                http=limited_protocol(settings, self.connections, counts),
                loop="none",
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,
                backlog=BACKLOG,
                timeout_keep_alive=max(1, settings.keep_alive_ms // 1000),
                timeout_graceful_shutdown=STOP_S,
                ssl_certfile=settings.tls_certificate or None,
                ssl_keyfile=settings.tls_key or None,
            )
        )
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> str:
        """HTTP-7. Bind and listen. Raises `OSError` where the port is taken or the address is not ours."""
        family = socket.AF_INET6 if ":" in self._settings.address else socket.AF_INET
        listener = socket.socket(family, socket.SOCK_STREAM)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((self._settings.address, self._settings.port))
            listener.listen(BACKLOG)
            listener.setblocking(False)  # noqa: FBT003
        except OSError:
            listener.close()
            raise
        port = listener.getsockname()[1]
        self._task = asyncio.create_task(self._server.serve([listener]))
        began = asyncio.create_task(self._server.began.wait())
        await asyncio.wait((began, self._task), return_when=asyncio.FIRST_COMPLETED)
        began.cancel()
        if self._task.done():
            self._task.result()
        host = f"[{self._settings.address}]" if family == socket.AF_INET6 else self._settings.address
        return f"{'https' if self._settings.tls_certificate else 'http'}://{host}:{port}"

    async def stop(self) -> None:
        """End streams with a last word, wait for what runs, close."""
        self._head.close()
        self._server.should_exit = True
        if self._task is not None:
            await self._task
