"""The proofs that a node's batches are pinned: asked of the chain once they are, and kept beside the entries."""

import asyncio
import logging
from collections.abc import Callable
from typing import Final

from metanode.host.agent.chain import ChainPort, ChainUnreachable
from metanode.host.agent.pins import PinLog
from metanode.host.agent.receipt_log import ReceiptLog
from metanode.host.agent.records import Records
from metanode.records.pinned_batch import PinnedBatch

AGAIN_S: Final = 0.5
"""Between two tries to get a proof."""


class Keeper:
    """WREC-20. Gets the proof of every batch that is pinned, as long as it runs. `bytes_max`: of the log (WREC-22).

    `copy` is told of each, where it is set: others shall keep it, too (WREC-25).
    """

    def __init__(
        self, records: Records, pins: PinLog, chain: ChainPort, bytes_max: int, now_ms: Callable[[], int]
    ) -> None:
        self._records: Final = records
        self._pins: Final = pins
        self._chain: Final = chain
        self._bytes_max: Final = bytes_max
        self._now_ms: Final = now_ms
        self.copy: Callable[[PinnedBatch], None] | None = None
        self._log: Final = logging.getLogger("metanode.agent")

    async def run(self) -> None:
        """Until cancelled. Raises `Fault` where the chain has pinned what the log does not hold."""
        pinned = self._records.pinned
        while True:
            await pinned.more.wait()
            pinned.more.clear()
            while self._pins.next_entry < pinned.count:
                if not await self.get():
                    await asyncio.sleep(AGAIN_S)

    def _keep(self, log: ReceiptLog, found: PinnedBatch) -> None:
        log.check_pinned(found.batch)
        self._pins.append(found)
        log.prune(self._bytes_max, self._pins.last_first, self._now_ms())
        self._pins.prune(log.first)

    async def get(self) -> bool:
        """One more proof, and whether there was one."""
        heights = self._records.pinned.heights
        number = await self._records.reading(lambda log: max(self._pins.next_entry, log.first))
        above = heights.get(number, self._pins.height + 1) - 1
        try:
            found = await asyncio.to_thread(self._chain.pinning, number, above)
        except ChainUnreachable as error:
            self._log.warning("no proof yet of what is pinned", extra={"why": str(error)})
            return False
        if found is None:
            heights.pop(number, None)
            return False
        await self._records.reading(lambda log: self._keep(log, found))
        self._records.pinned.forget(self._pins.next_entry)
        if self.copy is not None:
            self.copy(found)
        return True
