"""What an agent keeps of other nodes' receipts: copies of pinned batches, bounded by node, served to whoever asks."""

import asyncio
import contextlib
import http.client
import logging
import re
import time
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from metanode.docklock.receipts import batch_copy, read_copy
from metanode.host.agent.chain import ChainPort, ChainUnreachable
from metanode.host.agent.records import Records
from metanode.host.agent.secret_pages import Asking
from metanode.host.disk import Disk, read_file, write_durably
from metanode.primitives import ed25519
from metanode.primitives.refusal import Rejected
from metanode.records.address import address_of_key
from metanode.records.agent_request import Asker, RequestRefusal, authorization
from metanode.records.pinned_batch import COPY_BYTES_MAX, PinnedBatch

KEEPERS: Final = 2
"""Other agents that keep a copy of each batch: two may be lost beside the node itself before a receipt is."""
NODE_BYTES_MAX: Final = 16 << 20
"""Most bytes that are kept of one node: some 25,000 entries; the oldest go first."""
NODES_MAX: Final = 64
"""Most nodes of which anything is kept: an agent is asked by the two before it, and by others while those are away."""
PATH: Final = "/v1/receipts/copies"
TIMEOUT_S: Final = 5.0
"""How long another agent may take to answer."""
WAITING_MAX: Final = 256
"""Batches that wait to be copied; the oldest are given up, and said."""
BEGIN_S: Final = 11.0
"""After its start an agent waits so long: others learn within ten seconds who is a node."""
AGAIN_S: Final = 2.0
"""Before the second try, doubled for each further one."""
TRIES_MAX: Final = 10
"""The last try is half an hour after the first."""
IDLE_S: Final = 3_600.0
"""While nothing is due."""


_NAME: Final = re.compile(r"[a-z][a-z0-9-]{0,31}", re.ASCII)
_ACCOUNT: Final = re.compile(r"[0-9a-f]{40}", re.ASCII)


class CopyStore:
    """WREC-25. A folder a node, a file a batch, named by the number of its first entry."""

    def __init__(self, folder: Path, disk: Disk) -> None:
        self._folder: Final = folder
        self._disk: Final = disk
        disk.make_folder(folder)

    def put(self, data: bytes, asker: Asker) -> None:
        """Keep a batch of whoever asks for that. Raises `Rejected` where it is none, or is another's."""
        pinned, entries = read_copy(data)
        if address_of_key(entries[0].key) != asker.account:
            raise Rejected(RequestRefusal.NOT_ALLOWED, "a node has its own receipts kept, and no others")
        folder = self._folder / f"{entries[0].entry.node}.{asker.account.hex()}"
        if not folder.is_dir():
            if sum(1 for one in self._folder.iterdir() if one.is_dir()) >= NODES_MAX:
                raise Rejected(RequestRefusal.NOT_ALLOWED, f"receipts of {NODES_MAX} nodes are kept here already")
            self._disk.make_folder(folder)
        write_durably(self._disk, folder / f"{pinned.batch.first:019d}", data)
        kept = sorted(path for path in folder.iterdir() if path.name.isdecimal())
        total = sum(path.stat().st_size for path in kept)
        for path in kept[:-1]:
            if total <= NODE_BYTES_MAX:
                break
            total -= path.stat().st_size
            self._disk.remove(path)

    def kept(self) -> list[dict[str, Any]]:
        """Which batches are here: node, account, number of the first entry."""
        return [
            {"node": node, "account": account, "first": [int(path.name) for path in sorted(folder.iterdir())]}
            for folder in sorted(self._folder.iterdir())
            if folder.is_dir()
            for node, _, account in [folder.name.partition(".")]
        ]

    def read(self, node: str, account: str, first: int) -> bytes | None:
        """A copy; None where there is none."""
        folder = self._folder / f"{node}.{account}"
        path = folder / f"{first:019d}"
        if not (_NAME.fullmatch(node) and _ACCOUNT.fullmatch(account)) or not path.is_file():
            return None
        return read_file(path, COPY_BYTES_MAX)

    def routes(self, asking: Asking) -> list[Route]:
        """The pages for them; `asking` is the port's own check of who may."""

        async def put(request: Request) -> Response:
            body = b""
            async for piece in request.stream():
                body += piece
                if len(body) > COPY_BYTES_MAX:
                    raise Rejected(RequestRefusal.NOT_ALLOWED, f"more than {COPY_BYTES_MAX} bytes")
            asker = asking(request, body, role="nodes")
            await asyncio.to_thread(self.put, body, asker)
            return JSONResponse({})

        async def show(request: Request) -> Response:
            asking(request, b"", role="nodes")
            return JSONResponse(await asyncio.to_thread(self.kept))

        async def get(request: Request) -> Response:
            asking(request, b"", role="nodes")
            asked = request.path_params
            data = await asyncio.to_thread(self.read, asked["node"], asked["account"], asked["first"])
            if data is None:
                return JSONResponse({"error": {"code": "runtime.unknown", "message": "no such copy"}}, status_code=404)
            return Response(data, media_type="application/octet-stream")

        return [
            Route(PATH, put, methods=["PUT"]),
            Route(PATH, show),
            Route(PATH + "/{node}/{account}/{first:int}", get),
        ]


@dataclass(slots=True)
class _Due:
    """A batch that too few keep: where it is kept, how often it was tried, and when it is tried again."""

    pinned: PinnedBatch
    at_s: float
    kept: set[str] = field(default_factory=set)
    tries: int = 0


class Copier:
    """WREC-25. Gives every batch that is pinned to other agents. `endpoint`: where this one answers; `key`: of its
    account, which signs the requests."""

    def __init__(
        self, records: Records, chain: ChainPort, cluster: str, endpoint: str, key: ed25519.SigningKey
    ) -> None:
        self._records: Final = records
        self._chain: Final = chain
        self._cluster: Final = cluster
        self._endpoint: Final = endpoint
        self._key: Final = key
        self._due: list[_Due] = []
        self._more: Final = asyncio.Event()
        self._log: Final = logging.getLogger("metanode.agent")

    def copy(self, pinned: PinnedBatch) -> None:
        """A batch is pinned, and its proof is here."""
        if len(self._due) >= WAITING_MAX:
            self._give_up(self._due.pop(0))
        self._due.append(_Due(pinned, 0.0))
        self._more.set()

    async def run(self) -> None:
        """Until cancelled. It begins when others have heard that this node is in."""
        await asyncio.sleep(BEGIN_S)
        now_s = asyncio.get_running_loop().time
        while True:
            self._more.clear()
            await self.give_due(now_s())
            wait_s = min((one.at_s for one in self._due), default=now_s() + IDLE_S) - now_s()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(max(0.1, wait_s)):
                    await self._more.wait()

    async def give_due(self, now_s: float) -> None:
        """Everything whose time has come is tried once with everybody who does not keep it yet."""
        for one in [one for one in self._due if one.at_s <= now_s]:
            if await self._give(one):
                self._due.remove(one)
                continue
            one.tries += 1
            one.at_s = now_s + AGAIN_S * 2**one.tries
            if one.tries == TRIES_MAX:
                self._due.remove(one)
                self._give_up(one)

    async def _give(self, one: _Due) -> bool:
        """Whether as many as shall keep a batch do: agents that follow this one in the order of their addresses."""
        pinned = one.pinned
        entries = await self._records.reading(lambda log: log.read(pinned.batch.first, pinned.batch.count))
        if len(entries) != pinned.batch.count:
            return True
        try:
            others = await asyncio.to_thread(self._chain.agents)
        except ChainUnreachable:
            return False
        data, wanted = batch_copy(pinned, entries), min(KEEPERS, len(others))
        for endpoint in sorted(others, key=lambda other: (other < self._endpoint, other)):
            if len(one.kept) < wanted and endpoint not in one.kept:
                one.kept |= {endpoint} if await asyncio.to_thread(self._put, endpoint, data) else set()
        return len(one.kept) >= wanted > 0

    def _give_up(self, one: _Due) -> None:
        why = f"entries from {one.pinned.batch.first} on are with {len(one.kept)} others"
        self._log.warning("few keep copies of these receipts", extra={"why": why})

    def _put(self, endpoint: str, data: bytes) -> bool:
        signed = authorization(self._cluster, "PUT", PATH, data, time.time_ns() // 1_000_000, self._key)
        try:
            with closing(http.client.HTTPConnection(endpoint, timeout=TIMEOUT_S)) as connection:
                connection.request("PUT", PATH, data, {"Authorization": signed})
                return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
