"""What a node holds, images and volumes, told to the chain again whenever it has changed."""

import asyncio
import logging
from collections.abc import Callable
from typing import Final

from metanode.host.agent.chain import ChainPort, ChainUnreachable
from metanode.host.agent.engines import AgentRefusal
from metanode.primitives.refusal import Rejected
from metanode.records.cluster import Inventory
from metanode.records.cluster_calls import ClusterJoin

LOOK_S: Final = 2.0
"""How often it is looked whether something has changed."""
JOIN_S: Final = 5.0
"""Least time between two joins for what nobody waits for: a transaction each, and all who wait are tried again."""
AGAIN_S: Final = 0.5
"""Between two tries to reach the chain."""


class Holdings:
    """VOLUME-2, VOLUME-3. `now`: the inventory as it is; `told`: as the chain has it."""

    def __init__(
        self, chain: ChainPort, cluster: str, node: str, now: Callable[[], Inventory], told: Inventory
    ) -> None:
        self._chain: Final = chain
        self._cluster: Final = cluster
        self._node: Final = node
        self._now: Final = now
        self._told = told
        self._lock: Final = asyncio.Lock()
        self._log: Final = logging.getLogger("metanode.agent")

    async def tell(self) -> None:
        """Return when the chain knows what is here, however long that takes. Raises `Rejected` where it refuses."""
        async with self._lock:
            while (now := await asyncio.to_thread(self._now)) != self._told:
                call = ClusterJoin(cluster=self._cluster, node=self._node, inventory=now)
                try:
                    outcome = await asyncio.to_thread(self._chain.submit, call)
                except ChainUnreachable as error:
                    self._log.warning("the chain does not know yet what is here", extra={"why": str(error)})
                    await asyncio.sleep(AGAIN_S)
                    continue
                if outcome.code:
                    raise Rejected(AgentRefusal.NOT_LET_IN, f"the chain refuses what {self._node} has: {outcome.code}")
                self._told = now

    async def run(self) -> None:
        """Tell every change, until cancelled."""
        while True:
            await asyncio.sleep(LOOK_S)
            if await asyncio.to_thread(self._now) == self._told:
                continue
            try:
                await self.tell()
            except Rejected as refused:
                self._log.warning("refused", extra={"why": str(refused)})
            await asyncio.sleep(JOIN_S)
