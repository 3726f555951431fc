"""The pages of an agent's port about secrets: operators put, list and remove, nodes ask to have one sealed to them."""

import asyncio
from collections.abc import Callable
from typing import Any, Final, Protocol

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from metanode.host.agent.chain import ChainUnreachable
from metanode.host.agent.secrets import NodeSecrets
from metanode.primitives.refusal import Rejected
from metanode.records.agent_request import Asker
from metanode.records.demand import check_name
from metanode.records.secret import (
    SEALED_BYTES_MAX,
    SECRETS_ASKED,
    SecretAsked,
    SecretLabel,
    SecretRefusal,
)

AT_ONCE: Final = 4
"""Questions of other nodes that are answered side by side; each costs proofs of the chain."""


class Asking(Protocol):
    """AGENT-10. Who asks, if he may. Raises `Rejected`."""

    def __call__(self, request: Request, body: bytes, *, role: str) -> Asker:
        """The account that signed."""


def _shown(label: SecretLabel) -> dict[str, Any]:
    return {"secret": label.secret, "version": label.version, "commitment": label.commitment.hex()}


async def _body(request: Request) -> bytes:
    data = b""
    async for piece in request.stream():
        data += piece
        if len(data) > SEALED_BYTES_MAX:
            raise Rejected(SecretRefusal.TOO_LARGE, f"an envelope has at most {SEALED_BYTES_MAX} bytes")
    return data


class SecretPages:
    """SECRET-4, SECRET-8. What is refused is written down by the node that refuses."""

    def __init__(self, secrets: NodeSecrets, random: Callable[[int], bytes]) -> None:
        self._secrets: Final = secrets
        self._random: Final = random
        self._turns: Final = asyncio.Semaphore(AT_ONCE)

    def routes(self, asking: Asking) -> list[Route]:
        """The pages; `asking` is the port's own check of who may."""

        async def list_(request: Request) -> Response:
            asking(request, b"", role="operators")
            labels = await asyncio.to_thread(self._secrets.labels)
            return JSONResponse([_shown(label) for label in labels])

        async def put(request: Request) -> Response:
            body = await _body(request)
            asker = asking(request, body, role="operators")
            return await self._put(request.path_params["name"], body, asker)

        async def remove(request: Request) -> Response:
            asking(request, b"", role="operators")
            name, below = request.path_params["name"], request.query_params.get("below", "0")
            check_name("secret", name)
            number = int(below) if below.isdecimal() and len(below) < 11 else 0
            return JSONResponse({"removed": await asyncio.to_thread(self._secrets.remove, name, number)})

        async def seal(request: Request) -> Response:
            body = await _body(request)
            asker = asking(request, body, role="nodes")
            return await self._seal(SECRETS_ASKED.decode(body), asker)

        return [
            Route("/v1/secrets", list_),
            Route("/v1/secrets/{name}", put, methods=["PUT"]),
            Route("/v1/secrets/{name}", remove, methods=["DELETE"]),
            Route("/v1/secrets/{name}/seal", seal, methods=["POST"]),
        ]

    async def _put(self, name: str, body: bytes, asker: Asker) -> Response:
        try:
            check_name("secret", name)
            label = await asyncio.to_thread(self._secrets.keep, body, name)
        except Rejected as refused:
            self._secrets.refused(refused, "SECRET-3", asker.account)
            raise
        return JSONResponse(_shown(label))

    async def _seal(self, asked: SecretAsked, asker: Asker) -> Response:
        try:
            async with self._turns:
                data = await self._secrets.seal_for(asked, asker.account, self._random(32))
        except ChainUnreachable as error:
            unproved = Rejected(SecretRefusal.NOT_PLACED, f"nothing can be proved now: {error}")
            self._secrets.refused(unproved, "SECRET-8", asker.account)
            raise unproved from None
        except Rejected as refused:
            if refused.reason is not SecretRefusal.MISSING:
                self._secrets.refused(refused, "SECRET-8", asker.account)
            raise
        return Response(data, media_type="application/octet-stream")
