"""What the agent's machine says has happened, as receipts: one after the other, durable before they are reported."""

import asyncio
from collections.abc import Callable
from typing import Final

from metanode.docklock.agent.events import Record
from metanode.docklock.cluster.state import Assignment
from metanode.docklock.receipts import Happening, details
from metanode.host.agent.receipt_log import ReceiptLog
from metanode.records.cluster import ReceiptBatch
from metanode.records.workload_receipt import DetailValue, command_digest

WITHOUT_ENGINE: Final = ("verified", "refused")
"""Steps before any engine has to do with it."""
OUT_OF_MEMORY: Final = "out of memory"
"""Why the kernel ends what takes more than its limit."""


class Records:
    """WREC-15. One writer: appends wait for each other, and happen in a thread because they wait for the disk.

    `height`: the last header that the agent has verified. `engine`: what placement calls the runtime.
    """

    def __init__(self, log: ReceiptLog, engine: str, height: Callable[[], int]) -> None:
        self._log: Final = log
        self._engine: Final = engine
        self._height: Final = height
        self._lock: Final = asyncio.Lock()
        self._waiting: Final[asyncio.Queue[Record]] = asyncio.Queue()

    def put(self, effect: Record) -> None:
        """A step of a container's life, to be written in its turn."""
        self._waiting.put_nowait(effect)

    async def run(self) -> None:
        """Write what was put, in order, until cancelled. Raises `Fault`: an agent that cannot write does not go on."""
        while True:
            effect = await self._waiting.get()
            try:
                await self._step(effect)
            finally:
                self._waiting.task_done()

    async def _step(self, effect: Record) -> None:
        one, step, code = effect.assignment, effect.step, effect.code
        told: dict[str, DetailValue] = {"reason": OUT_OF_MEMORY} if step == "killed" else {}
        await self._append(
            Happening(
                time_ms=effect.now_ms,
                height=self._height(),
                step=step,
                workload=one.workload,
                index=one.index,
                attempt=one.attempt,
                revision=one.revision,
                spec=one.spec,
                image=effect.image,
                engine="" if step in WITHOUT_ENGINE else self._engine,
                code=code,
                details=details(**told),
            )
        )

    async def executed(
        self, now_ms: int, one: Assignment, image: bytes, caller: bytes, command: tuple[str, ...]
    ) -> None:
        """Somebody had a command executed in a container: written down before it begins."""
        await self._append(
            Happening(
                time_ms=now_ms,
                height=self._height(),
                step="execed",
                workload=one.workload,
                index=one.index,
                attempt=one.attempt,
                revision=one.revision,
                spec=one.spec,
                image=image,
                engine=self._engine,
                details=details(caller=caller, command=command_digest(command)),
            )
        )

    async def next_batch(self, pinned: int) -> ReceiptBatch:
        """WREC-7. What the next report pins; everything put so far is in the log by then."""
        await self._waiting.join()
        async with self._lock:
            return await asyncio.to_thread(self._log.next_batch, pinned)

    async def file(self, number: int, batch: ReceiptBatch, chain: bytes) -> bytes:
        """WREC-8. The receipt file of an entry. Raises `Fault`."""
        async with self._lock:
            return await asyncio.to_thread(self._log.file, number, batch, chain)

    async def _append(self, happening: Happening) -> None:
        async with self._lock:
            await asyncio.to_thread(self._log.append, (happening,))
