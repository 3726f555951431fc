"""The pages of an agent's port about the mesh: what leads where, and an operator's call through it."""

import base64
from typing import Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from metanode.docklock.mesh import MeshRefusal
from metanode.host.agent.mesh.asking import PATH
from metanode.host.agent.mesh.node_mesh import NodeMesh
from metanode.host.agent.secret_pages import Asking
from metanode.primitives.refusal import Rejected

BODY_BYTES_MAX: Final = 4_096
"""Largest request."""


async def _body(request: Request) -> bytes:
    data = b""
    async for piece in request.stream():
        data += piece
        if len(data) > BODY_BYTES_MAX:
            raise Rejected(MeshRefusal.MALFORMED, f"more than {BODY_BYTES_MAX} bytes")
    return data


class MeshPages:
    """MESH-9, MESH-16. For operators."""

    def __init__(self, mesh: NodeMesh) -> None:
        self._mesh: Final = mesh

    def routes(self, asking: Asking) -> list[Route]:
        """The pages; `asking` is the port's own check of who may."""

        async def shown(request: Request) -> Response:
            asking(request, b"", role="operators")
            return JSONResponse(self._mesh.routes())

        async def called(request: Request) -> Response:
            body = await _body(request)
            asking(request, body, role="operators")
            given = await self._mesh.call(request.headers.get("authorization", ""), body)
            return JSONResponse(
                {
                    "service": given.service,
                    "port": given.port,
                    "index": given.index,
                    "attempt": given.attempt,
                    "node": given.node,
                    "first_us": given.answer.first_us,
                    "cut": given.answer.cut,
                    "data": base64.b64encode(given.answer.data).decode(),
                }
            )

        return [Route("/v1/mesh/routes", shown), Route(PATH, called, methods=["POST"])]
