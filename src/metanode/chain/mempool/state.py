"""What the pool remembers: entries by identity, by sender and lane, by expiry; lanes whose next transaction is here."""

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from heapq import heappop, heappush
from typing import Final, NamedTuple, Protocol

from metanode.chain.mempool.limits import RECENT_MAX, VIEWS_MAX
from metanode.primitives.names import Address, Hash
from metanode.records.block import KnownTransaction
from metanode.records.transaction import Authorization

EXPIRY_BUCKET_MS: Final = 1_000
"""Entries are dropped within a second of their expiry."""


class AccountView(Protocol):
    """A sender, on the last final state."""

    @property
    def spendable(self) -> int:
        """Units of the fee coin it holds."""
        ...

    @property
    def policy(self) -> object:
        """Anything that compares equal as long as the same authorizations are due."""
        ...

    def next_nonce(self, lane: int) -> int:
        """The nonce due in a lane."""
        ...

    def check_authority(self, authorizations: tuple[Authorization, ...]) -> None:
        """Whether these, if their signatures are good, speak for the account. Raises `Rejected`."""
        ...


class Accounts(Protocol):
    """Who knows the senders."""

    def account_views(self, addresses: Sequence[Address]) -> Sequence[AccountView]:
        """Senders, on the last final state, in one bulk read; every address has one."""
        ...


class Entry(NamedTuple):
    """One transaction that waits. `number` counts arrivals."""

    known: KnownTransaction
    sender: Address
    lane: int
    nonce: int
    fee: int
    size: int
    expires_ms: int
    arrived_ms: int
    number: int


@dataclass(slots=True)
class Queue:
    """One sender's transactions: by lane, then by nonce; their fees together; the policy they were judged under."""

    policy: object
    lanes: dict[int, dict[int, Entry]] = field(default_factory=dict)
    count: int = 0
    fees: int = 0


@dataclass(frozen=True, slots=True)
class PoolStatus:
    """What waits, for people. `oldest_ms`: when the oldest arrived, 0 where nothing waits."""

    transactions: int
    bytes: int
    senders: int
    oldest_ms: int
    accepted: int
    evicted: int
    checking: int


@dataclass(slots=True)
class Pool:
    """The entries and the ways to find them. Everything here keeps these in step; nothing here judges."""

    accounts: Accounts
    entries: dict[Hash, Entry] = field(default_factory=dict)
    queues: dict[Address, Queue] = field(default_factory=dict)
    ready: dict[tuple[Address, int], Entry] = field(default_factory=dict)
    """The next transaction of each lane that has it."""
    recent: OrderedDict[Hash, None] = field(default_factory=OrderedDict)
    """Identities that became final lately."""
    bytes: int = 0
    accepted: int = 0
    evicted: int = 0
    arrivals: int = 0
    _views: dict[Address, AccountView] = field(default_factory=dict)
    _expiring: dict[int, list[Hash]] = field(default_factory=dict)
    _buckets: list[int] = field(default_factory=list)

    def view(self, sender: Address) -> AccountView:
        """The sender on the last final state, looked up once between two blocks."""
        view = self._views.get(sender)
        if view is None:
            self.look_up((sender,))
            view = self._views[sender]
        return view

    def look_up(self, senders: Iterable[Address]) -> None:
        """Look at many senders at once, those that were not looked at since the last block."""
        views = self._views
        missing = [sender for sender in dict.fromkeys(senders) if sender not in views]
        if missing:
            if len(views) + len(missing) > VIEWS_MAX:
                views.clear()
            views.update(zip(missing, self.accounts.account_views(missing), strict=True))

    def forget_views(self) -> None:
        """Another state is final."""
        self._views.clear()

    def at(self, sender: Address, lane: int, nonce: int) -> Entry | None:
        """The entry in this place."""
        queue = self.queues.get(sender)
        if queue is None or lane not in queue.lanes:
            return None
        return queue.lanes[lane].get(nonce)

    def insert(self, entry: Entry, view: AccountView) -> None:
        """Take an entry whose place is free."""
        identity, sender, lane = entry.known.identity, entry.sender, entry.lane
        queue = self.queues.get(sender)
        if queue is None:
            queue = self.queues[sender] = Queue(view.policy)
        queue.lanes.setdefault(lane, {})[entry.nonce] = entry
        queue.count += 1
        queue.fees += entry.fee
        self.entries[identity] = entry
        self.bytes += entry.size
        if entry.nonce == view.next_nonce(lane):
            self.ready[sender, lane] = entry
        bucket = entry.expires_ms // EXPIRY_BUCKET_MS
        waiting = self._expiring.get(bucket)
        if waiting is None:
            self._expiring[bucket] = [identity]
            heappush(self._buckets, bucket)
        else:
            waiting.append(identity)

    def remove(self, identity: Hash) -> Entry | None:
        """Let go of an entry; `None` where there is none."""
        entry = self.entries.pop(identity, None)
        if entry is None:
            return None
        sender, lane = entry.sender, entry.lane
        queue = self.queues[sender]
        nonces = queue.lanes[lane]
        del nonces[entry.nonce]
        queue.count -= 1
        queue.fees -= entry.fee
        self.bytes -= entry.size
        if not nonces:
            del queue.lanes[lane]
            if not queue.lanes:
                del self.queues[sender]
        if self.ready.get((sender, lane)) is entry:
            del self.ready[sender, lane]
        return entry

    def refresh_ready(self, sender: Address) -> None:
        """After the sender's nonces changed: which of its lanes have their next transaction."""
        queue = self.queues.get(sender)
        if queue is None:
            return
        view = self.view(sender)
        for lane, nonces in queue.lanes.items():
            entry = nonces.get(view.next_nonce(lane))
            if entry is not None:
                self.ready[sender, lane] = entry
            else:
                self.ready.pop((sender, lane), None)

    def next_nonces(self, sender: Address) -> dict[int, int]:
        """By lane in which something waits: the first nonce, from the one due on, at which nothing does."""
        queue = self.queues.get(sender)
        if queue is None:
            return {}
        view = self.view(sender)
        found: dict[int, int] = {}
        for lane in sorted(queue.lanes):
            nonce = view.next_nonce(lane)
            while nonce in queue.lanes[lane]:
                nonce += 1
            found[lane] = nonce
        return found

    def remember_final(self, identities: Iterable[Hash]) -> None:
        """POOL-7. These are final; the oldest of too many are forgotten."""
        recent = self.recent
        for identity in identities:
            recent[identity] = None
        while len(recent) > RECENT_MAX:
            recent.popitem(last=False)

    def expired(self, horizon_ms: int) -> list[Hash]:
        """POOL-6. Entries of all buckets that ended before this time."""
        found: list[Hash] = []
        while self._buckets and (self._buckets[0] + 1) * EXPIRY_BUCKET_MS <= horizon_ms:
            found.extend(self._expiring.pop(heappop(self._buckets)))
        return [identity for identity in found if identity in self.entries]

    def status(self, checking: int) -> PoolStatus:
        """For people."""
        oldest = next(iter(self.entries.values()), None)
        return PoolStatus(
            transactions=len(self.entries),
            bytes=self.bytes,
            senders=len(self.queues),
            oldest_ms=oldest.arrived_ms if oldest is not None else 0,
            accepted=self.accepted,
            evicted=self.evicted,
            checking=checking,
        )
