"""What containers said that are no more: kept within bounds, for who asks why they ended or what a job has found."""

import asyncio
import base64
import contextlib
import os
from collections import deque
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from metanode.host.agent.secret_pages import Asking
from metanode.host.runtimes.driver import LogRecord
from metanode.host.runtimes.refusals import RuntimeRefusal
from metanode.primitives.refusal import Rejected

ENDED_BYTES_MAX: Final = 512 << 10
"""Of the lines that are kept of one container, the last ones."""
ENDED_MAX: Final = 256
"""Containers of which something is kept, those that ended last."""


def log_line(one: LogRecord) -> bytes:
    """A record as it is told: one JSON object on a line."""
    data = base64.b64encode(one.data).decode()
    return msgspec.json.encode({"next": one.next, "time_ns": one.time_ns, "stream": one.stream, "data": data}) + b"\n"


class EndedLogs:
    """AGENT-21. A file a container, in a folder of their own."""

    def __init__(self, folder: Path) -> None:
        self._folder: Final = folder

    async def keep(self, name: str, records: AsyncIterator[LogRecord]) -> None:
        """Keep the end of what a container said, after what was kept of its earlier tries. Raises `OSError`."""
        lines: deque[bytes] = deque()
        size = 0
        async for one in records:
            lines.append(log_line(one))
            size += len(lines[-1])
            while size > ENDED_BYTES_MAX:
                size -= len(lines.popleft())
        if lines:
            await asyncio.to_thread(self._write, name, b"".join(lines))

    def _write(self, name: str, said: bytes) -> None:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = self._folder / name
        before = path.read_bytes() if path.is_file() else b""
        whole = (before + said)[-ENDED_BYTES_MAX:]
        if len(before) + len(said) > ENDED_BYTES_MAX:
            whole = whole.partition(b"\n")[2]
        fresh = self._folder / f"{name}~"
        fresh.write_bytes(whole)
        fresh.replace(path)
        kept = sorted(self._paths(), key=lambda one: one.stat().st_mtime_ns)
        for old in kept[:-ENDED_MAX]:
            old.unlink()

    def _paths(self) -> list[Path]:
        with contextlib.suppress(FileNotFoundError):
            return [Path(one.path) for one in os.scandir(self._folder) if not one.name.endswith("~")]
        return []

    def names(self) -> list[str]:
        """Of which containers something is kept."""
        return sorted(path.name for path in self._paths())

    def read(self, name: str) -> bytes:
        """What is kept of one, as lines. Raises `Rejected`."""
        for path in self._paths():
            if path.name == name:
                return path.read_bytes()
        raise Rejected(RuntimeRefusal.UNKNOWN, f"nothing of {name} is kept here")

    def routes(self, asking: Asking) -> list[Route]:
        """`/v1/ended`: names, and one's lines; `asking` is the port's own check of who may."""

        async def names(request: Request) -> Response:
            asking(request, b"", role="operators")
            return JSONResponse(await asyncio.to_thread(self.names))

        async def read(request: Request) -> Response:
            asking(request, b"", role="operators")
            said = await asyncio.to_thread(self.read, request.path_params["name"])
            return Response(said, media_type="application/x-ndjson")

        return [Route("/v1/ended", names), Route("/v1/ended/{name}", read)]
