"""Conservation of value, strict nonces and equal results, whatever is thrown at the ledger.

A stateful machine sends good and bad transactions in blocks with forks, restarts and crashes between them, beside a
model of plain integers.
"""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from tests.unit.ledger.world import MATHEMATICS, World, address, name_of

from metanode.ledger import Execution, Ledger
from metanode.ledger.state import build_tree
from metanode.node.modules import MODULES as STATE_MODULES
from metanode.records.amount import amount_bytes, amount_value
from metanode.records.block import KnownTransaction
from metanode.records.calls import Call, CoinBurn, CoinDefine, CoinMint, CoinTransfer, GovernancePropose, SetParameter
from metanode.records.receipt import CoinBurned, CoinMinted, CoinTransferred, FeePaid, Status

NAMES = ("alice", "bob", "carol", "dora", "operator-0")
COINS = ("BPI", "USD", "EUR")
AMOUNTS = st.sampled_from((0, 1, 2, 3, 50, 999, 1_000, 1_001, 2**127, 2**128 - 1)).map(amount_bytes)
NAME = st.sampled_from(NAMES)
COIN = st.sampled_from(COINS)
CALLS = st.one_of(
    st.builds(lambda coin, to, amount: CoinTransfer(coin=coin, to=address(to), amount=amount), COIN, NAME, AMOUNTS),
    st.builds(lambda coin, to, amount: CoinMint(coin=coin, to=address(to), amount=amount), COIN, NAME, AMOUNTS),
    st.builds(lambda coin, amount: CoinBurn(coin=coin, amount=amount), COIN, AMOUNTS),
    st.builds(
        lambda coin, name, maximum: CoinDefine(coin=coin, decimals=0, supply_max=maximum, minters=(address(name),)),
        COIN,
        NAME,
        AMOUNTS,
    ),
    st.builds(lambda v: GovernancePropose(action=SetParameter(name="memo_bytes_max", value=v)), st.integers(0, 9)),
)
REQUESTS = st.lists(
    st.tuples(NAME, st.lists(CALLS, min_size=1, max_size=4), st.integers(0, 3), st.integers(0, 2), st.integers(-1, 1)),
    max_size=6,
)
Request = tuple[str, list[Call], int, int, int]


class Chain(RuleBasedStateMachine):
    """The ledger under arbitrary blocks."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World()
        self.holdings: dict[tuple[bytes, str], int] = {(address("alice"), "BPI"): 1_000, (address("bob"), "BPI"): 1_000}
        self.nonces: dict[tuple[bytes, int], int] = {}

    def transactions(self, requests: list[Request]) -> list[KnownTransaction]:
        due = dict(self.nonces)
        made = []
        for name, calls, fee, lane, off in requests:
            slot = (address(name), lane)
            nonce = due.get(slot, 0)
            made.append(self.world.transaction(name, *calls, nonce=max(0, nonce + off), lane=lane, fee=fee))
            due[slot] = nonce + (off == 0)
        return made

    @rule(requests=REQUESTS, forked=REQUESTS)
    def a_block_becomes_final(self, requests: list[Request], forked: list[Request]) -> None:
        ledger = self.world.ledger
        tip = ledger.tip[1]
        fork = ledger.execute(tip, self.world.block(*self.transactions(forked), later_ms=7))
        ledger.adopt(name_of(fork), fork)
        block = self.world.block(*self.transactions(requests))
        execution = ledger.execute(tip, block)
        clean = self.world.block(*execution.transactions)
        again = ledger.execute(tip, clean)
        assert again.refused_transactions == (), "what a proposer keeps, a validator accepts"
        assert (again.state_root, again.receipts_root) == (execution.state_root, execution.receipts_root)
        ledger.adopt(name_of(execution), execution)
        ledger.commit(name_of(execution))
        self.world.now_ms += 1_000
        self.follow(execution)
        self.world.reader.apply(execution.writes)
        ledger.settle(execution.height)

    @rule()
    def the_machine_restarts(self) -> None:
        height, tip, root = self.world.ledger.tip
        self.world.ledger = Ledger(self.world.genesis, self.world.reader, height, tip, MATHEMATICS, STATE_MODULES)
        assert self.world.ledger.tip[2] == root

    def follow(self, execution: Execution) -> None:
        """Move the model by what the receipts say, and by nothing else."""
        for known in execution.transactions:
            transaction = known.signed.transaction
            slot = (transaction.sender, transaction.lane)
            assert transaction.nonce == self.nonces.get(slot, 0)
            self.nonces[slot] = transaction.nonce + 1
        fees = 0
        for receipt in execution.receipts:
            for event in receipt.events:
                match event:
                    case FeePaid():
                        self.move(event.account, "BPI", -amount_value(event.amount))
                        fees += amount_value(event.amount)
                    case CoinTransferred(sender=sender) if sender == bytes(20):
                        fees -= amount_value(event.amount)
                        self.move(event.to, event.coin, amount_value(event.amount))
                    case CoinTransferred():
                        self.move(event.sender, event.coin, -amount_value(event.amount))
                        self.move(event.to, event.coin, amount_value(event.amount))
                    case CoinMinted():
                        self.move(event.to, event.coin, amount_value(event.amount))
                    case CoinBurned():
                        self.move(event.sender, event.coin, -amount_value(event.amount))
                    case _:
                        pass
            if receipt.status == Status.FAILED:
                assert all(
                    isinstance(event, FeePaid) or event.__class__.__name__ == "AccountCreated"
                    for event in receipt.events
                )
        assert fees == 0, "every fee arrives at the end of its block"

    def move(self, who: bytes, coin: str, amount: int) -> None:
        held = self.holdings.get((who, coin), 0) + amount
        assert 0 <= held < 1 << 128
        self.holdings[who, coin] = held

    @invariant()
    def balances_are_what_the_receipts_say(self) -> None:
        stored = {
            (key[2:22], key[22:].decode()): int.from_bytes(value, "big") for key, value in self.world.ledger.scan(b"cb")
        }
        assert stored == {slot: held for slot, held in self.holdings.items() if held}

    @invariant()
    def holdings_sum_up_to_the_supply(self) -> None:
        for coin in COINS:
            supply = int.from_bytes(self.world.ledger.get(b"cs" + coin.encode()) or b"", "big")
            assert supply == sum(held for (_, held_coin), held in self.holdings.items() if held_coin == coin)

    @invariant()
    def the_root_is_that_of_the_contents(self) -> None:
        assert build_tree(self.world.ledger.scan(b"")).root == self.world.ledger.tip[2]


Chain.TestCase.settings = settings(max_examples=40, stateful_step_count=15, deadline=None)
TestChain = Chain.TestCase
