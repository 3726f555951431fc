"""The ledger: undecided blocks beside and above one another, commits, kept states and their proofs."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import pytest
from tests.unit.ledger.world import MATHEMATICS, World, address, key, make_genesis, name_of

from metanode.ledger import BlockInput, Execution, Ledger, LedgerRefusal, MemoryReader, executor, genesis_state
from metanode.ledger.accounts import AccountsRefusal
from metanode.ledger.coin import CoinRefusal, balance_key, supply_key
from metanode.ledger.executor import CANDIDATES_MAX
from metanode.ledger.frame import WorkRefusal
from metanode.ledger.queries import (
    HOLDINGS_SCANNED_MAX,
    HolderPage,
    Holding,
    account_details,
    accounts_after,
    balance,
    coin_details,
    coins_after,
    holders_after,
)
from metanode.ledger.state import build_tree, verify_state_proof
from metanode.node.modules import MODULES as STATE_MODULES
from metanode.primitives.digest import Tag
from metanode.primitives.merkle import counted_root
from metanode.primitives.names import NO_HASH, Hash, Height, Millis, Seat
from metanode.primitives.refusal import Refusal, Rejected
from metanode.records.address import address_of_key
from metanode.records.amount import amount_bytes
from metanode.records.calls import AccountsSetPolicy, CoinDefine, CoinTransfer
from metanode.records.genesis import Genesis, GenesisAccount, GenesisBalance, GenesisCoin
from metanode.records.parameters import Parameters
from metanode.records.receipt import Status, receipt_bytes, receipt_leaf

ALICE, BOB = address("alice"), address("bob")


def pay(amount: int, to: bytes = BOB) -> CoinTransfer:
    return CoinTransfer(coin="BPI", to=to, amount=amount_bytes(amount))


def test_the_same_genesis_has_the_same_state_on_every_machine() -> None:
    world = World()
    assert world.ledger.tip == (0, NO_HASH, build_tree(world.reader.scan()).root)
    assert World().ledger.tip == world.ledger.tip
    assert World(make_genesis(5)).ledger.tip != world.ledger.tip
    assert {key[:2] for key in world.reader.values} == {
        b"aa", b"ar", b"ac", b"cb", b"cd", b"cs", b"gp", b"gr", b"gv", b"gd", b"gx",
    }  # fmt: skip


def test_executing_changes_nothing() -> None:
    world = World()
    before = world.ledger.tip
    one, other = world.execute(world.transaction("alice", pay(1))), world.execute(world.transaction("alice", pay(1)))
    assert one == other
    assert world.ledger.tip == before
    assert balance(world.ledger, ALICE, "BPI") == 1_000


def test_the_roots_are_those_of_what_is_stored() -> None:
    world = World()
    execution = world.commit(world.transaction("alice", pay(1)), world.transaction("bob", pay(2, ALICE)))
    assert execution.state_root == build_tree(world.reader.scan()).root == world.ledger.tip[2]
    assert execution.receipt_bytes == tuple(receipt_bytes(receipt) for receipt in execution.receipts)
    leaves = [receipt_leaf(data) for data in execution.receipt_bytes]
    assert execution.receipts_root == counted_root(Tag.RECEIPTS_ROOT, leaves)
    assert [receipt.index for receipt in execution.receipts] == [0, 1]


def test_an_empty_block_changes_no_state() -> None:
    world = World()
    root = world.ledger.tip[2]
    execution = world.commit()
    assert (execution.writes, execution.receipts, execution.state_root) == ({}, (), root)


def above(world: World, parent: Hash, height: int, *transactions: object) -> Execution:
    block = BlockInput(
        height=Height(height),
        timestamp_ms=Millis(world.now_ms + height),
        proposer=Seat(1),
        evidence=(),
        transactions=transactions,  # type: ignore[arg-type]
    )
    return world.ledger.execute(parent, block)


def test_siblings_and_children_do_not_disturb_one_another() -> None:
    world = World()
    tip = world.ledger.tip[1]
    left = above(world, tip, 1, world.transaction("alice", pay(100)))
    right = above(world, tip, 1, world.transaction("alice", pay(300)))
    world.ledger.adopt(name_of(left), left)
    world.ledger.adopt(name_of(right), right)
    child = above(world, name_of(left), 2, world.transaction("bob", pay(1_100, ALICE)))
    world.ledger.adopt(name_of(child), child)
    assert child.receipts[0].status == Status.SUCCEEDED, "bob holds 1,100 on the left only"
    refused = above(world, name_of(right), 2, world.transaction("bob", pay(1_301, ALICE)))
    assert refused.receipts[0].code == CoinRefusal.INSUFFICIENT.value
    assert world.ledger.knows(name_of(child))
    committed = world.ledger.commit(name_of(left))
    assert committed is left
    assert not world.ledger.knows(name_of(right)), "the sibling is forgotten"
    assert world.ledger.knows(name_of(child))
    assert balance(world.ledger, BOB, "BPI") == 1_100, "answered from memory: nothing is stored yet"
    world.ledger.commit(name_of(child))
    assert balance(world.ledger, BOB, "BPI") == 0
    for execution in (left, child):
        world.reader.apply(execution.writes)
    world.ledger.settle(Height(2))
    assert world.ledger.tip == (2, name_of(child), build_tree(world.reader.scan()).root)


def test_memory_answers_until_the_store_shows_it() -> None:
    world = World()
    executions = []
    for amount in (10, 20):
        execution = world.execute(world.transaction("alice", pay(amount, address("new"))))
        world.ledger.adopt(name_of(execution), execution)
        executions.append(world.ledger.commit(name_of(execution)))

    def seen() -> tuple[object, ...]:
        holdings = account_details(world.ledger, address("new"), 10).holdings
        return [(holding.coin, holding.amount) for holding in holdings], dict(world.ledger.scan(b""))

    waiting = seen()
    assert waiting[0] == [("BPI", 30)]
    for execution in executions:
        world.reader.apply(execution.writes)
        assert seen() == waiting
        world.ledger.settle(execution.height)
        assert seen() == waiting
    assert waiting[1] == world.reader.values


def test_a_scan_merges_deletions_and_news() -> None:
    world = World()
    execution = world.execute(
        world.transaction("alice", pay(1_000, address("new"))), world.transaction("bob", pay(1, ALICE))
    )
    world.ledger.adopt(name_of(execution), execution)
    world.ledger.commit(name_of(execution))
    scanned = list(world.ledger.scan(b"cb"))
    assert scanned == sorted(scanned)
    assert {key for key, _ in scanned} == {balance_key(who, "BPI") for who in (address("new"), ALICE, BOB)}
    assert scanned[1:] == list(world.ledger.scan(b"cb", scanned[0][0]))


def test_undecided_blocks_are_bounded() -> None:
    world = World()
    tip = world.ledger.tip[1]
    names = []
    for number in range(CANDIDATES_MAX + 1):
        execution = above(world, tip, 1, world.transaction("alice", pay(number + 1)))
        names.append(name_of(execution))
        world.ledger.adopt(names[-1], execution)
    assert [world.ledger.knows(name) for name in names] == [False] + [True] * CANDIDATES_MAX


def test_old_states_are_kept_and_proved() -> None:
    world = World(make_genesis(parameters=Parameters(history_blocks=5)))
    expected: dict[int, tuple[Hash, Mapping[bytes, bytes]]] = {0: (world.ledger.tip[2], dict(world.reader.values))}
    for number in range(1, 9):
        world.commit(world.transaction("alice", pay(number * 20, address(f"new-{number % 3}"))))
        expected[number] = (world.ledger.tip[2], dict(world.reader.values))
    keys = sorted({key for _, values in expected.values() for key in values})
    for height in (4, 5, 6, 7, 8):
        root, values = expected[height]
        assert world.ledger.tree_at(Height(height)).root == root
        for raw in [*keys, b"absent"]:
            proved = world.ledger.prove(raw, Height(height))
            assert (proved.state_root, proved.value) == (root, values.get(raw))
            assert verify_state_proof(root, raw, values.get(raw), proved.proof)
            assert not verify_state_proof(root, raw, b"forged", proved.proof)
    for height in (3, 9, -1):
        with pytest.raises(Rejected) as refused:
            world.ledger.prove(keys[0], Height(height))
        assert refused.value.reason is LedgerRefusal.HEIGHT_NOT_KEPT


def test_busy_blocks_leave_fewer_old_states_but_one_below_the_tip(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    for _ in range(4):
        world.commit(world.transaction("alice", pay(1)))
    assert world.ledger.tree_at(Height(0)).root
    monkeypatch.setattr(executor, "HISTORY_WRITES_MAX", 0)
    world.commit(world.transaction("alice", pay(1)))
    assert [world.ledger.tree_at(Height(height)).root for height in (4, 5)][1] == world.ledger.tip[2]
    with pytest.raises(Rejected) as refused:
        world.ledger.tree_at(Height(3))
    assert refused.value.reason is LedgerRefusal.HEIGHT_NOT_KEPT


def test_a_restarted_ledger_goes_on_where_it_was() -> None:
    world = World()
    world.commit(world.transaction("alice", pay(5)))
    height, tip, root = world.ledger.tip
    restarted = Ledger(world.genesis, MemoryReader(world.reader.values), height, tip, MATHEMATICS, STATE_MODULES)
    assert restarted.tip == (height, tip, root)
    block = world.block(world.transaction("bob", pay(7, ALICE)))
    assert restarted.execute(tip, block) == world.ledger.execute(tip, block)


def test_work_is_metered_and_stops_at_the_limit() -> None:
    world = World()
    enough = world.execute(world.transaction("alice", pay(1), pay(1), work_limit=170))
    assert (enough.receipts[0].status, enough.receipts[0].work, enough.work) == (Status.SUCCEEDED, 170, 170)
    short = world.execute(world.transaction("alice", pay(1), pay(1), work_limit=169))
    assert (short.receipts[0].status, short.receipts[0].code) == (Status.FAILED, WorkRefusal.LIMIT_REACHED.value)
    assert (short.receipts[0].work, short.work) == (169, 169)
    none = world.execute(world.transaction("alice", pay(1), work_limit=0))
    assert (none.receipts[0].code, none.receipts[0].work) == (WorkRefusal.LIMIT_REACHED.value, 0)


def test_what_a_full_block_cannot_run_is_not_fetched_either(monkeypatch: pytest.MonkeyPatch) -> None:
    """LEDGER-N7. A pool offers many times what a block has work for: its keys are not read in vain."""
    world = World(make_genesis(parameters=Parameters(block_work_max=2_000)))
    payees = [address_of_key(b"%032d" % number) for number in range(100)]
    offered = [world.transaction("alice", pay(1, to), nonce=n, work_limit=200) for n, to in enumerate(payees)]
    asked: list[bytes] = []
    get_many = world.reader.get_many

    def watched(keys: Sequence[bytes]) -> Sequence[bytes | None]:
        asked.extend(keys)
        return get_many(keys)

    monkeypatch.setattr(world.reader, "get_many", watched)
    execution = world.execute(*offered)
    assert len(execution.transactions) == 11
    assert sum(key[:2] == b"cb" and key[2:22] in payees for key in asked) == 15  # 140 units each, at the least


def test_a_receipt_that_would_be_too_long_fails_its_transaction() -> None:
    parameters = Parameters(
        transaction_calls_max=1_024,
        transaction_bytes_max=65_536,
        transaction_work_max=4_000_000,
        block_work_max=4_000_000,
        round_timeout_ms=20_000,
    )
    world = World(make_genesis(parameters=parameters))
    new = [address_of_key(b"%032d" % number) for number in range(1_024)]
    big = AccountsSetPolicy(keys=tuple(sorted(key(str(number)) for number in range(16))), threshold=1)
    fits = world.execute(world.transaction("alice", *(pay(1, to) for to in new[:900]), work_limit=4_000_000))
    assert fits.receipts[0].status == Status.SUCCEEDED
    giant = world.transaction("alice", *(big,) * 500, work_limit=4_000_000)
    # its own bytes are above their limit too, which is another test's business
    execution = world.execute(replace(giant, encoded=b""))
    assert execution.receipts[0].code == WorkRefusal.RECEIPT_TOO_LARGE.value
    assert execution.receipts[0].events == ()


def test_queries_in_pages() -> None:
    world = World()
    for coin in ("EUR", "USD"):
        world.commit(world.transaction("alice", CoinDefine(coin=coin, decimals=2, supply_max=b"", minters=(ALICE,))))
    everyone = [*(address(f"operator-{n}") for n in range(4)), ALICE, BOB, address("carol")]
    assert accounts_after(world.ledger, b"", 100) == sorted(everyone)
    assert accounts_after(world.ledger, sorted(everyone)[2], 2) == sorted(everyone)[3:5]
    assert [coin.coin for coin in coins_after(world.ledger, "", 100)] == ["BPI", "EUR", "USD"]
    assert [coin.coin for coin in coins_after(world.ledger, "BPI", 1)] == ["EUR"]
    first, second = sorted((ALICE, BOB))
    page = holders_after(world.ledger, "BPI", b"", 10)
    assert page == HolderPage((Holding(first, "BPI", 1_000), Holding(second, "BPI", 1_000)), b"")
    assert holders_after(world.ledger, "EUR", b"", 10) == HolderPage((), b"")
    page = holders_after(world.ledger, "BPI", b"", 1)
    assert page == HolderPage((Holding(first, "BPI", 1_000),), first)
    assert holders_after(world.ledger, "BPI", page.next_after, 1) == HolderPage((Holding(second, "BPI", 1_000),), b"")
    assert coin_details(world.ledger, "GBP") is None
    nobody = account_details(world.ledger, address("nobody"), 10)
    assert (nobody.exists, nobody.threshold, nobody.nonces, nobody.holdings) == (False, 1, (), ())
    assert world.ledger.get(supply_key("BPI")) == (2_000).to_bytes(16, "big")


class ManyHoldings:
    """A source in which nobody before the last holds what is asked for."""

    def __init__(self, count: int) -> None:
        self.pairs = [(balance_key(number.to_bytes(20, "big"), "AAA"), bytes(16)) for number in range(count)]
        self.pairs.append((balance_key(b"\xff" * 20, "ZZZ"), bytes(15) + b"\x01"))

    def get(self, key: bytes) -> bytes | None:
        raise AssertionError(key)

    def scan(self, prefix: bytes, after: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        return (pair for pair in self.pairs if pair[0].startswith(prefix) and pair[0] > after)


def test_one_question_looks_at_so_many_balances_only() -> None:
    source = ManyHoldings(2 * HOLDINGS_SCANNED_MAX)
    pages = [holders_after(source, "ZZZ", b"", 10)]
    while pages[-1].next_after:
        pages.append(holders_after(source, "ZZZ", pages[-1].next_after, 10))
    assert [len(page.holders) for page in pages] == [0, 0, 1]


def with_fields(genesis: Genesis, **changes: object) -> Genesis:
    fields = {name: getattr(genesis, name) for name in genesis.__struct_fields__}
    return Genesis(**{**fields, **changes})


def an_account(**changes: object) -> GenesisAccount:
    fields: dict[str, object] = {
        "name": "dora", "address": address("dora"), "keys": (key("dora"),), "threshold": 1, "roles": (), "balances": (),
    }  # fmt: skip
    return GenesisAccount(**{**fields, **changes})  # type: ignore[arg-type]


def a_coin(**changes: object) -> GenesisCoin:
    fields: dict[str, object] = {"coin": "USD", "decimals": 2, "issuer": ALICE, "minters": (), "supply_max": b""}
    return GenesisCoin(**{**fields, **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("reason", "account", "coin"),
    [
        (CoinRefusal.BAD_SYMBOL, an_account(), a_coin(coin="no symbol")),
        (CoinRefusal.EXISTS, an_account(), a_coin(coin="BPI")),
        (AccountsRefusal.BAD_ROLE, an_account(roles=("No",)), a_coin()),
        (AccountsRefusal.HAS_ROLE, an_account(roles=("auditor", "auditor")), a_coin()),
        (AccountsRefusal.BAD_KEYS, an_account(keys=(key("b"), key("a"), key("b"))), a_coin()),
        (
            CoinRefusal.UNKNOWN,
            an_account(balances=(GenesisBalance(coin="EUR", amount=b"\x01"),)),
            a_coin(),
        ),
        (
            CoinRefusal.ABOVE_MAXIMUM,
            an_account(balances=(GenesisBalance(coin="USD", amount=b"\x02"),)),
            a_coin(supply_max=b"\x01"),
        ),
    ],
)
def test_a_genesis_that_contradicts_the_modules_is_refused(
    reason: Refusal, account: GenesisAccount, coin: GenesisCoin
) -> None:
    genesis = make_genesis()
    broken = with_fields(genesis, accounts=(*genesis.accounts, account), coins=(*genesis.coins, coin))
    with pytest.raises(Rejected) as refused:
        genesis_state(broken, STATE_MODULES)
    assert refused.value.reason is reason


def test_a_shared_genesis_account_has_its_policy() -> None:
    genesis = make_genesis()
    shared = an_account(keys=tuple(sorted((key("a"), key("b")))), threshold=2)
    world = World(with_fields(genesis, accounts=(*genesis.accounts, shared)))
    verdicts = world.ledger.judge(
        [world.transaction("dora", pay(1)), world.transaction("dora", pay(1), signers=("a", "b"))],
        world.block().timestamp_ms,
    )
    assert verdicts[0] is not None
    assert verdicts[1] is None
