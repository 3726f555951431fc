"""MESH-11. How much one way of a flow may have under way."""

from typing import Final

from metanode.docklock.mesh.refusals import MeshRefusal
from metanode.primitives.refusal import Rejected

WINDOW: Final = 65_536
"""Cost of what was sent and not yet credited. With `SESSION_FLOWS_MAX` flows of each side it is 24 MiB, below what
BPCI keeps for one peer, so that nothing is ever dropped there for want of room."""
MESSAGE_COST: Final = 512
"""Least cost of a message: so are messages bounded where each has one byte."""
CREDIT_STEP: Final = 16_384
"""A receiver credits after so much, and whenever its socket has taken everything: four times a window."""


def cost(size: int) -> int:
    """What a message of so many bytes costs."""
    return max(size, MESSAGE_COST)


class Outgoing:
    """What we send on a flow."""

    __slots__ = ("credited", "sent")

    def __init__(self) -> None:
        self.sent = 0
        self.credited = 0

    @property
    def room(self) -> int:
        """How much more may be sent now; a message may be cut to it, but costs at least `MESSAGE_COST`."""
        return WINDOW - (self.sent - self.credited)

    @property
    def is_open(self) -> bool:
        """Whether a message may be sent."""
        return self.room >= MESSAGE_COST

    def spend(self, size: int) -> None:
        """A message of so many bytes leaves."""
        self.sent += cost(size)
        assert self.sent - self.credited <= WINDOW, "asked before"

    def credit(self, total: int) -> None:
        """The peer has taken so much. Raises `Rejected` FALSE_CREDIT."""
        if not self.credited <= total <= self.sent:
            raise Rejected(MeshRefusal.FALSE_CREDIT, f"{total} of {self.sent}, before {self.credited}")
        self.credited = total


class Incoming:
    """What the peer sends on a flow: `taken` by the socket behind us, `said` to the peer."""

    __slots__ = ("received", "said", "taken")

    def __init__(self) -> None:
        self.received = 0
        self.taken = 0
        self.said = 0

    def receive(self, size: int) -> None:
        """A message came. Raises `Rejected` FALSE_CREDIT where it is beyond the window."""
        self.received += cost(size)
        if self.received - self.said > WINDOW:
            raise Rejected(MeshRefusal.FALSE_CREDIT, f"{self.received - self.said} under way, at most {WINDOW}")

    def due(self) -> bool:
        """Whether the peer is to be told."""
        return self.taken - self.said >= CREDIT_STEP

    def credit(self) -> int:
        """What to tell it now."""
        self.said = self.taken
        return self.said
