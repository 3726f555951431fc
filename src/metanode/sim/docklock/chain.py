"""The chain under a pretend cluster: the real ledger, its blocks made by one sequencer."""

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from typing import Final, Protocol, TypeAlias

from metanode.ledger import BlockInput, Ledger, Mathematics, MemoryReader, genesis_state
from metanode.ledger.view import Readable
from metanode.node.known import known_transaction
from metanode.node.modules import MODULES
from metanode.primitives.names import NO_HASH, Hash, Height, Millis, Seat
from metanode.records.calls import Call
from metanode.records.receipt import Event, TransactionOrigin
from metanode.sim.docklock.clock import Clock
from metanode.sim.founding import Client, Founding

BLOCK_MS: Final = 200
"""Between two blocks of the sequencer."""

Done: TypeAlias = Callable[[int, str], None]
"""What became of a call: the height of its block, and its code (empty: it succeeded)."""


@dataclass(frozen=True, slots=True)
class Block:
    """A final block, as whoever watches sees it: its events in order, and the state after it."""

    height: int
    time_ms: int
    events: tuple[Event, ...]
    state: Readable


class Chain(Protocol):
    """What a pretend cluster needs of a chain."""

    listeners: list[Callable[[Block], None]]

    def submit(self, client: Client, call: Call, done: Done) -> None:
        """Sign and send; `done` is called when it is final."""
        ...


class Sequencer:
    """Blocks at an even pace, of whatever was sent. No committee: what it would decide is a pure function."""

    def __init__(self, clock: Clock, founding: Founding, block_ms: int = BLOCK_MS) -> None:
        self._clock: Final = clock
        self._founding: Final = founding
        self._block_ms: Final = block_ms
        self._reader: Final = MemoryReader(genesis_state(founding.genesis, MODULES))
        mathematics = Mathematics(founding.seals.verify_possession, lambda key: len(key) == 32)
        self._ledger: Final = Ledger(founding.genesis, self._reader, Height(0), NO_HASH, mathematics, MODULES)
        self._waiting: list[tuple[Client, Call, Done]] = []
        self.listeners: list[Callable[[Block], None]] = []
        clock.at(block_ms, self._make)

    def submit(self, client: Client, call: Call, done: Done) -> None:
        """Into the next block."""
        self._waiting.append((client, call, done))

    def _make(self) -> None:
        """One block: executed, final, told to everybody."""
        self._clock.at(self._block_ms, self._make)
        told: dict[Hash, Done] = {}
        transactions = []
        for client, call, done in self._waiting:
            name, encoded = client.sign(self._founding.chain_id, (call,), self._clock.now_ms)
            told[name] = done
            transactions.append(known_transaction(encoded))
        self._waiting = []
        height, parent, _ = self._ledger.tip
        block = BlockInput(
            height=Height(height + 1),
            timestamp_ms=Millis(self._clock.now_ms),
            proposer=Seat(0),
            evidence=(),
            transactions=tuple(transactions),
        )
        done_ = self._ledger.execute(parent, block)
        assert not done_.refused_transactions, done_.refused_transactions
        name = Hash(sha256(done_.parent + done_.state_root + done_.receipts_root).digest())
        self._ledger.adopt(name, done_)
        self._reader.apply(self._ledger.commit(name).writes)
        self._ledger.settle(done_.height)
        self._clock.record(f"block {done_.height} {done_.state_root.hex()}")
        events = tuple(event for receipt in done_.receipts for event in receipt.events)
        for receipt in done_.receipts:
            if isinstance(receipt.origin, TransactionOrigin):
                told[Hash(receipt.origin.identity)](done_.height, receipt.code)
        final = Block(done_.height, done_.timestamp_ms, events, self._reader)
        for listener in self.listeners:
            listener(final)
