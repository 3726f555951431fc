"""The agent's public port: content by digest, logs, commands in containers, what a container uses."""

import asyncio
import base64
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any, Final

import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from metanode.docklock.cluster.state import Cluster
from metanode.docklock.images.digests import Digest, parse_digest
from metanode.docklock.images.manifests import Descriptor
from metanode.docklock.images.refusals import ImageRefusal
from metanode.host.agent.attaching import Attaching
from metanode.host.agent.deeds import now_ms
from metanode.host.agent.ended import log_line
from metanode.host.agent.image_pages import ImagePages, shown
from metanode.host.agent.images import NodeImages
from metanode.host.agent.receipt_pages import ReceiptPages
from metanode.host.agent.secret_pages import Asking
from metanode.host.agent.volumes import VolumeRefusal
from metanode.host.agent.witness import Witness
from metanode.host.blobs import BlobRefusal, BlobStore
from metanode.host.fault import Fault
from metanode.host.runtimes.driver import Driver
from metanode.host.runtimes.refusals import RuntimeRefusal
from metanode.primitives.refusal import Rejected
from metanode.records.agent_request import Asker, RequestRefusal, asker_of
from metanode.records.secret import SecretRefusal

BLOB_BYTES_MAX: Final = 4 << 30
"""Largest content that may be put here: a layer of an image."""
BODY_BYTES_MAX: Final = 256 << 10
"""Largest body of any other request."""
OFFSET_DIGITS_MAX: Final = 18
"""Of an offset in a log; what is longer is none."""
PIECE_BYTES: Final = 1 << 20
"""One piece of content on its way out."""
STATUSES: Final[dict[str, int]] = {
    RequestRefusal.NOT_SIGNED: 401,
    RequestRefusal.NOT_FRESH: 401,
    RequestRefusal.NOT_ALLOWED: 403,
    RuntimeRefusal.UNKNOWN: 404,
    ImageRefusal.NOT_FOUND: 404,
    ImageRefusal.IN_USE: 409,
    BlobRefusal.MISSING: 404,
    RuntimeRefusal.WRONG_PHASE: 409,
    SecretRefusal.MISSING: 404,
    VolumeRefusal.MISSING: 404,
    VolumeRefusal.IN_USE: 409,
}
"""Statuses of refusals; of all others it is 422."""


class ExecAsked(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A command to execute in a container: words, variables, what it is given on its standard input (base64)."""

    command: tuple[str, ...]
    environment: tuple[tuple[str, str], ...] = ()
    input: str = ""


EXEC_ASKED: Final = msgspec.json.Decoder(ExecAsked)


def _line(value: dict[str, Any]) -> bytes:
    return msgspec.json.encode(value) + b"\n"


class ImageAsked(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An image whose parts were put: what its names stand for, and the names."""

    digest: str
    media_type: str
    size: int
    names: tuple[str, ...] = ()


IMAGE_ASKED: Final = msgspec.json.Decoder(ImageAsked)


@dataclass(frozen=True, slots=True)
class Stored:
    """What the node keeps: content by digest, images made of it, which of them its containers are `using`."""

    blobs: BlobStore
    images: NodeImages
    using: Callable[[], frozenset[bytes] | None]


class AgentPort:
    """AGENT-10. Answers whoever signs: `operators` put content and read logs, `executors` execute, nodes get content.

    `settled`: the cluster's record and the accounts of its nodes, as they were last proved.
    """

    def __init__(
        self,
        cluster: str,
        driver: Driver,
        stored: Stored,
        settled: Callable[[], tuple[Cluster, frozenset[bytes]]],
        witness: Witness,
        pages: ReceiptPages,
    ) -> None:
        self._cluster: Final = cluster
        self._driver: Final = driver
        self._blobs: Final = stored.blobs
        self._images: Final = stored.images
        self._image_pages: Final = ImagePages(stored.images, stored.using)
        self._settled: Final = settled
        self._witness: Final = witness
        self._pages: Final = pages
        self._more: Final[list[Callable[[Asking], list[Route]]]] = []

    def add(self, more: Callable[[Asking], list[Route]]) -> None:
        """Further pages; they are given the check of who may ask."""
        self._more.append(more)

    def application(self) -> Starlette:
        """The pages."""
        return Starlette(
            routes=[
                Route("/health", self._health),
                Route("/v1/blobs/{digest}", self._get_blob, methods=["GET", "HEAD"]),
                Route("/v1/blobs/{digest}", self._put_blob, methods=["PUT"]),
                Route("/v1/images", self._list_images),
                Route("/v1/images", self._add_image, methods=["POST"]),
                Route("/v1/containers", self._list),
                Route("/v1/containers/{name}/logs", self._logs),
                Route("/v1/containers/{name}/stats", self._stats),
                Route("/v1/containers/{name}/exec", self._exec, methods=["POST"]),
                Attaching(self._driver, self._asker, self._witness.executed).route(),
                *self._image_pages.routes(self._asker),
                *(route for more in self._more for route in more(self._asker)),
                *self._pages.routes(lambda request, body: self._asker(request, body, role="nodes")),
            ],
            exception_handlers={Rejected: self._refuse, Fault: _failed},
        )

    def _asker(self, request: Request, body: bytes, *, role: str) -> Asker:
        """AGENT-10. Who asks, if he may. Raises `Rejected`."""
        path = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        asker = asker_of(request.headers.get("authorization", ""), self._cluster, request.method, path, body, now_ms())
        cluster, nodes = self._settled()
        allowed = {cluster.owner}
        match role:
            case "executors":
                allowed.update(cluster.settings.executors)
            case "operators":
                allowed.update(cluster.settings.operators)
            case _:
                allowed.update(cluster.settings.operators, nodes)
        if asker.account not in allowed:
            everybody = {*allowed, *cluster.settings.operators, *cluster.settings.executors, *nodes}
            request.state.asker, request.state.known = asker, asker.account in everybody
            raise Rejected(RequestRefusal.NOT_ALLOWED, f"the account is not of the {role} of {self._cluster}")
        return asker

    async def _refuse(self, request: Request, error: Exception) -> Response:
        """WREC-19. A refusal is answered, and where somebody may not ask at all, written down."""
        assert isinstance(error, Rejected), "this handler is for refusals"
        if isinstance(error.reason, RequestRefusal):
            state, name = request.state, request.path_params.get("name", "")
            asker, command = getattr(state, "asker", None), getattr(state, "command", ())
            self._witness.refused(error, asker, name, command, known=getattr(state, "known", False))
        return await _refused(request, error)

    async def _health(self, _request: Request) -> Response:
        return JSONResponse({"cluster": self._cluster, "alive": True})

    async def _get_blob(self, request: Request) -> Response:
        self._asker(request, b"", role="nodes")
        digest = parse_digest(request.path_params["digest"])
        size = await asyncio.to_thread(self._blobs.size, digest)
        file = await asyncio.to_thread(self._blobs.open, digest)

        async def pieces() -> AsyncIterator[bytes]:
            with file:
                while piece := await asyncio.to_thread(file.read, PIECE_BYTES):
                    yield piece

        return StreamingResponse(pieces(), headers={"Content-Length": str(size)})

    async def _put_blob(self, request: Request) -> Response:
        self._asker(request, b"", role="operators")
        digest: Digest = parse_digest(request.path_params["digest"])
        with self._blobs.begin(BLOB_BYTES_MAX) as writing:
            async for piece in request.stream():
                await asyncio.to_thread(writing.write, piece)
            stored = await asyncio.to_thread(writing.commit, digest)
        return JSONResponse({"digest": str(stored.digest), "bytes": stored.size})

    async def _list_images(self, request: Request) -> Response:
        self._asker(request, b"", role="nodes")
        return JSONResponse([shown(image) for image in await asyncio.to_thread(self._images.list)])

    async def _add_image(self, request: Request) -> Response:
        body = await _body(request)
        self._asker(request, body, role="operators")
        try:
            asked = IMAGE_ASKED.decode(body)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise Rejected(ImageRefusal.MALFORMED, str(error)[:200]) from None
        top = Descriptor(asked.media_type, parse_digest(asked.digest), asked.size)
        return JSONResponse(shown(await asyncio.to_thread(self._images.add, top, asked.names)))

    async def _list(self, request: Request) -> Response:
        self._asker(request, b"", role="operators")
        states = await self._driver.list()
        return JSONResponse(
            [
                {"id": one.id, "engine": one.engine, "phase": one.phase, "pid": one.pid, "log_bytes": one.log.end}
                for one in states
            ]
        )

    async def _stats(self, request: Request) -> Response:
        self._asker(request, b"", role="operators")
        stats = await self._driver.stats(request.path_params["name"])
        return JSONResponse(msgspec.to_builtins(stats))

    async def _logs(self, request: Request) -> Response:
        self._asker(request, b"", role="operators")
        name = request.path_params["name"]
        since = request.query_params.get("since", "0")
        follow = request.query_params.get("follow", "") == "1"
        await self._driver.inspect(name)
        offset = int(since) if since.isdecimal() and len(since) <= OFFSET_DIGITS_MAX else 0
        records = self._driver.logs(name, offset, follow=follow)

        async def lines() -> AsyncIterator[bytes]:
            async for one in records:
                yield log_line(one)

        return StreamingResponse(lines(), media_type="application/x-ndjson")

    async def _exec(self, request: Request) -> Response:
        body = await _body(request)
        name = request.path_params["name"]
        try:
            asked = EXEC_ASKED.decode(body)
            given = base64.b64decode(asked.input, validate=True)
        except (msgspec.MsgspecError, ValueError) as error:
            self._asker(request, body, role="executors")
            raise Rejected(RuntimeRefusal.BAD_COMMAND, str(error)[:200]) from None
        request.state.command = asked.command
        asker = self._asker(request, body, role="executors")
        was = await self._witness.executed(name, asker, asked.command)
        try:
            execution = await self._driver.exec(name, asked.command, asked.environment)
        except Rejected as refused:
            was("", str(refused.reason))
            raise
        if given:
            await execution.write(given)
        await execution.end_input()

        async def lines() -> AsyncIterator[bytes]:
            try:
                async for chunk in execution.output():
                    yield _line({"stream": chunk.stream, "data": base64.b64encode(chunk.data).decode()})
                ended = await execution.wait()
                was(str(min(ended.code, 255)), "")
                yield _line({"exit": ended.code})
            except Rejected as refused:
                was("", str(refused.reason))
                yield _line({"error": {"code": str(refused.reason), "message": refused.detail}})

        return StreamingResponse(lines(), media_type="application/x-ndjson")


async def _body(request: Request) -> bytes:
    data = b""
    async for piece in request.stream():
        data += piece
        if len(data) > BODY_BYTES_MAX:
            raise Rejected(RuntimeRefusal.BAD_COMMAND, f"more than {BODY_BYTES_MAX} bytes")
    return data


async def _refused(_request: Request, error: Exception) -> Response:
    assert isinstance(error, Rejected), "this handler is for refusals"
    status = STATUSES.get(error.reason, 422)
    return JSONResponse({"error": {"code": str(error.reason), "message": error.detail}}, status_code=status)


async def _failed(_request: Request, error: Exception) -> Response:
    assert isinstance(error, Fault), "this handler is for faults"
    return JSONResponse({"error": {"code": str(error.reason), "message": error.detail}}, status_code=503)
