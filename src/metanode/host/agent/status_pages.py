"""How an agent is: how it sees the chain, what runs by which engine, what of its receipts the chain has."""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from metanode.host.agent.deeds import now_ms
from metanode.host.agent.engines import Engine
from metanode.host.agent.loop import AgentLoop
from metanode.host.agent.receipt_log import ReceiptLog
from metanode.host.agent.secret_pages import Asking
from metanode.host.runtimes.states import Phase


class StatusPages:
    """AGENT-20. What the loop sees, the engine runs and the log holds, at the moment it is asked."""

    def __init__(self, node: str, engine: Engine, loop: AgentLoop, receipts: ReceiptLog) -> None:
        self._node = node
        self._engine = engine
        self._loop = loop
        self._receipts = receipts

    def routes(self, asking: Asking) -> list[Route]:
        """`/v1/status`; `asking` is the port's own check of who may."""

        async def status(request: Request) -> Response:
            asking(request, b"", role="nodes")
            works, seen, deeds = self._engine.works, self._loop.sight.seen(now_ms()), self._loop.deeds
            running = [one.id for one in await self._engine.driver.list() if one.phase is not Phase.EXITED]
            return JSONResponse(
                {
                    "node": self._node,
                    "engine": works.engine,
                    "version": works.version,
                    "notes": list(works.notes),
                    "light": seen.light,
                    "chain": seen.words,
                    "height": seen.height,
                    "header_ms": seen.header_ms,
                    "heard_ms": seen.heard_ms,
                    "running": running,
                    "receipts": self._receipts.count,
                    "receipts_pinned": deeds.records.pinned.due if deeds is not None else 0,
                }
            )

        return [Route("/v1/status", status)]
