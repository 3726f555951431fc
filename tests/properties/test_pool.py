"""The pool as a machine: whatever comes in whatever order, its books are in step and what it offers can be executed."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from tests.unit.chain.mempool.desk import Pool, known, tx

from metanode.chain import mempool
from metanode.records.parameters import Parameters

PEOPLE = st.integers(0, 2)
LIMITS = {"count_max": 14, "sender_max": 6, "nonces_ahead_max": 5, "bytes_max": 4_000, "sender_share": 3}


class PoolInARow(RuleBasedStateMachine):
    """Three senders, two lanes each, a pool that is soon full, blocks with and without its transactions."""

    def __init__(self) -> None:
        super().__init__()
        self.pool = Pool(Parameters(), **LIMITS)

    @rule(number=PEOPLE, lane=st.integers(0, 1), ahead=st.integers(-1, 6), fee=st.integers(0, 40), ok=st.booleans())
    def submit(self, number: int, lane: int, ahead: int, fee: int, ok: bool) -> None:
        nonce = max(0, self.pool.ledger.person(number).next_nonce(lane) + ahead)
        expires_ms = self.pool.now_ms + 500 + 700 * fee
        encoded = tx(number, lane=lane, nonce=nonce, fee=fee, expires_ms=expires_ms, signed=ok)
        effects = self.pool.submit(encoded) if ok else self.pool.gossip(b"peer", encoded)
        if ok:
            (outcome,) = [e for e in effects if isinstance(e, mempool.Outcome)]
            accepted = self.pool.machine.find(known(encoded).identity)
            assert (outcome.items[0].code == "") == (accepted == known(encoded) or outcome.items[0].known)
        else:
            found = self.pool.machine.find(known(encoded).identity)
            assert found is None or found != known(encoded), "nothing badly signed waits"

    @rule(ms=st.integers(0, 3_000))
    def time_passes(self, ms: int) -> None:
        self.pool.now_ms += ms
        self.pool.tell(mempool.Tick(self.pool.now_ms))

    @rule(count_max=st.integers(0, 9))
    def block(self, count_max: int) -> None:
        self.pool.now_ms += 1
        chosen = self.pool.select(count_max=count_max)
        spent: dict[bytes, int] = {}
        for one in chosen:
            asked = one.signed.transaction
            account = self.pool.ledger.of(asked.sender)
            assert asked.nonce == account.next_nonce(asked.lane)
            assert asked.expires_ms > self.pool.now_ms
            account.nonces[asked.lane] = asked.nonce + 1
            spent[asked.sender] = spent.get(asked.sender, 0) + int.from_bytes(asked.fee, "big")
        for sender, fees in spent.items():
            account = self.pool.ledger.of(sender)
            assert fees <= account.spendable
            account.spendable -= fees
        self.pool.final(*chosen)

    @rule(number=PEOPLE, lane=st.integers(0, 1))
    def block_of_others(self, number: int, lane: int) -> None:
        self.pool.now_ms += 1
        nonce = self.pool.ledger.person(number).next_nonce(lane)
        self.pool.final(known(tx(number, lane=lane, nonce=nonce, memo="elsewhere")))

    @rule(number=PEOPLE, holds=st.integers(0, 120))
    def balance(self, number: int, holds: int) -> None:
        self.pool.ledger.person(number).spendable = holds
        self.pool.final(touched=(number,))

    @precondition(lambda self: self.pool.machine.status().transactions)
    @rule(data=st.data())
    def inadmissible(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(sorted(self.pool.machine._pool.entries)))
        item = (name, "test.reason", "")
        effects = self.pool.tell(mempool.FoundInadmissible(self.pool.now_ms, (item,)))
        assert effects[0] == mempool.Evicted((item,))

    @invariant()
    def books_are_in_step(self) -> None:
        pool = self.pool.machine._pool
        waiting = list(pool.entries.values())
        assert len(waiting) <= LIMITS["count_max"]
        assert pool.bytes == sum(entry.size for entry in waiting) <= LIMITS["bytes_max"]
        held = [e for queue in pool.queues.values() for nonces in queue.lanes.values() for e in nonces.values()]
        assert sorted(e.number for e in held) == sorted(e.number for e in waiting)
        for sender, queue in pool.queues.items():
            assert queue.count == sum(len(nonces) for nonces in queue.lanes.values()) <= LIMITS["sender_max"]
            assert queue.fees == sum(e.fee for nonces in queue.lanes.values() for e in nonces.values())
            assert queue.fees <= self.pool.ledger.of(sender).spendable
            for lane, nonces in queue.lanes.items():
                assert nonces, "no empty lane is kept"
                due = self.pool.ledger.of(sender).next_nonce(lane)
                assert all(due <= nonce <= due + LIMITS["nonces_ahead_max"] for nonce in nonces)
                assert pool.ready.get((sender, lane)) is nonces.get(due)
        assert len(pool.ready) <= sum(len(queue.lanes) for queue in pool.queues.values())
        assert self.pool.machine._claims == {}
        assert self.pool.machine._ready == bool(pool.ready)


PoolInARow.TestCase.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)
TestPoolInARow = PoolInARow.TestCase
