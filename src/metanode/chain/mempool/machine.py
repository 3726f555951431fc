"""The pool as a machine: batches in, batches out; no work is done a transaction that can be done for many at once."""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, assert_never

from metanode.chain.mempool import events as ev
from metanode.chain.mempool.limits import GOSSIP_BYTES_MAX, LOOKUPS_MAX, PoolLimits
from metanode.chain.mempool.messages import TransactionBatch, check_batch, cut_batches
from metanode.chain.mempool.rules import (
    PoolRefusal,
    check_form,
    check_place,
    check_sender,
    check_time,
    read_transaction,
    signature_claims,
)
from metanode.chain.mempool.selection import CROWD_SHARE, cheapest_tails, select
from metanode.chain.mempool.state import Accounts, AccountView, Entry, Pool, PoolStatus
from metanode.primitives.codec import CodecRefusal
from metanode.primitives.names import Address, Hash
from metanode.primitives.refusal import Rejected
from metanode.records.address import ADDRESS_BYTES
from metanode.records.block import KnownTransaction
from metanode.records.parameters import Parameters

NO_REQUEST: Final = -1
"""Of a batch that a peer sent."""
CATCH_UP_MESSAGES: Final = 4
"""So many full messages of waiting transactions a newly connected validator is sent."""
BLAMED: Final = frozenset(
    {*CodecRefusal, PoolRefusal.WRONG_CHAIN, PoolRefusal.BAD_AUTHORIZATIONS, PoolRefusal.BAD_SIGNATURE}
)
"""What no honest node sends on, whatever the state and the parameters it knows."""


@dataclass(slots=True)
class _Batch:
    """What came together. `open` items have no outcome yet."""

    request: int
    peer: bytes
    now_ms: int
    outcomes: list[ev.ItemOutcome]
    open: int = 0


@dataclass(slots=True)
class _Claim:
    """A transaction whose signatures are being checked, who else waits for the verdict, and what it was judged by."""

    known: KnownTransaction
    fee: int
    view: AccountView
    batch: _Batch
    waiters: list[tuple[_Batch, int]] = field(default_factory=list)


class Mempool:
    """POOL. Transactions on their way into blocks. `accounts` shows the last final state, whose header says
    `timestamp_ms`."""

    def __init__(
        self, chain_id: Hash, parameters: Parameters, accounts: Accounts, limits: PoolLimits, timestamp_ms: int = 0
    ) -> None:
        self._chain_id: Final = chain_id
        self._parameters = parameters
        self._timestamp_ms = timestamp_ms
        self._limits: Final = limits
        self._pool: Final = Pool(accounts)
        self._claims: dict[bytes, _Claim] = {}
        self._checks: dict[int, list[_Claim]] = {}
        self._token = 0
        self._lookups: OrderedDict[Hash, dict[bytes, None]] = OrderedDict()
        self._peers: dict[bytes, bool] = {}
        self._ready = False
        self._floor_fee = -1
        self._out: list[ev.Effect] = []

    def handle(self, event: ev.Event) -> list[ev.Effect]:
        """Take one event, return the effects in order."""
        out: list[ev.Effect] = []
        self._out = out
        match event:
            case ev.Submitted(now_ms, request, transactions):
                self._receive(_Batch(request, b"", now_ms, []), transactions)
            case ev.Gossiped(now_ms, peer, batch):
                self._receive_gossip(now_ms, peer, batch)
            case ev.SignaturesChecked(now_ms, token, verdicts):
                self._settle(now_ms, self._checks.pop(token), verdicts)
            case ev.BlockFinal():
                self._block_final(event)
            case ev.FoundInadmissible(_, items):
                self._evict(items)
            case ev.Select():
                chosen = select(self._pool, event, self._parameters.expiry_max_ms, self._limits.sender_share)
                out.append(ev.Selected(chosen))
            case ev.Lookup(token, leaves):
                self._look_up(token, leaves)
            case ev.Tick(now_ms):
                self._expire(now_ms)
            case ev.PeerUp(peer, relays):
                self._peer_up(peer, relays)
            case ev.PeerDown(peer):
                self._peers.pop(peer, None)
            case _ as never:
                assert_never(never)
        if bool(self._pool.ready) != self._ready:
            self._ready = not self._ready
            out.append(ev.Waiting(self._ready))
        return out

    def status(self) -> PoolStatus:
        """What waits, for people."""
        return self._pool.status(len(self._claims))

    def find(self, identity: Hash) -> KnownTransaction | None:
        """The transaction of this identity, if it waits here."""
        entry = self._pool.entries.get(identity)
        return entry.known if entry is not None else None

    def next_nonces(self, sender: Address) -> dict[int, int]:
        """The nonce after all that waits without a gap, for each lane of a sender in which something waits."""
        return self._pool.next_nonces(sender)

    @property
    def limits(self) -> PoolLimits:
        """POOL-1. How much may wait."""
        return self._limits

    # --- coming in --------------------------------------------------------------------------------------------------

    def _receive_gossip(self, now_ms: int, peer: bytes, batch: TransactionBatch) -> None:
        """POOL-9. A peer's batch, unless too much is being checked already."""
        try:
            check_batch(batch)
        except Rejected as rejected:
            self._out.append(ev.Blame(peer, rejected.reason, rejected.detail))
            return
        if len(self._claims) + len(batch.transactions) > self._limits.checking_max:
            self._out.append(ev.Shed(peer, len(batch.transactions)))
            return
        self._receive(_Batch(NO_REQUEST, peer, now_ms, []), batch.transactions)

    def _receive(self, batch: _Batch, transactions: Sequence[bytes]) -> None:
        """POOL-2, POOL-3, POOL-5. Judge what needs no signature, then ask for all signatures of the batch at once."""
        claims: list[_Claim] = []
        for item in self._read_all(batch, transactions):
            try:
                outcome = (
                    self._consider(batch, item, claims)
                    if isinstance(item, KnownTransaction)
                    else ev.ItemOutcome(b"", item.reason.value, item.detail, known=False)
                )
            except Rejected as rejected:
                if self._blames(batch, rejected):
                    break
                assert isinstance(item, KnownTransaction), "what cannot be read was not considered"
                outcome = ev.ItemOutcome(item.identity, rejected.reason.value, rejected.detail, known=False)
            batch.outcomes.append(outcome)
        if claims:
            self._token += 1
            self._checks[self._token] = claims
            items: list[tuple[bytes, bytes, bytes]] = []
            for claim in claims:
                items += signature_claims(claim.known)
            self._out.append(ev.CheckSignatures(self._token, tuple(items)))
        self._answer(batch)

    def _read_all(self, batch: _Batch, transactions: Sequence[bytes]) -> list[KnownTransaction | Rejected]:
        """Decode everything, and look at all senders in one read. A peer's batch ends where the peer is to blame."""
        items: list[KnownTransaction | Rejected] = []
        senders: list[Address] = []
        for encoded in transactions:
            try:
                known = read_transaction(encoded)
            except Rejected as rejected:
                if self._blames(batch, rejected):
                    break
                items.append(rejected)
            else:
                items.append(known)
                sender = known.signed.transaction.sender
                if len(sender) == ADDRESS_BYTES:
                    senders.append(Address(sender))
        self._pool.look_up(senders)
        return items

    def _blames(self, batch: _Batch, rejected: Rejected) -> bool:
        """Whether no honest peer would have sent this on; if so, it is said."""
        if batch.request != NO_REQUEST or rejected.reason not in BLAMED:
            return False
        self._out.append(ev.Blame(batch.peer, rejected.reason, rejected.detail))
        return True

    def _consider(self, batch: _Batch, known: KnownTransaction, claims: list[_Claim]) -> ev.ItemOutcome:
        """POOL-7. What is here or final already is accepted again; what is being checked is waited for together."""
        name = known.identity
        pool = self._pool
        if name in pool.entries or name in pool.recent:
            return ev.ItemOutcome(name, "", "", known=True)
        leaf = known.leaf
        claim = self._claims.get(leaf)
        if claim is None:
            fee = check_form(known, self._chain_id, self._parameters)
            transaction = known.signed.transaction
            check_time(transaction, batch.now_ms, self._timestamp_ms, self._parameters)
            view = pool.view(Address(transaction.sender))
            check_sender(known, fee, view, self._limits)
            if len(self._claims) >= self._limits.checking_max:
                raise Rejected(PoolRefusal.FULL, f"{len(self._claims)} are being checked")
            claim = self._claims[leaf] = _Claim(known, fee, view, batch)
            claims.append(claim)
        claim.waiters.append((batch, len(batch.outcomes)))
        batch.open += 1
        return ev.ItemOutcome(name, "", "", known=False)

    def _answer(self, batch: _Batch) -> None:
        if batch.open == 0 and batch.request != NO_REQUEST:
            self._out.append(ev.Outcome(batch.request, tuple(batch.outcomes)))

    # --- after the signatures ---------------------------------------------------------------------------------------

    def _settle(self, now_ms: int, claims: list[_Claim], verdicts: tuple[bool, ...]) -> None:
        """POOL-5. Take in what is signed well, answer who waited, pass on what is new."""
        fresh: list[bytes] = []
        settled: dict[bytes, KnownTransaction | None] = {}
        blamed = False
        place = 0
        for claim in claims:
            known = claim.known
            count = len(known.signed.authorizations)
            good = all(verdicts[place : place + count])
            place += count
            leaf = known.leaf
            del self._claims[leaf]
            settled[leaf] = known if good else None
            code = detail = ""
            if not good:
                code, detail = PoolRefusal.BAD_SIGNATURE.value, "does not verify"
                if claim.batch.request == NO_REQUEST and not blamed:
                    blamed = True
                    self._out.append(ev.Blame(claim.batch.peer, PoolRefusal.BAD_SIGNATURE, known.identity.hex()))
            else:
                try:
                    if self._admit(claim, now_ms):
                        fresh.append(known.encoded)
                except Rejected as rejected:
                    code, detail = rejected.reason.value, rejected.detail
            for batch, index in claim.waiters:
                if code:
                    batch.outcomes[index] = ev.ItemOutcome(known.identity, code, detail, known=False)
                batch.open -= 1
                self._answer(batch)
        if fresh:
            self._gossip(claims[0].batch, fresh)
        self._find_settled(settled)

    def _admit(self, claim: _Claim, now_ms: int) -> bool:
        """POOL-4. Take a place; whether it is new. Raises `Rejected`."""
        pool, known = self._pool, claim.known
        name, transaction = known.identity, known.signed.transaction
        if name in pool.entries or name in pool.recent:
            return False
        sender = Address(transaction.sender)
        view = pool.view(sender)
        if view is not claim.view:  # another state became final meanwhile
            check_time(transaction, now_ms, self._timestamp_ms, self._parameters)
            check_sender(known, claim.fee, view, self._limits)
        entry = Entry(
            known,
            sender,
            transaction.lane,
            transaction.nonce,
            claim.fee,
            len(known.encoded),
            transaction.expires_ms,
            now_ms,
            pool.arrivals,
        )
        replaced = check_place(pool, entry, view, self._limits)
        if replaced is not None:
            self._evict(((replaced.known.identity, PoolRefusal.REPLACED.value, f"by {name.hex()}"),))
        elif len(pool.entries) >= self._limits.count_max or pool.bytes + entry.size > self._limits.bytes_max:
            self._make_room(entry)
        pool.arrivals += 1
        pool.accepted += 1
        pool.insert(entry, view)
        return True

    def _make_room(self, entry: Entry) -> None:
        """POOL-10. A full pool lets go of a small part of what pays least, if this pays more. Raises `Rejected`."""
        pool, limits = self._pool, self._limits
        if entry.fee > self._floor_fee:
            names, self._floor_fee = cheapest_tails(pool, entry.fee, max(1, limits.count_max // CROWD_SHARE))
            detail = f"others pay more than {self._floor_fee}"
            self._evict(tuple((name, PoolRefusal.CROWDED_OUT.value, detail) for name in names))
        if len(pool.entries) >= limits.count_max or pool.bytes + entry.size > limits.bytes_max:
            raise Rejected(PoolRefusal.FULL, f"{len(pool.entries)} wait, the cheapest pays {self._floor_fee}")

    def _gossip(self, origin: _Batch, fresh: list[bytes]) -> None:
        """POOL-9. Once a peer: what clients and observers gave goes to every validator; validators tell all alone."""
        if origin.request == NO_REQUEST and self._peers.get(origin.peer, True):
            return
        others = [peer for peer in self._peers if peer != origin.peer]
        targets = tuple(peer for peer in others if self._peers[peer]) or tuple(others)
        if targets:
            self._out.extend(ev.Gossip(targets, batch) for batch in cut_batches(fresh))

    # --- proposals --------------------------------------------------------------------------------------------------

    def _look_up(self, token: Hash, leaves: tuple[bytes, ...]) -> None:
        """POOL-11. By identity and digest of the signatures; what is being checked right now is answered later."""
        entries, claims = self._pool.entries, self._claims
        found: list[KnownTransaction] = []
        missing: list[bytes] = []
        waiting: dict[bytes, None] = {}
        for leaf in leaves:
            entry = entries.get(Hash(leaf[1:33]))
            if entry is not None and entry.known.leaf == leaf:
                found.append(entry.known)
            elif leaf in claims:
                waiting[leaf] = None
            else:
                missing.append(leaf)
        if waiting:
            self._lookups.pop(token, None)
            self._lookups[token] = waiting
            if len(self._lookups) > LOOKUPS_MAX:
                oldest, unanswered = self._lookups.popitem(last=False)
                self._out.append(ev.Found(oldest, (), tuple(unanswered)))
        self._out.append(ev.Found(token, tuple(found), tuple(missing)))

    def _find_settled(self, settled: dict[bytes, KnownTransaction | None]) -> None:
        """POOL-11. The second answer to lookups that waited for signatures."""
        for token, waiting in list(self._lookups.items()):
            mine = [leaf for leaf in waiting if leaf in settled]
            if not mine:
                continue
            for leaf in mine:
                del waiting[leaf]
            if not waiting:
                del self._lookups[token]
            found = tuple(known for leaf in mine if (known := settled[leaf]) is not None)
            self._out.append(ev.Found(token, found, tuple(leaf for leaf in mine if settled[leaf] is None)))

    # --- going out --------------------------------------------------------------------------------------------------

    def _evict(self, items: tuple[tuple[Hash, str, str], ...]) -> None:
        """Let go of these, and say so."""
        gone = tuple(item for item in items if self._pool.remove(item[0]) is not None)
        if gone:
            self._pool.evicted += len(gone)
            self._out.append(ev.Evicted(gone))

    def _expire(self, now_ms: int) -> None:
        """POOL-6. Nothing stays beyond its expiry, by header time or, where blocks fail to come, by the clock."""
        horizon = max(self._timestamp_ms, now_ms - self._parameters.drift_ms)
        names = self._pool.expired(horizon)
        self._evict(tuple((name, PoolRefusal.EXPIRED.value, f"at {horizon}") for name in names))

    def _block_final(self, event: ev.BlockFinal) -> None:
        """POOL-7, POOL-12. What is final leaves; of its senders, what became inadmissible leaves and is reported."""
        pool = self._pool
        self._timestamp_ms = event.timestamp_ms
        self._floor_fee = -1
        pool.forget_views()
        names = [known.identity for known in event.transactions]
        pool.remember_final(names)
        for name in names:
            pool.remove(name)
        if event.parameters != self._parameters:
            self._parameters = event.parameters
            self._judge_forms()
        senders = dict.fromkeys(Address(known.signed.transaction.sender) for known in event.transactions)
        senders.update(dict.fromkeys(event.touched))
        waiting = [sender for sender in senders if sender in pool.queues]
        pool.look_up(waiting)
        for sender in waiting:
            self._judge_sender(sender)
        self._expire(event.now_ms)

    def _judge_sender(self, sender: Address) -> None:
        """POOL-12. The sender's account changed: nonces are used, others must sign, fees are beyond what it holds."""
        pool = self._pool
        queue, view = pool.queues[sender], pool.view(sender)
        gone: list[tuple[Hash, str, str]] = []
        same_policy = queue.policy == view.policy
        queue.policy = view.policy
        left = view.spendable
        affordable = queue.fees <= left
        for lane, nonces in queue.lanes.items():
            due = view.next_nonce(lane)
            used = [nonces[nonce] for nonce in nonces if nonce < due]
            gone.extend((e.known.identity, PoolRefusal.NONCE_USED.value, f"{due} is due") for e in used)
            if same_policy and affordable:
                continue
            for nonce, entry in sorted(nonces.items()):
                if nonce < due:
                    continue
                name = entry.known.identity
                if entry.fee > left:
                    gone.append((name, PoolRefusal.FEE_NOT_COVERED.value, f"{entry.fee}, the sender holds {left}"))
                    continue
                if not same_policy:
                    try:
                        view.check_authority(entry.known.signed.authorizations)
                    except Rejected as rejected:
                        gone.append((name, rejected.reason.value, rejected.detail))
                        continue
                left -= entry.fee
        self._evict(tuple(gone))
        pool.refresh_ready(sender)

    def _judge_forms(self) -> None:
        """POOL-12. Parameters changed: everything is judged again."""
        gone: list[tuple[Hash, str, str]] = []
        for name, entry in self._pool.entries.items():
            try:
                check_form(entry.known, self._chain_id, self._parameters)
            except Rejected as rejected:
                gone.append((name, rejected.reason.value, rejected.detail))
        self._evict(tuple(gone))

    # --- peers ------------------------------------------------------------------------------------------------------

    def _peer_up(self, peer: bytes, relays: bool) -> None:  # noqa: FBT001 - as the event has it
        """POOL-9. A validator that was away hears what waits here, a few messages of it."""
        self._peers[peer] = relays
        if not relays:
            return
        waiting: list[bytes] = []
        size = 0
        for entry in self._pool.entries.values():
            size += entry.size
            if size > CATCH_UP_MESSAGES * GOSSIP_BYTES_MAX:
                break
            waiting.append(entry.known.encoded)
        self._out.extend(ev.Gossip((peer,), batch) for batch in cut_batches(waiting))
