"""A liar that says everything true, and all of it too late: its proposals come when the round is over, its votes when
all is decided. It attacks timers (IBFT-V1, V8), what is done with words of rounds gone by (IBFT-M3, C3), and who
answers stragglers how often."""

from collections.abc import Sequence
from typing import Any, ClassVar

from metanode.primitives.names import Seat
from metanode.sim.byzantine.speaker import Liar, LyingNode


class LateNode(LyingNode):
    """Longer than the timeout of the first two rounds of a pretend chain."""

    wait_ms: ClassVar[int] = 900

    def face(self, seat: Seat, message: Any) -> Sequence[Any]:
        """The truth."""
        del seat
        return (message,)


class Late(Liar):
    """The computer of such a node."""

    lying = LateNode
