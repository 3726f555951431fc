"""The load: clients with accounts of their own, each a thread, who use the public API of whatever node they like and
write down what they asked and heard."""

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from random import Random
from typing import Final

from tests.faults.history import Answer, Attempt, History, Look, Order, Read
from tests.journeys.islands import inside
from tests.journeys.traffic import Account, signed, stranger

from metanode.api.accounts import AccountView
from metanode.api.methods import TRANSACTION_WAIT
from metanode.api.transactions import TransactionStatus, TransactionWait
from metanode.client import Client, ClientError
from metanode.records.address import read_address, show_address
from metanode.records.amount import amount_bytes
from metanode.records.calls import CoinTransfer

COIN: Final = "USD"
CLIENTS: Final = 5
ACCOUNTS: Final = 4
"""Of each client: so many of its orders are under way at most."""
AMOUNT_MAX: Final = 500
TIMEOUT_S: Final = 3.0
"""After so long without an answer the outcome is unknown."""
WAIT_MS: Final = 2_500
PAUSE_S: Final = (0.0, 0.06)
KEPT: Final = 400
"""Settled orders a client still asks about."""
BORNE: Final = frozenset({"api.not-ready", "api.busy"})
"""Refusals that say nothing about what was refused."""


@dataclass(frozen=True)
class Door:
    """The public port of a node; `namespace` where that is not ours."""

    url: str
    namespace: str = ""

    @contextmanager
    def open(self) -> Iterator[Client]:
        """A client with a connection of its own: a kept one could send twice what looks as if it was sent once."""
        with ExitStack() as stack:
            if self.namespace:
                stack.enter_context(inside(self.namespace))
            yield stack.enter_context(Client(self.url, timeout_s=TIMEOUT_S))


@dataclass
class Purse:
    """An account, and its order that is not settled, if there is one: (order, bytes)."""

    account: Account
    open: list[tuple[Order, bytes]] = field(default_factory=list)

    @property
    def address(self) -> str:
        """As people write it."""
        return show_address(self.account.address)


def purses(client: int) -> list[Purse]:
    """The accounts of a client."""
    return [Purse(stranger(1_000 + client * ACCOUNTS + number)) for number in range(ACCOUNTS)]


class Customer:
    """One client. `everybody`: all accounts, to pay and to look at. Its choices come from the seed; what it gets to
    choose from, and when, is the world's."""

    def __init__(
        self,
        doors: Sequence[Door],
        chain_id: bytes,
        own: list[Purse],
        everybody: list[str],
        history: History,
        seed: int,
    ) -> None:
        self._doors: Final = doors
        self._chain_id: Final = chain_id
        self.purses: Final = own
        self._everybody: Final = everybody
        self._history: Final = history
        self._chance: Final = Random(seed)
        self._settled: Final[list[tuple[Order, bytes]]] = []
        self._stopping: Final = threading.Event()
        self._thread: Final = threading.Thread(target=self._run, daemon=True)
        self.failure: BaseException | None = None

    def begin(self) -> None:
        """Be a client from now on."""
        self._thread.start()

    def stop(self) -> None:
        """Begin nothing more."""
        self._stopping.set()

    def join(self) -> None:
        """Return when nothing is under way. Raises what the thread failed with."""
        self._thread.join(10 * TIMEOUT_S)
        assert not self._thread.is_alive(), "a client does not end"
        if self.failure is not None:
            raise self.failure

    def _run(self) -> None:
        try:
            while not self._stopping.is_set():
                self._turn(self._chance.randrange(len(self._doors)))
                self._stopping.wait(self._chance.uniform(*PAUSE_S))
        except BaseException as error:  # noqa: BLE001 - told by `join`
            self.failure = error

    def _turn(self, node: int) -> None:
        choice = self._chance.random()
        purse = self._chance.choice(self.purses)
        if choice < 0.5:
            self.hand_in(purse, node) if purse.open else self._pay(purse, node)
        elif choice < 0.6 and self._settled:
            self._attempt(*self._chance.choice(self._settled), node)  # again, at whatever node: it changes nothing
        elif choice < 0.7 and self._history.orders:
            self._look(node)
        elif choice < 0.85:
            self._read(node, self._chance.choice(self._everybody))
        else:
            self._read_fresh(node, self._chance.choice(self._everybody))

    def _pay(self, purse: Purse, node: int) -> None:
        """A new order; until it is settled the account makes no other one, so that its nonce is never used twice."""
        taker = self._chance.choice([other for other in self._everybody if other != purse.address])
        amount, nonce = self._chance.randint(1, AMOUNT_MAX), purse.account.nonce
        name, encoded = signed(
            self._chain_id, purse.account, CoinTransfer(coin=COIN, to=read_address(taker), amount=amount_bytes(amount))
        )
        order = Order(name.hex(), purse.address, taker, amount, nonce)
        self._history.give(order)
        purse.open.append((order, encoded))
        self.hand_in(purse, node)

    def hand_in(self, purse: Purse, node: int) -> None:
        """The open order of an account, at this node; settled once somebody tells that it is final."""
        order, encoded = purse.open[0]
        if self._attempt(order, encoded, node).answer is Answer.OK:
            purse.open.clear()
            self._settled.append((order, encoded))
            del self._settled[:-KEPT]

    def _attempt(self, order: Order, encoded: bytes, node: int) -> Attempt:
        invoked = time.monotonic()
        answer, code, status = self._submit(order, encoded, node)
        height = status.height if status is not None else 0
        answered = self._history.heard_now(height)
        attempt = Attempt(order, node, invoked, answered, answer, code)
        if status is not None:
            attempt = Attempt(
                order, node, invoked, answered, answer, status.code, status.height, status.index, status.succeeded
            )
        self._history.add(attempt)
        return attempt

    def _submit(self, order: Order, encoded: bytes, node: int) -> tuple[Answer, str, TransactionStatus | None]:
        with self._doors[node].open() as client:
            try:
                client.transaction.submit(encoded)
            except ClientError as error:
                is_lost = error.code.startswith("client.")
                return (Answer.UNKNOWN if is_lost else Answer.REFUSED), error.code, None
            try:
                asked = TransactionWait(identity=order.identity, timeout_ms=WAIT_MS)
                status = client.call(TRANSACTION_WAIT, asked, TIMEOUT_S)
            except ClientError as error:
                return Answer.UNKNOWN, error.code, None
        if status.state == "final":
            return Answer.OK, "", status
        return Answer.UNKNOWN, status.code or status.state, None

    def _look(self, node: int) -> None:
        identity = self._chance.choice(list(self._history.orders))
        invoked = time.monotonic()
        try:
            with self._doors[node].open() as client:
                status = client.transaction.get(identity)
        except ClientError:
            self._history.no_answer()
            return
        answered = self._history.heard_now(status.height)
        self._history.add(Look(node, identity, invoked, answered, status.state, status.height, status.index))

    def _read(self, node: int, account: str) -> None:
        invoked = time.monotonic()
        view = self._ask(node, account)
        if view is not None:
            self._history.add(_read_of(node, view, invoked, self._history.heard_now(view.height)))

    def _read_fresh(self, node: int, account: str) -> None:
        """Ask until the answer is as high as anything anybody had heard before: so a read becomes linearizable."""
        invoked = time.monotonic()
        floor = self._history.highest
        while time.monotonic() < invoked + TIMEOUT_S:
            view = self._ask(node, account)
            if view is None:
                return
            if view.height >= floor:
                self._history.add(_read_of(node, view, invoked, self._history.heard_now(view.height), floor))
                return
            time.sleep(0.02)
        self._history.no_answer()

    def _ask(self, node: int, account: str) -> AccountView | None:
        try:
            with self._doors[node].open() as client:
                return client.account.get(account)
        except ClientError:
            self._history.no_answer()
            return None


def _read_of(node: int, view: AccountView, invoked: float, answered: float, floor: int = 0) -> Read:
    balance = sum(int(line.amount) for line in view.balances if line.coin == COIN)
    nonce = next(lane.next_nonce for lane in view.lanes if lane.lane == 0)
    return Read(node, view.address, invoked, answered, view.height, balance, nonce, floor)
