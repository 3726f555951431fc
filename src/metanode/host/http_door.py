"""The door: all that the HTTP face knows of the node behind it."""

from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple, Protocol

from metanode.api.errors import ApiError
from metanode.api.shapes import Answer, Request


class Outcome(NamedTuple):
    """One submitted transaction: its identity (32 bytes, empty where it is no transaction) and the refusal's code,
    empty where it was accepted. `ApiRefusal.ALREADY_KNOWN` where it was there before: that is success, too.
    """

    identity: bytes
    code: str = ""
    detail: str = ""


class Door(Protocol):
    """What the loop that owns the node offers. Everything is called in that loop's own thread."""

    def ask(self, method: str, request: Request) -> Awaitable[Answer | ApiError]:
        """Answer a method of the table but for submissions and `transaction.wait`, which are made of the others."""
        ...

    def submit(self, batch: tuple[bytes, ...]) -> Awaitable[Sequence[Outcome] | ApiError]:
        """Put signed transactions into the pool; one outcome each, in order."""
        ...

    def head(self) -> int:
        """The height of the last final block here."""
        ...

    def subscribe(self, wake: Callable[[], None]) -> Callable[[], None]:
        """Call `wake` whenever `head` has grown and `event.list` can tell of it; the answer unsubscribes."""
        ...

    def metrics(self) -> bytes:
        """The counters as Prometheus text."""
        ...

    def ready(self) -> bool:
        """Whether the node has recovered and follows the chain."""
        ...
