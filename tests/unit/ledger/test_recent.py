"""The memory of recent values never says what is not so."""

import pytest
from tests.unit.ledger.world import World, address, name_of

from metanode.ledger import recent
from metanode.ledger.recent import ABSENT, Recent
from metanode.records.amount import amount_bytes
from metanode.records.calls import CoinTransfer


def pay(to: str, amount: int) -> CoinTransfer:
    return CoinTransfer(coin="BPI", to=address(to), amount=amount_bytes(amount))


def test_it_remembers_what_it_was_told_last_even_that_a_key_is_absent():
    memory = Recent()
    memory.note({b"a": b"1", b"b": None})
    memory.note({b"a": b"2"})
    assert (memory.get(b"a"), memory.get(b"b"), memory.get(b"c")) == (b"2", None, ABSENT)


def test_it_is_bounded_and_the_newer_value_wins_over_the_older_generation(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(recent, "GENERATION_MAX", 4)
    memory = Recent()
    memory.note({b"a": b"old", **{bytes([n]): b"" for n in range(4)}})  # five: these are the old generation now
    assert memory.get(b"a") == b"old"
    memory.note({b"a": b"new"})
    assert memory.get(b"a") == b"new"
    for n in range(100):
        memory.note({bytes([n, n]): b""})
        assert len(memory) <= 2 * (4 + 1)
    assert memory.get(b"a") is ABSENT


@pytest.mark.parametrize("most", [0, 3, 1_000])
def test_the_ledger_says_the_same_whatever_it_remembers(monkeypatch: pytest.MonkeyPatch, most: int):
    monkeypatch.setattr(recent, "GENERATION_MAX", most)
    world = World()
    for turn in range(6):
        before = world.ledger.account_views((address("carol"),))[0].spendable
        world.execute(world.transaction("alice", pay("carol", 100)))  # executed, never decided
        assert world.ledger.account_views((address("carol"),))[0].spendable == before
        world.commit(world.transaction("alice", pay("carol", 5)), world.transaction("bob", pay("alice", 3)))
        assert world.ledger.account_views((address("carol"),))[0].spendable == 5 * (turn + 1)
    views = world.ledger.account_views([address(name) for name in ("alice", "bob", "carol", "nobody")])
    assert [view.spendable for view in views] == [1_000 - 30 + 18, 1_000 - 18, 30, 0]
    assert [view.next_nonce(0) for view in views] == [6, 6, 0, 0]
    stored = {key: world.ledger.get(key) for key, _ in world.reader.scan()}
    assert stored == dict(world.reader.scan())


def test_a_block_on_an_undecided_one_reads_what_that_one_wrote():
    world = World()
    first = world.execute(world.transaction("alice", pay("carol", 5)))
    world.ledger.adopt(name_of(first), first)
    block = world.block(world.transaction("carol", pay("bob", 4)), above=2, later_ms=2_000)
    second = world.ledger.execute(name_of(first), block)
    assert [receipt.status for receipt in second.receipts] == [1]
    assert world.ledger.account_views((address("carol"),))[0].spendable == 0
