"""What a module works with: the block, the view, a sender, and a meter that cannot be outrun."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from metanode.ledger.view import View
from metanode.primitives.names import Address, Hash, Height, Millis
from metanode.primitives.refusal import Refusal, Rejected
from metanode.records.parameters import Parameters
from metanode.records.receipt import Event
from metanode.records.validators import ValidatorSet

NOBODY: Final = Address(bytes(20))
"""The sender of end-of-block steps, and of a block's fees: no key has this address."""


class WorkRefusal(Refusal):
    """Why a transaction was stopped."""

    LIMIT_REACHED = "work.limit-reached"
    """The calls need more work than the transaction's `work_limit`."""
    RECEIPT_TOO_LARGE = "work.receipt-too-large"
    """The receipt would be longer than any receipt may be."""


@dataclass(frozen=True, slots=True)
class Mathematics:
    """Pure functions that are too heavy to be ours: given by whoever builds the ledger, stand-ins in sim.

    `verify_possession(bls_key, proof)` whether the proof of possession (96 bytes) fits the key (48 bytes);
    `is_account_key(key)` whether 32 bytes are an Ed25519 key that could ever sign.
    """

    verify_possession: Callable[[bytes, bytes], bool]
    is_account_key: Callable[[bytes], bool]


@dataclass(frozen=True, slots=True)
class BlockContext:
    """What every transaction of a block knows: all of it from the parent's state, the block or genesis. `parent`: the
    hash of the header before, which nobody who makes this block can choose."""

    chain_id: Hash
    parent: Hash
    fee_coin: str
    height: Height
    timestamp_ms: Millis
    parameters: Parameters
    validators: ValidatorSet
    mathematics: Mathematics


@dataclass(slots=True)
class Frame:
    """One transaction or step while it runs. Modules read and write `view`, `charge`, and append events and results."""

    block: BlockContext
    view: View
    sender: Address
    work_limit: int
    work: int = 0
    events: list[Event] = field(default_factory=list)
    results: list[bytes] = field(default_factory=list)

    def charge(self, work: int) -> None:
        """LEDGER-W1. Use work before doing it; at the limit the transaction fails, with the whole limit used."""
        self.work += work
        if self.work > self.work_limit:
            self.work = self.work_limit
            raise Rejected(WorkRefusal.LIMIT_REACHED, f"needs more than {self.work_limit}")
