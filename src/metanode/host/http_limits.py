"""Who may how much: token buckets and counts of open connections. Everything a stranger can fill is bounded."""

from collections import OrderedDict
from collections.abc import Callable
from typing import Final

KEYS_MAX: Final = 10_000
"""Addresses remembered; the longest unseen is forgotten first (its bucket is full again by then)."""


class TokenBuckets:
    """HTTP-12. A bucket an address or token: it fills at a rate, and every request takes from it."""

    def __init__(self, rate_per_second: int, burst: int, now: Callable[[], float]) -> None:
        self._rate: Final = rate_per_second
        self._burst: Final = burst
        self._now: Final = now
        self._buckets: Final[OrderedDict[str, tuple[float, float]]] = OrderedDict()

    def take(self, key: str, cost: int = 1) -> float:
        """Take `cost`; 0.0 where it was there, else the seconds until it would be (nothing is taken then)."""
        now = self._now()
        level, at = self._buckets.pop(key, (float(self._burst), now))
        level = min(self._burst, level + (now - at) * self._rate)
        cost = min(cost, self._burst)
        missing = max(0.0, cost - level)
        self._buckets[key] = (level if missing else level - cost, now)
        if len(self._buckets) > KEYS_MAX:
            self._buckets.popitem(last=False)
        return missing / self._rate

    def __len__(self) -> int:
        return len(self._buckets)


class Connections:
    """HTTP-12. How many connections are open, in all and from each address."""

    def __init__(self, most: int, most_per_address: int) -> None:
        self._most: Final = most
        self._most_per_address: Final = most_per_address
        self._by_address: Final[dict[str, int]] = {}
        self.open = 0

    def enter(self, address: str) -> bool:
        """Whether one more may be open; counts it if so."""
        here = self._by_address.get(address, 0)
        if self.open >= self._most or here >= self._most_per_address:
            return False
        self._by_address[address] = here + 1
        self.open += 1
        return True

    def leave(self, address: str) -> None:
        """One that entered is closed."""
        here = self._by_address[address]
        if here == 1:
            del self._by_address[address]
        else:
            self._by_address[address] = here - 1
        self.open -= 1


class Places:
    """HTTP-12. A fixed number of places for long polls or streams."""

    def __init__(self, most: int) -> None:
        self._most: Final = most
        self.taken = 0

    def enter(self) -> bool:
        """Take a place if one is free."""
        if self.taken >= self._most:
            return False
        self.taken += 1
        return True

    def leave(self) -> None:
        """Give it back."""
        self.taken -= 1
