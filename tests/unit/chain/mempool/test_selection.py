"""What is offered to a block, and what leaves when one is final."""

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.chain.mempool.desk import NOW, AuthorityRefusal, Pool, known, name, tx
from tests.unit.chain.samples import Person

from metanode.chain.mempool import Evicted, FoundInadmissible, PoolRefusal, Select, Tick, Waiting
from metanode.records.block import KnownTransaction
from metanode.records.parameters import Parameters


def numbers(selected: list[KnownTransaction]) -> list[tuple[int, int, int]]:
    people = {Person(number).address: number for number in range(20)}
    asked = [one.signed.transaction for one in selected]
    return [(people[t.sender], t.lane, t.nonce) for t in asked]


def test_nonces_of_a_lane_in_order_whatever_they_pay_and_however_they_came() -> None:
    pool = Pool()
    pool.submit(tx(nonce=2, fee=9), tx(nonce=1, fee=5), tx(nonce=0, fee=1))
    assert numbers(pool.select()) == [(0, 0, 0), (0, 0, 1), (0, 0, 2)]


def test_a_gap_is_held_but_not_offered() -> None:
    pool = Pool()
    assert pool.submit(tx(nonce=1))[-1] != Waiting(ready=True)
    assert pool.select() == []
    assert pool.submit(tx(nonce=0))[-1] == Waiting(ready=True)
    assert numbers(pool.select()) == [(0, 0, 0), (0, 0, 1)]


def test_fees_first_then_arrival() -> None:
    pool = Pool()
    pool.submit(tx(0, fee=1), tx(1, fee=3), tx(2, fee=2), tx(3, fee=3))
    assert [sender for sender, _, _ in numbers(pool.select())] == [1, 3, 2, 0]


def test_a_sender_with_many_leaves_room_for_others() -> None:
    pool = Pool(sender_share=4)
    pool.submit(*(tx(nonce=nonce, fee=5) for nonce in range(20)), tx(1, fee=1), tx(2), tx(2, nonce=1))
    assert numbers(pool.select(count_max=8)) == [
        (0, 0, 0), (0, 0, 1), (1, 0, 0), (2, 0, 0), (2, 0, 1), (0, 0, 2), (0, 0, 3), (0, 0, 4),
    ]  # fmt: skip


def test_turns_count_over_all_lanes_of_a_sender() -> None:
    pool = Pool(sender_share=4)
    pool.submit(*(tx(lane=lane, fee=5) for lane in range(8)), tx(1))
    assert [sender for sender, _, _ in numbers(pool.select(count_max=8))] == [0, 0, 1, 0, 0, 0, 0, 0]


def test_limits_of_the_block() -> None:
    pool = Pool()
    pool.submit(tx(0, work_limit=500), tx(1, work_limit=1_000), tx(2, work_limit=10), tx(2, nonce=1))
    assert [s for s, _, _ in numbers(pool.select(count_max=2))] == [0, 1]
    assert [s for s, _, _ in numbers(pool.select(work_max=500))] == [0, 2]
    assert len(pool.select(bytes_max=2 * len(tx(0)))) == 2


def test_what_the_blocks_time_forbids_is_passed_over_but_kept() -> None:
    pool = Pool()
    pool.submit(tx(0, expires_ms=NOW + 100), tx(1, expires_ms=NOW + 600_000))
    assert numbers(pool.select(timestamp_ms=NOW + 100)) == [(1, 0, 0)]
    assert numbers(pool.select(timestamp_ms=NOW - 1)) == [(0, 0, 0)]
    assert numbers(pool.select(timestamp_ms=NOW)) == [(0, 0, 0), (1, 0, 0)]


def test_fees_of_the_chosen_are_covered() -> None:
    pool = Pool()
    pool.submit(tx(fee=400), tx(nonce=1, fee=400))
    pool.ledger.person(0).spendable = 700
    pool.final()
    assert numbers(pool.select()) == [(0, 0, 0)], "what others spent for it was not told"


def test_a_final_block_takes_its_transactions_and_the_next_are_ready() -> None:
    pool = Pool()
    pool.submit(tx(), tx(nonce=1), tx(1))
    chosen = pool.select(count_max=2)
    assert pool.final(*chosen) == []
    assert numbers(pool.select()) == [(0, 0, 1)]
    assert pool.final(*pool.select()) == [Waiting(ready=False)]
    assert pool.machine.status().transactions == 0


def test_another_transaction_took_the_nonce() -> None:
    pool = Pool()
    mine, other = tx(), tx(memo="other")
    pool.submit(mine, tx(nonce=1))
    assert pool.final(known(other)) == [Evicted(((name(mine), PoolRefusal.NONCE_USED, "1 is due"),))]
    assert numbers(pool.select()) == [(0, 0, 1)]


def test_the_senders_policy_changed() -> None:
    pool = Pool()
    pool.submit(tx(nonce=0), tx(nonce=1))
    pool.ledger.person(0).keys = (Person(3).key,)
    first = pool.select(count_max=1)
    assert pool.final(*first) == [
        Evicted(((name(tx(nonce=1)), AuthorityRefusal.STRANGER, "not its key"),)),
        Waiting(ready=False),
    ]


def test_the_sender_holds_less_than_it_did() -> None:
    pool = Pool()
    pool.submit(tx(fee=400), tx(nonce=1, fee=400), tx(lane=1, fee=100))
    pool.ledger.person(0).spendable = 550
    assert pool.final(touched=(0,)) == [
        Evicted(((name(tx(nonce=1, fee=400)), PoolRefusal.FEE_NOT_COVERED, "400, the sender holds 150"),))
    ]
    assert sorted(numbers(pool.select())) == [(0, 0, 0), (0, 1, 0)]


def test_parameters_changed() -> None:
    pool = Pool()
    pool.submit(tx(fee=1), tx(1, fee=9))
    (evicted,) = pool.final(parameters=Parameters(fee_min=5))
    assert evicted == Evicted(((name(tx(fee=1)), PoolRefusal.FEE_TOO_LOW, "1, at least 5"),))
    assert pool.codes(tx(2, fee=4)) == [PoolRefusal.FEE_TOO_LOW]


def test_execution_found_it_inadmissible() -> None:
    pool = Pool()
    pool.submit(tx(), tx(1))
    item = (name(tx()), "ledger.some-reason", "why")
    assert pool.tell(FoundInadmissible(NOW, (item, (name(tx(7)), "x", "")))) == [Evicted((item,))]
    assert numbers(pool.select()) == [(1, 0, 0)]


def test_nothing_stays_beyond_its_expiry() -> None:
    pool = Pool()
    pool.submit(tx(0, expires_ms=NOW + 10_000), tx(1, expires_ms=NOW + 30_000))
    drift = pool.parameters.drift_ms
    assert pool.tell(Tick(NOW + 10_000)) == [], "others' clocks may be behind"
    assert pool.tell(Tick(NOW + 10_000 + drift + 1_000)) == [
        Evicted(((name(tx(0, expires_ms=NOW + 10_000)), PoolRefusal.EXPIRED, f"at {NOW + 11_000}"),))
    ]
    pool.now_ms = NOW + 31_000
    assert pool.final() == [
        Evicted(((name(tx(1, expires_ms=NOW + 30_000)), PoolRefusal.EXPIRED, f"at {NOW + 31_000}"),)),
        Waiting(ready=False),
    ]


def test_an_account_is_looked_up_once_between_two_blocks() -> None:
    pool = Pool()
    for nonce in range(10):
        pool.submit(tx(nonce=nonce))
    assert pool.ledger.asked == 1
    pool.final(*pool.select(count_max=1))
    assert pool.ledger.asked == 2


def test_judged_again_where_a_block_came_between_admission_and_signature() -> None:
    pool = Pool()
    pool.hold = True
    pool.submit(tx(), tx(1))
    pool.final(known(tx(memo="other")))
    outcome, waiting = pool.release()
    assert [item.code for item in outcome.items] == [PoolRefusal.NONCE_USED, ""]  # type: ignore[union-attr]
    assert waiting == Waiting(ready=True)


PLAN = st.lists(
    st.tuples(st.integers(0, 3), st.integers(0, 1), st.integers(0, 5), st.integers(0, 3)), min_size=1, max_size=25
)


@settings(max_examples=60)
@given(plan=PLAN, count_max=st.integers(1, 30), share=st.integers(1, 8), blocks=st.integers(1, 3))
def test_whatever_comes_a_selection_can_be_executed(
    plan: list[tuple[int, int, int, int]], count_max: int, share: int, blocks: int
) -> None:
    pool = Pool(sender_share=share, count_max=12)
    pool.submit(*(tx(number, lane=lane, nonce=nonce, fee=fee) for number, lane, nonce, fee in plan))
    for _ in range(blocks):
        chosen = pool.select(count_max=count_max)
        assert len(chosen) <= count_max
        assert len({one.identity for one in chosen}) == len(chosen)
        places = numbers(chosen)
        for sender, lane in sorted({place[:2] for place in places}):
            nonces = [nonce for s, lane_, nonce in places if (s, lane_) == (sender, lane)]
            assert nonces[0] == pool.ledger.person(sender).next_nonce(lane)
            assert all(two == one + 1 for one, two in pairwise(nonces))
        pool.final(*chosen)
        status = pool.machine.status()
        assert status.transactions <= 12
        assert status.transactions == 0 or status.bytes > 0
    assert pool.tell(Select(NOW, NOW, 0, 10, 10)) == pool.tell(Select(NOW, NOW, 1 << 20, 0, 10))
