"""A liar whose blocks are of another time: of tomorrow, just beyond what clocks may differ, as old as their parent,
older. It attacks the judgement of time (PROP-4), on which every duration in the ledger rests."""

from dataclasses import replace

from metanode.primitives.names import Millis
from metanode.records.header import Header
from metanode.sim.byzantine.bending import BendingNode
from metanode.sim.byzantine.speaker import Liar

DAY_MS = 86_400_000


class TimeLyingNode(BendingNode):
    """One wrong time after another."""

    def bend(self, header: Header, turn: int) -> Header:
        """A time that no honest clock shows."""
        desk = self._desk
        times = (
            header.timestamp_ms + DAY_MS,
            desk.tip.timestamp_ms,
            desk.now_ms + desk.tip.parameters.drift_ms + 200,
            max(desk.tip.timestamp_ms - DAY_MS, 1),
        )
        return replace(header, timestamp_ms=Millis(times[turn % len(times)]))


class TimeLiar(Liar):
    """The computer of such a node."""

    lying = TimeLyingNode
