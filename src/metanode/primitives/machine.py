"""The protocol of every component: one door."""

from collections.abc import Sequence
from typing import Protocol, TypeVar

Event = TypeVar("Event", contravariant=True)
Effect = TypeVar("Effect", covariant=True)


class Machine(Protocol[Event, Effect]):
    """A component: all of its state changes pass through one door."""

    def handle(self, event: Event) -> Sequence[Effect]:
        """Take one event, return the effects to be carried out, in order."""
        ...
