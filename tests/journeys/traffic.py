"""Traffic of real accounts, and everything that was reported final: what must never be forgotten."""

import random
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Final, Self

from tests.journeys.town import House, Town, until

from metanode.api.accounts import AccountList
from metanode.api.methods import ACCOUNT_LIST
from metanode.client import Client, ClientError
from metanode.host.development import account_seed
from metanode.primitives import ed25519
from metanode.primitives.codec import encode
from metanode.primitives.names import Hash
from metanode.records.address import address_of_key, show_address
from metanode.records.amount import amount_bytes
from metanode.records.calls import Call, CoinTransfer
from metanode.records.transaction import KEY_ED25519, Authorization, SignedTransaction, Transaction, identity

FUNDS: Final = 1_000_000
"""Cents given to each sender."""
CALLS_MAX: Final = 60
LIFETIME_MS: Final = 500_000


@dataclass(slots=True)
class Account:
    """Somebody with one key."""

    key: ed25519.SigningKey
    nonce: int = 0

    @property
    def address(self) -> bytes:
        """20 bytes."""
        return address_of_key(self.key.public_key)


def named(name: str) -> Account:
    """An account of the development genesis."""
    return Account(ed25519.SigningKey(account_seed(name)))


def stranger(number: int) -> Account:
    """An account nobody knows yet."""
    return Account(ed25519.SigningKey(sha256(b"journey %d" % number).digest()))


def signed(chain_id: bytes, account: Account, *calls: Call, **changes: int | bytes | str) -> tuple[Hash, bytes]:
    """Identity and bytes of a transaction with the account's nonce, which is counted on unless it is given."""
    fields: dict[str, int | bytes | str] = {
        "version": 1,
        "chain_id": chain_id,
        "sender": account.address,
        "lane": 0,
        "nonce": account.nonce,
        "expires_ms": time.time_ns() // 1_000_000 + LIFETIME_MS,
        "fee": b"",
        "work_limit": min(400 * len(calls) + 4_000, 100_000),
        "memo": "",
        **changes,
    }
    if "nonce" not in changes:
        account.nonce += 1
    transaction = Transaction(calls=calls, **fields)  # type: ignore[arg-type]
    name = identity(transaction)
    authorization = Authorization(kind=KEY_ED25519, key=account.key.public_key, signature=account.key.sign(name))
    return name, encode(SignedTransaction(version=1, transaction=transaction, authorizations=(authorization,)))


def transfer(to: Account, amount: int) -> CoinTransfer:
    """USD for somebody."""
    return CoinTransfer(coin="USD", to=to.address, amount=amount_bytes(amount))


def settle(house: House, name: Hash, limit_s: float = 20.0) -> int:
    """Wait until a transaction is final and has succeeded; its height."""
    with house.ask() as client:
        status = client.transaction.wait(name.hex(), timeout_s=limit_s)
    assert (status.state, status.succeeded) == ("final", True), f"{name.hex()}: {status}"
    return status.height


@dataclass(frozen=True, slots=True)
class Word:
    """What a node reported as final, once and for all."""

    height: int
    receipt: str
    block: str


@dataclass(slots=True)
class Ledger:
    """What the traffic knows: balances by its own sums, and every receipt that was reported."""

    balances: dict[bytes, int] = field(default_factory=dict)
    words: dict[str, Word] = field(default_factory=dict)
    blocks: dict[int, str] = field(default_factory=dict)

    def move(self, giver: bytes, taker: bytes, amount: int) -> None:
        """A transfer that is final and has succeeded."""
        self.balances[giver] = self.balances.get(giver, 0) - amount
        self.balances[taker] = self.balances.get(taker, 0) + amount


@dataclass(frozen=True, slots=True)
class Waiting:
    """One transfer on its way. It is sent again, the same bytes, until it is final."""

    encoded: bytes
    giver: Account
    taker: Account
    amount: int


class Traffic:
    """A thread that sends transfers among `senders` accounts, one at a time each, and follows the blocks of whatever
    node answers. What it has heard is in `ledger`; errors of a node that is away are borne, refusals are counted.
    `ask`: the nodes it speaks to, all where none are named."""

    def __init__(
        self, town: Town, senders: int = 40, seed: int = 1, pause_s: float = 0.03, ask: Sequence[House] = ()
    ) -> None:
        self.town: Final = town
        self._ask: Final = ask
        self.ledger: Final = Ledger()
        self.refusals: Final[dict[str, int]] = {}
        self.accounts: Final = [stranger(number) for number in range(senders)]
        self._chance: Final = random.Random(seed)
        self._waiting: Final[dict[str, Waiting]] = {}
        self._idle: Final = list(self.accounts)
        self._pause_s: Final = pause_s
        self._stopping: Final = threading.Event()
        self._paused: Final = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._failure: list[BaseException] = []
        self._seen = 0

    def fund(self, from_nonce: int = 0) -> "Traffic":
        """Give every sender money, and wait until it is final. `from_nonce`: the next one of the faucet."""
        faucet = named("faucet")
        faucet.nonce = from_nonce
        for at in range(0, len(self.accounts), CALLS_MAX):
            calls = [transfer(to, FUNDS) for to in self.accounts[at : at + CALLS_MAX]]
            name, encoded = signed(self.town.chain_id, faucet, *calls)
            with self.town.running[0].ask() as client:
                client.transaction.submit(encoded)
            settle(self.town.running[0], name)
        self.ledger.balances.update({account.address: FUNDS for account in self.accounts})
        return self

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Send nothing more. Raises what the thread failed with."""
        self._stopping.set()
        self._thread.join(60)
        assert not self._thread.is_alive(), "the traffic does not end"
        if self._failure:
            raise self._failure[0]

    def pause(self) -> None:
        """Send nothing new for a while; what is on its way is followed."""
        self._paused.set()

    def resume(self) -> None:
        """Go on."""
        self._paused.clear()

    @property
    def count(self) -> int:
        """Transfers reported final."""
        return len(self.ledger.words)

    def await_count(self, more: int, limit_s: float) -> None:
        """Return when so many more transfers are final."""
        target = self.count + more
        until(lambda: self._failure or self.count >= target, limit_s, f"{target} transfers final, {self.count} are")
        assert not self._failure, self._failure

    def drain(self, house: House, limit_s: float = 30.0) -> None:
        """After `stop`: everything on its way becomes final."""
        deadline = time.monotonic() + limit_s
        with house.ask() as client:
            while self._waiting:
                assert time.monotonic() < deadline, f"{len(self._waiting)} transfers do not become final"
                self._send(client, list(self._waiting.values()))
                self._follow(client)
                time.sleep(0.1)

    def _run(self) -> None:
        try:
            while not self._stopping.is_set():
                houses = [house for house in self._ask or self.town.houses if house.is_running]
                if houses:
                    self._turn(self._chance.choice(houses))
                self._stopping.wait(self._pause_s)
        except BaseException as error:  # noqa: BLE001 - told by `stop`
            self._failure.append(error)

    def _turn(self, house: House) -> None:
        try:
            with house.ask(timeout_s=3.0) as client:
                room = 0 if self._paused.is_set() else min(len(self._idle), 10)
                batch = [self._make() for _ in range(room)]
                again = [w for w in self._waiting.values() if self._chance.random() < 0.05]
                self._send(client, [*batch, *again])
                self._follow(client)
        except ClientError as error:
            if not error.code.startswith("client.") and error.code != "api.not-ready":
                raise

    def _make(self) -> Waiting:
        giver = self._idle.pop(self._chance.randrange(len(self._idle)))
        taker = self._chance.choice(self.accounts)
        amount = self._chance.randint(1, 500)
        name, encoded = signed(self.town.chain_id, giver, transfer(taker, amount))
        self._waiting[name.hex()] = Waiting(encoded, giver, taker, amount)
        return self._waiting[name.hex()]

    def _send(self, client: Client, batch: list[Waiting]) -> None:
        """Whatever is waiting may be in the pool, in a block, or final already: all of these are success."""
        if not batch:
            return
        for outcome in client.transaction.submit_batch([waiting.encoded for waiting in batch]):
            if not outcome.accepted:
                self.refusals[outcome.code] = self.refusals.get(outcome.code, 0) + 1

    def _follow(self, client: Client) -> None:
        """Read every block since the last one read."""
        last = client.node.status().height
        while self._seen < last:
            block = client.block.get(self._seen + 1)
            known = self.ledger.blocks.setdefault(block.height, block.hash)
            assert known == block.hash, f"block {block.height} is {block.hash}, was {known}"
            if block.transactions:
                page = client.receipt.list(first=block.height, last=block.height, limit=500)
                assert len(page.items) >= len(block.transactions), "the first page holds all of this load"
                for item in page.items:
                    self._heard(item.origin.identity, Word(block.height, item.encoded, block.hash), item.succeeded)
            self._seen += 1

    def _heard(self, name: str, word: Word, succeeded: bool) -> None:
        waiting = self._waiting.pop(name, None)
        if waiting is None:
            return
        assert succeeded, f"transfer {name} failed"
        assert name not in self.ledger.words, f"{name} is final twice"
        self.ledger.words[name] = word
        self.ledger.move(waiting.giver.address, waiting.taker.address, waiting.amount)
        self._idle.append(waiting.giver)


def check_nothing_lost(ledger: Ledger, house: House) -> None:
    """Every transfer that was reported final is there with the same receipt in the same block; the balances agree."""
    check_receipts(dict(ledger.words), house)
    check_balances(ledger, house)


def check_receipts(words: Mapping[str, Word], house: House) -> None:
    """Every transfer of these is there with the same receipt in the same block."""
    receipts: dict[str, Word] = {}
    with house.ask(timeout_s=20.0) as client:
        for height in sorted({word.height for word in words.values()}):
            block = client.block.get(height)
            for item in client.receipt.list(first=height, last=height, limit=500).items:
                receipts[item.origin.identity] = Word(height, item.encoded, block.hash)
    lost = {name: word for name, word in words.items() if receipts.get(name) != word}
    assert lost == {}, f"{house.name} lost or changed {len(lost)} of {len(words)}"


def check_balances(ledger: Ledger, house: House) -> None:
    """Every balance is the sum of what moved; all holdings together are the supply."""
    holdings: dict[str, int] = {}
    with house.ask(timeout_s=20.0) as client:
        cursor = ""
        while True:
            page = client.call(ACCOUNT_LIST, AccountList(coin="USD", cursor=cursor, limit=500))
            holdings.update({line.address: int(line.amount) for line in page.items})
            cursor = page.next
            if not cursor:
                break
        supply = int(client.coin.get("USD").supply)
    assert sum(holdings.values()) == supply, f"{house.name}: holdings and supply differ"
    due = {show_address(address): amount for address, amount in ledger.balances.items()}
    found = {address: holdings.get(address, 0) for address in due}
    assert found == due, f"{house.name}: balances differ"


def check_agreement(houses: list[House], last: int) -> None:
    """All these nodes have the same block at every height up to `last`."""
    chains = []
    for house in houses:
        with house.ask(timeout_s=20.0) as client:
            hashes: dict[int, str] = {}
            first = 1
            while first <= last:
                page = client.block.list(before=min(first + 500, last + 1), limit=500)
                hashes.update({item.height: item.hash for item in page.items})
                first += 500
        chains.append({height: hashes.get(height) for height in range(1, last + 1)})
    assert all(chain == chains[0] and None not in chain.values() for chain in chains), "the chains differ"
