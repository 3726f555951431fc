"""Who may speak to us, and which of two links is kept."""

from typing import Final

from metanode.network.bpci.events import AllowedPeer, Role
from metanode.network.bpci.handshake import CLOCK_SKEW_MS
from metanode.network.bpci.refusals import BpciRefusal
from metanode.primitives.refusal import Rejected

COOL_DOWN_FIRST_MS: Final = 30_000
"""A peer's first broken rule costs it half a minute: long enough to matter, short enough for a mistake mended."""
COOL_DOWN_MAX_MS: Final = 3_600_000
"""Each further one doubles it, up to an hour; after an hour without one it begins anew."""
SEEN_MAX: Final = 8192
"""Greetings remembered; beyond it the oldest is forgotten: a repeated one opens nothing, it only costs mathematics."""
SEEN_MS: Final = 2 * CLOCK_SKEW_MS
"""A greeting older than this fails the clock's bound."""


class Admissions:
    """The registry of allowed peers, who is cooling, and which ephemeral keys were seen."""

    def __init__(self) -> None:
        self._allowed: dict[bytes, AllowedPeer] = {}
        self._cooling: dict[bytes, tuple[int, int]] = {}
        self._seen: dict[bytes, int] = {}
        self._in_flight: dict[bytes, int] = {}

    def replace(self, peers: tuple[AllowedPeer, ...]) -> None:
        """BPCI-A1. Peers come from the validator set and the cluster registry, nowhere else."""
        self._allowed = {peer.key: peer for peer in peers}
        self._cooling = {key: entry for key, entry in self._cooling.items() if key in self._allowed}

    def allows(self, key: bytes) -> bool:
        """Whether the registry knows this key."""
        return key in self._allowed

    def role(self, key: bytes) -> Role:
        """Why this known key is allowed."""
        return self._allowed[key].role

    def admit_peer(self, key: bytes, cluster: bytes, now_ms: int) -> None:
        """BPCI-A1. Raises `Rejected` UNKNOWN_PEER, WRONG_CLUSTER or COOLING."""
        allowed = self._allowed.get(key)
        if allowed is None:
            raise Rejected(BpciRefusal.UNKNOWN_PEER, key.hex())
        if allowed.cluster != cluster:
            raise Rejected(BpciRefusal.WRONG_CLUSTER, f"{cluster.hex()}, registered {allowed.cluster.hex()}")
        remaining = self.cooling_ms(key, now_ms)
        if remaining:
            raise Rejected(BpciRefusal.COOLING, f"{remaining} ms more")

    def cooling_ms(self, key: bytes, now_ms: int) -> int:
        """How much longer this peer is turned away."""
        until, _ = self._cooling.get(key, (0, 0))
        return max(0, until - now_ms)

    def cool(self, key: bytes, now_ms: int) -> None:
        """BPCI-A2. A known peer that broke a rule is turned away for a while, twice as long each time."""
        if key not in self._allowed:
            return
        until, duration = self._cooling.get(key, (0, 0))
        again = duration and now_ms - until < COOL_DOWN_MAX_MS
        duration = min(2 * duration, COOL_DOWN_MAX_MS) if again else COOL_DOWN_FIRST_MS
        self._cooling[key] = (now_ms + duration, duration)

    def admit_hello(self, exchange_public: bytes, now_ms: int) -> None:
        """BPCI-H9. An ephemeral key greets once. Raises `Rejected` REFLECTED if it is ours, else SEEN_BEFORE."""
        if exchange_public in self._in_flight:
            raise Rejected(BpciRefusal.REFLECTED, "our own ephemeral key")
        if now_ms - self._seen.get(exchange_public, now_ms - SEEN_MS - 1) <= SEEN_MS:
            raise Rejected(BpciRefusal.SEEN_BEFORE, exchange_public.hex())
        self._seen.pop(exchange_public, None)
        while len(self._seen) >= SEEN_MAX:
            del self._seen[next(iter(self._seen))]
        self._seen[exchange_public] = now_ms

    def remember_own(self, exchange_public: bytes, link: int) -> None:
        """BPCI-H9. An ephemeral key of ours is under way on this link."""
        self._in_flight[exchange_public] = link

    def forget_own(self, exchange_public: bytes) -> None:
        """The handshake with this ephemeral key is over."""
        self._in_flight.pop(exchange_public, None)

    def forget_old(self, now_ms: int) -> None:
        """Greetings beyond the clock's bound need no memory."""
        while self._seen:
            oldest = next(iter(self._seen))
            if now_ms - self._seen[oldest] <= SEEN_MS:
                break
            del self._seen[oldest]


def prefers_new(own_key: bytes, peer: bytes, *, new_outbound: bool, old_outbound: bool) -> bool:
    """BPCI-A3. Of two links between the same two, both sides keep the one dialled by the lower transport key.

    If one side dialled both, the newer: it would not have dialled while it held the other to be alive.
    """
    if new_outbound == old_outbound:
        return True
    return new_outbound == (own_key < peer)
