"""What people ask of containers, written down by the node that is asked: commands executed, requests refused."""

import asyncio
from collections.abc import Callable
from typing import Final

from metanode.docklock.cluster.state import Assignment
from metanode.host.agent.records import Records
from metanode.host.agent.refusing import Refusals, Refused
from metanode.primitives.refusal import Rejected
from metanode.records.agent_request import Asker

SWEEP_S: Final = 5.0
"""How often refusals that were counted are looked at."""

About = Callable[[str], tuple[Assignment, bytes] | None]
"""The assignment of a container of this node, and its image."""


def _nothing(_code: str, _reason: str = "") -> None:
    """How a command ended in what is no replica of the share: nobody's receipt."""


class Witness:
    """WREC-19, WREC-24. `about`: what a container is."""

    def __init__(self, records: Records, refusals: Refusals, about: About) -> None:
        self._records: Final = records
        self._refusals: Final = refusals
        self._about: Final = about

    async def executed(self, name: str, asker: Asker, command: tuple[str, ...]) -> Callable[[str, str], None]:
        """A command is about to be executed; what is returned hears how it ended: exit status, or why there is none."""
        found = self._about(name)
        if found is None:
            return _nothing
        return await self._records.executed(found[0], found[1], asker.account, command)

    def refused(
        self, error: Rejected, asker: Asker | None, name: str, command: tuple[str, ...] = (), *, known: bool
    ) -> None:
        """A request was refused; `name`: the container that was meant, if any."""
        caller = asker.account if asker else b""
        about = self._about(name) if name else None
        self._refusals.note(Refused(str(error.reason), error.detail, caller, known, about, command))

    def call_refused(self, error: Rejected, name: str) -> None:
        """MESH-3. A container of this node wanted to call what it may not."""
        self.refused(error, None, name, known=True)

    async def run(self) -> None:
        """Write down in time what was counted, until cancelled."""
        while True:
            await asyncio.sleep(SWEEP_S)
            self._refusals.sweep()
