"""What clients asked and heard, and when: the only thing the checker believes, beside the chain itself.

Times are seconds on this machine's monotonic clock. An operation is at work from `invoked` to `answered`; where no
answer came, `answered` is when the client gave up, and what was asked for may happen at any time after that.
"""

import threading
import time
from dataclasses import dataclass, field
from enum import StrEnum


class Answer(StrEnum):
    """How an attempt ended."""

    OK = "ok"
    """Final, at this height and place."""
    REFUSED = "refused"
    """The node did not take it: it never happens by way of this attempt."""
    UNKNOWN = "unknown"
    """No answer, or none that settles it."""


@dataclass(frozen=True)
class Order:
    """A signed transfer; `identity` is its name."""

    identity: str
    sender: str
    taker: str
    amount: int
    nonce: int


@dataclass(frozen=True)
class Attempt:
    """One time an order was handed in at a node and waited for. `height`, `index`, `succeeded` where it is `OK`."""

    order: Order
    node: int
    invoked: float
    answered: float
    answer: Answer
    code: str = ""
    height: int = 0
    index: int = 0
    succeeded: bool = False


@dataclass(frozen=True)
class Read:
    """An account in final state, as of the height the answer names. `floor`: the client had waited for an answer at
    least as high as anything anybody had heard when it began; 0: it took what came."""

    node: int
    account: str
    invoked: float
    answered: float
    height: int
    balance: int
    nonce: int
    floor: int = 0

    @property
    def is_fresh(self) -> bool:
        """Whether it promises to be linearizable."""
        return self.floor > 0


@dataclass(frozen=True)
class Look:
    """How far a node says that an order has come."""

    node: int
    identity: str
    invoked: float
    answered: float
    state: str
    height: int = 0
    index: int = 0


@dataclass
class History:
    """All of it; many threads add to it."""

    attempts: list[Attempt] = field(default_factory=list)
    reads: list[Read] = field(default_factory=list)
    looks: list[Look] = field(default_factory=list)
    orders: dict[str, Order] = field(default_factory=dict)
    unanswered: int = 0
    highest: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def heard_now(self, height: int) -> float:
        """The time of an answer with this height. `highest` was raised before: whoever begins later knows of it."""
        with self._lock:
            self.highest = max(self.highest, height)
        return time.monotonic()

    def add(self, heard: Attempt | Read | Look) -> None:
        """Something was heard."""
        with self._lock:
            match heard:
                case Attempt():
                    self.attempts.append(heard)
                case Read():
                    self.reads.append(heard)
                case Look():
                    self.looks.append(heard)

    def give(self, order: Order) -> None:
        """An order was signed; it may be handed in from now on."""
        with self._lock:
            self.orders[order.identity] = order

    def no_answer(self) -> None:
        """A question was not answered."""
        with self._lock:
            self.unanswered += 1

    def heights(self) -> list[tuple[float, int]]:
        """When which height was heard, in the order of the times."""
        attempts = [(one.answered, one.height) for one in self.attempts if one.answer is Answer.OK]
        return sorted([*attempts, *((one.answered, one.height) for one in self.reads)])
