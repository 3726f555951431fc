"""The pages of an agent's port on which it shows its receipts: entries by number, with what proves them."""

import base64
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from metanode.docklock.receipts import Author
from metanode.host.agent.pins import PinLog
from metanode.host.agent.receipt_log import ReceiptLog
from metanode.host.agent.records import Records
from metanode.primitives.codec import encode
from metanode.primitives.merkle import inclusion_proof
from metanode.records.pinned_batch import PinnedBatch
from metanode.records.workload_receipt import Entry, SignedEntry, WorkloadReceiptFile, signed_digest

ITEMS_MAX: Final = 128
"""Entries on one page: with their proofs some 500 KB."""
SCANNED_MAX: Final = 1_024
"""Entries looked at for one page: a question must end, and whoever asks can go on where it did."""

Asking = Callable[[Request, bytes], object]
"""Who asks, if he may. Raises `Rejected`."""


@dataclass(frozen=True, slots=True)
class Asked:
    """Which entries: from a number on, about a workload, one of its replicas, one attempt of that (-1: any)."""

    first: int
    limit: int
    workload: str
    index: int
    attempt: int
    files: bool

    def wants(self, entry: Entry) -> bool:
        """Whether an entry is meant."""
        if not self.workload:
            return True
        return (
            entry.workload == self.workload and self.index in (-1, entry.index) and self.attempt in (-1, entry.attempt)
        )


def _number(request: Request, name: str, usual: int) -> int:
    text = request.query_params.get(name, "")
    return int(text) if text.isdecimal() and len(text) < 19 else usual


class _Prover:
    """The receipt files of entries, one batch after another."""

    def __init__(self, log: ReceiptLog, pins: PinLog) -> None:
        self._log: Final = log
        self._pins: Final = pins
        self._pinned: PinnedBatch | None = None
        self._leaves: list[bytes] = []

    def pinned(self, number: int) -> PinnedBatch | None:
        """The batch of an entry, where the chain has pinned it and all of it is kept."""
        known = self._pinned
        if known is None or not known.batch.first <= number < known.batch.first + known.batch.count:
            known = self._pins.find(number)
            self._pinned, self._leaves = known, []
        return known if known is not None and known.batch.first >= self._log.first else None

    def file(self, signed: SignedEntry, pinned: PinnedBatch) -> bytes:
        """WREC-8. The receipt file of an entry of this batch."""
        batch = pinned.batch
        if not self._leaves:
            self._leaves = [signed_digest(one) for one in self._log.read(batch.first, batch.count)]
        path = inclusion_proof(self._leaves, signed.entry.number - batch.first)
        file = WorkloadReceiptFile(version=1, signed=encode(signed), batch=batch, path=path, chain=pinned.chain)
        return encode(file)


def read_page(log: ReceiptLog, pins: PinLog, asked: Asked) -> dict[str, Any]:
    """WREC-21. One page of entries; `next` is where the following one begins, -1 at the end. Raises `Fault`."""
    prover, following = _Prover(log, pins), -1
    items: list[dict[str, Any]] = []
    entries = log.read(max(asked.first, log.first), SCANNED_MAX)
    for signed in entries:
        if not asked.wants(signed.entry):
            continue
        if len(items) == asked.limit:
            following = signed.entry.number
            break
        pinned = prover.pinned(signed.entry.number)
        proof = prover.file(signed, pinned) if pinned is not None and asked.files else b""
        items.append(
            {
                "signed": base64.b64encode(encode(signed)).decode(),
                "height": pinned.height if pinned is not None else 0,
                "file": base64.b64encode(proof).decode(),
            }
        )
    else:
        if entries and entries[-1].entry.number + 1 < log.count:
            following = entries[-1].entry.number + 1
    return {
        "count": log.count,
        "kept_from": log.first,
        "dropped_ms": log.dropped_ms,
        "pinned": pins.next_entry,
        "next": following,
        "items": items,
    }


class ReceiptPages:
    """WREC-21. For whoever operates the cluster, and for its nodes."""

    def __init__(self, records: Records, pins: PinLog, author: Author) -> None:
        self._records: Final = records
        self._pins: Final = pins
        self._author: Final = author

    def routes(self, asking: Asking) -> list[Route]:
        """The pages; `asking` is the port's own check of who may."""

        async def receipts(request: Request) -> Response:
            asking(request, b"")
            return await self._receipts(request)

        return [Route("/v1/receipts", receipts)]

    async def _receipts(self, request: Request) -> Response:
        asked = Asked(
            first=_number(request, "first", 0),
            limit=max(1, min(_number(request, "limit", ITEMS_MAX), ITEMS_MAX)),
            workload=request.query_params.get("workload", ""),
            index=_number(request, "index", -1),
            attempt=_number(request, "attempt", -1),
            files=request.query_params.get("files", "") == "1",
        )
        page = await self._records.reading(lambda log: read_page(log, self._pins, asked))
        return JSONResponse({"node": self._author.node, "key": self._author.key.hex(), **page})
