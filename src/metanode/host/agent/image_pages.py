"""The pages of an agent's port on which its images are looked at, checked and given up."""

import asyncio
from collections.abc import Callable
from typing import Any, Final, Protocol

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from metanode.docklock.images.digests import parse_digest
from metanode.docklock.images.refusals import ImageRefusal
from metanode.host.agent.images import NodeImages
from metanode.host.images.catalogue import Image
from metanode.host.images.store import ImageDetail
from metanode.primitives.refusal import Rejected

USER_SHOWN: Final = 32
"""Most labels and variables that are shown of an image; its documents can be had as content."""


class Asking(Protocol):
    """Who asks, if he may. Raises `Rejected`."""

    def __call__(self, request: Request, body: bytes, *, role: str) -> object:
        """`role`: `operators`, or `nodes` for them and the nodes."""


def shown(image: Image) -> dict[str, Any]:
    """An image in a list."""
    return {
        "digest": str(image.digest),
        "manifest": str(image.manifest),
        "media_type": image.top.media_type,
        "size": image.top.size,
        "platform": str(image.platform),
        "names": list(image.names),
        "bytes": image.size,
        "parts": [str(part) for part in image.parts],
    }


def shown_whole(detail: ImageDetail) -> dict[str, Any]:
    """An image with its layers and what it says of how it is started."""
    run = detail.config.run
    return {
        **shown(detail.image),
        "layers": [
            {"digest": str(one.digest), "bytes": one.size, "media_type": one.media_type}
            for one in detail.manifest.layers
        ],
        "entrypoint": list(run.entrypoint),
        "command": list(run.command),
        "user": run.user,
        "folder": run.folder,
        "variables": [name for name, _ in run.environment[:USER_SHOWN]],
        "ports": [f"{number}/{protocol}" for number, protocol in run.ports],
        "volumes": list(run.volumes),
        "labels": dict(run.labels[:USER_SHOWN]),
        "stop_signal": run.stop_signal,
    }


class ImagePages:
    """AGENT-15. `using`: digests of the images that this node's containers are made of; none before it is known."""

    def __init__(self, images: NodeImages, using: Callable[[], frozenset[bytes] | None]) -> None:
        self._images: Final = images
        self._using: Final = using

    def routes(self, asking: Asking) -> list[Route]:
        """The pages; `asking` is the port's own check of who may."""

        async def show(request: Request) -> Response:
            asking(request, b"", role="nodes")
            digest = str(parse_digest(request.path_params["digest"]))
            return JSONResponse(shown_whole(await asyncio.to_thread(self._images.show, digest)))

        async def check(request: Request) -> Response:
            asking(request, b"", role="operators")
            digest = str(parse_digest(request.path_params["digest"]))
            parts, size = await asyncio.to_thread(self._images.check, digest)
            return JSONResponse({"parts": parts, "bytes": size})

        async def remove(request: Request) -> Response:
            asking(request, b"", role="operators")
            digest = str(parse_digest(request.path_params["digest"]))
            name = request.query_params.get("name", "")
            left = await asyncio.to_thread(self._images.remove, digest, name, self._known())
            return JSONResponse({"names": list(left)})

        async def prune(request: Request) -> Response:
            asking(request, b"", role="operators")
            swept = await asyncio.to_thread(self._images.collect, self._known())
            return JSONResponse({"blobs": swept.blobs, "bytes": swept.bytes, "roots": swept.roots})

        return [
            Route("/v1/images/prune", prune, methods=["POST"]),
            Route("/v1/images/{digest}", show),
            Route("/v1/images/{digest}", remove, methods=["DELETE"]),
            Route("/v1/images/{digest}/check", check, methods=["POST"]),
        ]

    def _known(self) -> frozenset[bytes]:
        """The images in use. Refused while it is not known what runs here: right after the agent has begun."""
        using = self._using()
        if using is None:
            raise Rejected(ImageRefusal.IN_USE, "the agent has just begun and does not know yet what it is to run")
        return using
