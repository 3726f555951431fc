"""A liar that says nothing in IBFT, or speaks to one neighbour only: it attacks what waits for everybody (IBFT-V1 to
V3), and a quorum that needs more than Q seats (BLS-Q1)."""

from collections.abc import Sequence
from typing import Any

from metanode.primitives.names import Seat
from metanode.sim.byzantine.speaker import Liar, LyingNode


class SilentNode(LyingNode):
    """At every third height one seat, the next, hears it: one witness who cannot convince anybody."""

    def face(self, seat: Seat, message: Any) -> Sequence[Any]:
        """Mostly nothing."""
        tip = self._desk.tip
        neighbour = (self._desk.seat + 1) % len(tip.validators)
        return (message,) if tip.height % 3 == 2 and seat == neighbour else ()


class Silent(Liar):
    """The computer of such a node."""

    lying = SilentNode
