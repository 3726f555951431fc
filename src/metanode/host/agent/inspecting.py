"""Looking at each other's replicas: a prober's question over HTTP, and a node's signed answer."""

import asyncio
import http.client
from collections.abc import Callable
from contextlib import closing
from hashlib import sha256
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from metanode.docklock.agent.events import Inspect, Inspected
from metanode.docklock.agent.judging import Question, container_of, judge, speaks_http
from metanode.docklock.cluster.state import Duty
from metanode.host.agent.chain import ChainPort, ChainUnreachable
from metanode.host.agent.content import Content
from metanode.host.agent.probes import ask_inside, look
from metanode.host.agent.secret_pages import Asking
from metanode.host.runtimes.driver import ContainerState, Driver
from metanode.host.runtimes.states import Phase
from metanode.primitives import ed25519
from metanode.primitives.codec import encode
from metanode.primitives.refusal import Rejected
from metanode.records.address import address_of_key
from metanode.records.agent_request import RequestRefusal, authorization
from metanode.records.statement import (
    ANSWER_BYTES_MAX,
    INSPECTION_ANSWERS,
    NONCE_BYTES,
    InspectionAnswer,
    Statement,
    state,
)
from metanode.records.workload import HealthCheck, WorkloadSpec

ANSWER_S: Final = 5.0
"""How long another agent may take, its health check included: what takes longer found nothing."""
SPECS_MAX: Final = 256
"""Specifications that a prober remembers: as many as one node may run."""


class Inspector:
    """PROBE-9. The prober's side. `random`: so many fresh bytes; `now_ms`: this machine's clock."""

    def __init__(
        self,
        cluster: str,
        key: ed25519.SigningKey,
        chain: ChainPort,
        content: Content,
        random: Callable[[int], bytes],
        now_ms: Callable[[], int],
    ) -> None:
        self._cluster: Final = cluster
        self._key: Final = key
        self._account: Final = address_of_key(key.public_key)
        self._chain: Final = chain
        self._content: Final = content
        self._random: Final = random
        self._now_ms: Final = now_ms
        self._specs: Final[dict[bytes, WorkloadSpec]] = {}

    async def look(self, effect: Inspect) -> Inspected:
        """One look at another node's replica."""
        duty = effect.duty
        asked = Question(self._cluster, self._account, self._random(NONCE_BYTES))
        spec = await asyncio.to_thread(self._spec, duty)
        got = await asyncio.to_thread(self._ask, duty, asked)
        check = spec.health[0] if spec is not None and spec.health else None
        sight, statement = judge(duty, asked, check, got)
        return Inspected(self._now_ms(), duty, sight, statement)

    def _spec(self, duty: Duty) -> WorkloadSpec | None:
        """This node's own copy; `None` where it cannot be had now: then the statement alone is judged."""
        if duty.spec not in self._specs:
            try:
                spec = self._content.spec(duty.spec, self._chain.terms(duty.workload, duty.revision))
            except (ChainUnreachable, Rejected):
                return None
            if spec is None:
                return None
            if len(self._specs) >= SPECS_MAX:
                self._specs.clear()
            self._specs[duty.spec] = spec
        return self._specs[duty.spec]

    def _ask(self, duty: Duty, asked: Question) -> InspectionAnswer | None:
        path = f"/v1/inspections/{container_of(self._cluster, duty)}?nonce={asked.nonce.hex()}"
        signed = authorization(self._cluster, "GET", path, b"", self._now_ms(), self._key)
        try:
            with closing(http.client.HTTPConnection(duty.api, timeout=ANSWER_S)) as connection:
                connection.request("GET", path, headers={"Authorization": signed})
                answer = connection.getresponse()
                if answer.status != 200:
                    return None
                return INSPECTION_ANSWERS.decode(answer.read(INSPECTION_ANSWERS.bytes_max + 1))
        except (OSError, ValueError, http.client.HTTPException, Rejected):
            return None


class Answerer:
    """PROBE-9. The node's side. `spec_of`: the specification of one of its containers, `None` where there is none."""

    def __init__(
        self,
        cluster: str,
        key: ed25519.SigningKey,
        driver: Driver,
        spec_of: Callable[[str], WorkloadSpec | None],
        now_ms: Callable[[], int],
    ) -> None:
        self._cluster: Final = cluster
        self._key: Final = key
        self._driver: Final = driver
        self._spec_of: Final = spec_of
        self._now_ms: Final = now_ms

    def routes(self, asking: Asking) -> list[Route]:
        """The page; `asking` is the port's own check of who may."""

        async def inspected(request: Request) -> Response:
            asker = asking(request, b"", role="nodes")
            nonce = _nonce(request.query_params.get("nonce", ""))
            answer = await self.answer(request.path_params["name"], asker.account, nonce)
            return Response(encode(answer), media_type="application/octet-stream")

        return [Route("/v1/inspections/{name}", inspected)]

    async def answer(self, name: str, asker: bytes, nonce: bytes) -> InspectionAnswer:
        """Look at a container now, and sign what there is."""
        runs, well, head = await self._looked(name)
        statement = Statement(
            cluster=self._cluster,
            container=name,
            asker=asker,
            nonce=nonce,
            time_ms=self._now_ms(),
            runs=runs,
            well=well,
            answer=sha256(head).digest(),
        )
        return state(statement, head, self._key)

    async def _looked(self, name: str) -> tuple[bool, bool, bytes]:
        """Whether it runs, whether it is well, and what came out of it."""
        spec = self._spec_of(name)
        try:
            found = await self._driver.inspect(name)
        except Rejected:
            return False, False, b""
        if spec is None or found.phase is not Phase.RUNNING:
            return False, False, b""
        if not spec.health:
            return True, True, b""
        return await self._by_check(found, spec.health[0])

    async def _by_check(self, found: ContainerState, check: HealthCheck) -> tuple[bool, bool, bytes]:
        if check.probe != "http":
            return True, await look(self._driver, found.id, check), b""
        try:
            async with asyncio.timeout(check.timeout_ms / 1_000):
                head = (await asyncio.to_thread(ask_inside, found, check))[:ANSWER_BYTES_MAX]
        except (TimeoutError, OSError):
            return True, False, b""
        return True, speaks_http(head), head


def _nonce(text: str) -> bytes:
    try:
        nonce = bytes.fromhex(text)
    except ValueError:
        nonce = b""
    if len(nonce) != NONCE_BYTES:
        raise Rejected(RequestRefusal.NOT_SIGNED, f"the nonce is {NONCE_BYTES} bytes in hexadecimal digits")
    return nonce
