"""The pages of an agent's port about volumes: what is here, and away with it."""

import asyncio
from typing import Final

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from metanode.host.agent.secret_pages import Asking
from metanode.host.agent.volumes import NodeVolumes
from metanode.host.runtimes.driver import Driver
from metanode.host.runtimes.states import Phase


class VolumePages:
    """VOLUME-4. For operators."""

    def __init__(self, volumes: NodeVolumes, driver: Driver) -> None:
        self._volumes: Final = volumes
        self._driver: Final = driver

    def routes(self, asking: Asking) -> list[Route]:
        """The pages; `asking` is the port's own check of who may."""

        async def list_(request: Request) -> Response:
            asking(request, b"", role="operators")
            found = await asyncio.to_thread(self._volumes.show)
            return JSONResponse([msgspec.to_builtins(one) for one in found])

        async def remove(request: Request) -> Response:
            asking(request, b"", role="operators")
            return await self._remove(request.path_params["name"])

        return [
            Route("/v1/volumes", list_),
            Route("/v1/volumes/{name}", remove, methods=["DELETE"]),
        ]

    async def _remove(self, name: str) -> Response:
        states = await self._driver.list()
        running = [one.id for one in states if one.phase is not Phase.EXITED]
        await asyncio.to_thread(self._volumes.remove, name, running)
        return JSONResponse({"removed": name})
