"""The chain as its nodes tell it in the end: the one order of all transfers, and what everybody held at any height."""

from bisect import bisect_right
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Entry:
    """One transaction in its place; `moves` are the transfers its events tell: giver, taker, amount."""

    height: int
    index: int
    identity: str
    succeeded: bool
    moves: tuple[tuple[str, str, int], ...]


@dataclass(frozen=True)
class Opening:
    """How it began: what accounts held in genesis, and the transactions that gave the clients theirs: sender by
    identity. Each of `accounts` had `funds` before its first order."""

    genesis: dict[str, int]
    fundings: dict[str, str]
    accounts: tuple[str, ...]
    funds: int


@dataclass
class Chain:
    """Blocks and entries up to a height, of a node."""

    last: int
    hashes: dict[int, str]
    entries: list[Entry]
    _held: dict[str, list[tuple[int, int]]] = field(default_factory=dict)
    _spent: dict[str, list[int]] = field(default_factory=dict)

    def replay(self, genesis: dict[str, int], senders: dict[str, str]) -> None:
        """From what everybody held at first, sum up what everybody held after each height. `senders`: by identity."""
        held = dict(genesis)
        self._held = {account: [(0, amount)] for account, amount in genesis.items()}
        self._spent = {}
        for entry in self.entries:
            sender = senders.get(entry.identity)
            if sender is not None:
                self._spent.setdefault(sender, []).append(entry.height)
            for giver, taker, amount in entry.moves:
                for account, change in ((giver, -amount), (taker, amount)):
                    held[account] = held.get(account, 0) + change
                    self._held.setdefault(account, [(0, 0)]).append((entry.height, held[account]))

    def balance(self, account: str, height: int) -> int:
        """What it held after this height."""
        steps = self._held.get(account, [])
        place = bisect_right(steps, height, key=lambda step: step[0])
        return steps[place - 1][1] if place else 0

    def nonce(self, account: str, height: int) -> int:
        """How many transactions of it were in blocks up to this height."""
        return bisect_right(self._spent.get(account, []), height)


def moves_of(events: tuple[Any, ...], coin: str) -> tuple[tuple[str, str, int], ...]:
    """The transfers of a coin among a receipt's events, as the API shows them."""
    return tuple(
        (event["sender"], event["to"], int(event["amount"]))
        for event in events
        if event["type"] == "coin.transferred" and event["coin"] == coin
    )
