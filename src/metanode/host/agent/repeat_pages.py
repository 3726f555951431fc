"""The page of an agent's port on which a deterministic job is run once more."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any, Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from metanode.docklock.cluster.state import Assignment
from metanode.docklock.receipts.chain import check_signature
from metanode.host.agent.chain import ChainUnreachable
from metanode.host.agent.repeating import Original, Repeating
from metanode.host.agent.secret_pages import Asking
from metanode.host.fault import Fault
from metanode.primitives.refusal import Rejected
from metanode.records.agent_request import RequestRefusal
from metanode.records.determinism import DeterminismRefusal
from metanode.records.workload_receipt import ENTRY_BYTES_MAX, SIGNED_ENTRIES, check_entry, signed_digest

BEAT_S: Final = 5.0
"""How often somebody who waits is told that it goes on."""


def _line(value: dict[str, Any]) -> bytes:
    return msgspec.json.encode(value) + b"\n"


def original_of(data: bytes, cluster: str) -> Original:
    """DET-11. The run that a signed entry tells of, whose signature holds. Raises `Rejected`."""
    signed = SIGNED_ENTRIES.decode(data)
    entry = signed.entry
    check_entry(entry)
    check_signature(signed)
    told = {one.name: one.value for one in entry.details}
    root, witness = told.get("witness"), told.get("output", b"")
    if entry.step != "exited" or entry.cluster != cluster or not isinstance(root, bytes):
        detail = f"entry {entry.number} of {entry.node} of {entry.cluster} is {entry.step!r} and tells no witness"
        raise Rejected(DeterminismRefusal.NO_WITNESS, detail)
    one = Assignment(
        workload=entry.workload,
        index=entry.index,
        attempt=entry.attempt,
        revision=entry.revision,
        spec=entry.spec,
        terms=b"",
        run=False,
        cpu_millicores=0,
        memory_kib=0,
        ports=(),
        priority=0,
    )
    return Original(
        one, entry.image, root, witness if isinstance(witness, bytes) else b"", bytes(signed_digest(signed))
    )


class RepeatPages:
    """DET-11. For whoever may execute in the cluster's containers, and for its operators."""

    def __init__(self, cluster: str, repeating: Repeating) -> None:
        self._cluster: Final = cluster
        self._repeating: Final = repeating

    def routes(self, asking: Asking) -> list[Route]:
        """The page; `asking` is the port's own check of who may."""

        async def again(request: Request) -> Response:
            body = await request.body() if _is_short(request) else b""
            try:
                asking(request, body, role="executors")
            except Rejected as refused:
                if refused.reason is not RequestRefusal.NOT_ALLOWED:
                    raise
                asking(request, body, role="operators")
            original = original_of(body, self._cluster)
            return StreamingResponse(self._lines(original), media_type="application/x-ndjson")

        return [Route("/v1/replays", again, methods=["POST"])]

    async def _lines(self, original: Original) -> AsyncIterator[bytes]:
        """A beat as long as it runs, then what came of it."""
        run = asyncio.create_task(self._repeating.again(original))
        try:
            while not (await asyncio.wait((run,), timeout=BEAT_S))[0]:
                yield _line({"running": True})
            yield _line(run.result().message())
        except (Rejected, Fault) as refused:
            yield _line({"error": {"code": str(refused.reason), "message": refused.detail}})
        except ChainUnreachable as error:
            code = str(DeterminismRefusal.MISSING)
            yield _line({"error": {"code": code, "message": f"the chain is out of reach: {error}"}})
        finally:
            run.cancel()


def _is_short(request: Request) -> bool:
    """A body is read only where it says that it is one signed entry."""
    length = request.headers.get("content-length", "")
    return length.isdecimal() and int(length) <= ENTRY_BYTES_MAX
