"""Coins: each call, each of its refusals, and that a refused transaction leaves nothing but its fee and nonce."""

import pytest
from tests.unit.ledger.world import World, address

from metanode.ledger.accounts import AccountsRefusal
from metanode.ledger.coin import CoinRefusal
from metanode.ledger.queries import balance, coin_details
from metanode.primitives.refusal import Refusal
from metanode.records.amount import AMOUNT_MAX, AmountRefusal, amount_bytes
from metanode.records.calls import Call, CoinBurn, CoinDefine, CoinMint, CoinTransfer
from metanode.records.receipt import (
    AccountCreated,
    CoinBurned,
    CoinDefined,
    CoinMinted,
    CoinTransferred,
    FeePaid,
    Receipt,
    Status,
    SystemOrigin,
    TransactionOrigin,
)

ALICE, BOB, CAROL, NEW = (address(name) for name in ("alice", "bob", "carol", "new"))
MINTERS = tuple(sorted((ALICE, BOB)))


def transfer(to: bytes, amount: int, coin: str = "BPI") -> CoinTransfer:
    return CoinTransfer(coin=coin, to=to, amount=amount_bytes(amount))


def define(**changes: object) -> CoinDefine:
    fields: dict[str, object] = {"coin": "USD", "decimals": 2, "supply_max": b"", "minters": (BOB,)}
    return CoinDefine(**{**fields, **changes})  # type: ignore[arg-type]


def test_a_transfer_and_its_receipt() -> None:
    world = World()
    transaction = world.transaction("alice", transfer(BOB, 420))
    execution = world.commit(transaction)
    assert execution.receipts == (
        Receipt(
            version=1,
            height=1,
            index=0,
            origin=TransactionOrigin(
                identity=transaction.identity, authorizations_digest=transaction.authorizations_digest
            ),
            status=Status.SUCCEEDED,
            code="",
            work=140,
            events=(CoinTransferred(coin="BPI", sender=ALICE, to=BOB, amount=b"\x01\xa4"),),
            results=(),
        ),
    )
    assert balance(world.ledger, ALICE, "BPI") == 580
    assert balance(world.ledger, BOB, "BPI") == 1_420


def test_the_first_credit_creates_the_account() -> None:
    world = World()
    execution = world.commit(world.transaction("alice", transfer(NEW, 1), transfer(NEW, 1)))
    sent = CoinTransferred(coin="BPI", sender=ALICE, to=NEW, amount=b"\x01")
    assert execution.receipts[0].events == (AccountCreated(account=NEW), sent, sent)
    assert execution.receipts[0].work == 50 + 60 + 2 * 30 + 30
    world.commit(world.transaction("new", transfer(ALICE, 2)))
    again = world.commit(world.transaction("alice", transfer(NEW, 2)))
    assert AccountCreated(account=NEW) not in again.receipts[0].events, "emptied, but not forgotten"


def test_a_transfer_to_itself_changes_nothing() -> None:
    world = World()
    world.commit(world.transaction("alice", transfer(ALICE, 1_000)))
    assert balance(world.ledger, ALICE, "BPI") == 1_000


def test_defining_minting_and_burning() -> None:
    world = World()
    execution = world.commit(
        world.transaction("alice", define(supply_max=b"\x64")),
        world.transaction("bob", CoinMint(coin="USD", to=NEW, amount=b"\x64"), nonce=0),
        world.transaction("new", CoinBurn(coin="USD", amount=b"\x14"), nonce=0),
    )
    assert [receipt.events for receipt in execution.receipts] == [
        (CoinDefined(coin="USD", issuer=ALICE, decimals=2),),
        (AccountCreated(account=NEW), CoinMinted(coin="USD", to=NEW, amount=b"\x64")),
        (CoinBurned(coin="USD", sender=NEW, amount=b"\x14"),),
    ]
    details = coin_details(world.ledger, "USD")
    assert details is not None
    assert (details.issuer, details.decimals, details.minters) == (ALICE, 2, (BOB,))
    assert (details.supply, details.supply_max) == (80, 100)
    assert balance(world.ledger, NEW, "USD") == 80


FAILURES: list[tuple[Refusal, str, Call]] = [
    (CoinRefusal.INSUFFICIENT, "alice", transfer(BOB, 1_001)),
    (CoinRefusal.INSUFFICIENT, "carol", transfer(BOB, 100)),
    (CoinRefusal.UNKNOWN, "alice", transfer(BOB, 1, "EUR")),
    (CoinRefusal.UNKNOWN, "alice", transfer(BOB, 1, "")),
    (CoinRefusal.UNKNOWN, "alice", transfer(BOB, 1, "é" * 500)),
    (CoinRefusal.ZERO_AMOUNT, "alice", transfer(BOB, 0)),
    (AmountRefusal.NOT_MINIMAL, "alice", CoinTransfer(coin="BPI", to=BOB, amount=b"\x00\x01")),
    (AmountRefusal.TOO_LARGE, "alice", CoinTransfer(coin="BPI", to=BOB, amount=b"\x01" * 17)),
    (AccountsRefusal.WRONG_ADDRESS, "alice", transfer(BOB[:19], 1)),
    (CoinRefusal.UNKNOWN, "alice", CoinMint(coin="EUR", to=BOB, amount=b"\x01")),
    (CoinRefusal.NOT_A_MINTER, "bob", CoinMint(coin="BPI", to=BOB, amount=b"\x01")),
    (CoinRefusal.ZERO_AMOUNT, "alice", CoinMint(coin="BPI", to=BOB, amount=b"")),
    (CoinRefusal.ABOVE_MAXIMUM, "alice", CoinMint(coin="BPI", to=BOB, amount=amount_bytes(3_001))),
    (CoinRefusal.ABOVE_MAXIMUM, "alice", CoinMint(coin="BPI", to=BOB, amount=amount_bytes(AMOUNT_MAX))),
    (AccountsRefusal.WRONG_ADDRESS, "alice", CoinMint(coin="BPI", to=b"", amount=b"\x01")),
    (CoinRefusal.INSUFFICIENT, "carol", CoinBurn(coin="BPI", amount=b"\x64")),
    (CoinRefusal.ZERO_AMOUNT, "alice", CoinBurn(coin="BPI", amount=b"")),
    (CoinRefusal.UNKNOWN, "alice", CoinBurn(coin="EUR", amount=b"\x01")),
    (CoinRefusal.EXISTS, "alice", define(coin="BPI")),
    (CoinRefusal.BAD_SYMBOL, "alice", define(coin="")),
    (CoinRefusal.BAD_SYMBOL, "alice", define(coin="1USD")),
    (CoinRefusal.BAD_SYMBOL, "alice", define(coin="U" * 33)),
    (CoinRefusal.BAD_SYMBOL, "alice", define(coin="USD\n")),
    (CoinRefusal.BAD_SYMBOL, "alice", define(coin="EURÖ")),
    (CoinRefusal.BAD_DECIMALS, "alice", define(decimals=37)),
    (CoinRefusal.BAD_DECIMALS, "alice", define(decimals=-1)),
    (CoinRefusal.BAD_MINTERS, "alice", define(minters=())),
    (CoinRefusal.BAD_MINTERS, "alice", define(minters=MINTERS[::-1])),
    (CoinRefusal.BAD_MINTERS, "alice", define(minters=(ALICE, ALICE))),
    (CoinRefusal.BAD_MINTERS, "alice", define(minters=tuple(bytes(19) + bytes([n]) for n in range(17)))),
    (AccountsRefusal.WRONG_ADDRESS, "alice", define(minters=(b"short",))),
    (AmountRefusal.NOT_MINIMAL, "alice", define(supply_max=b"\x00")),
]


@pytest.mark.parametrize(("reason", "sender", "call"), FAILURES)
def test_a_refused_call_fails_its_whole_transaction(reason: Refusal, sender: str, call: Call) -> None:
    world = World()
    world.commit(world.transaction("alice", transfer(address(sender), 7)))
    held = balance(world.ledger, address(sender), "BPI")
    before = dict(world.reader.values)
    transaction = world.transaction(sender, transfer(BOB if sender != "bob" else CAROL, 1), call, fee=5)
    execution = world.commit(transaction)
    receipt = execution.receipts[0]
    assert (receipt.status, receipt.code) == (Status.FAILED, reason.value)
    assert receipt.events == (FeePaid(account=address(sender), amount=b"\x05"),)
    assert receipt.results == ()
    assert balance(world.ledger, address(sender), "BPI") == held - 5
    assert world.ledger.account_views((address(sender),))[0].next_nonce(0) == transaction.signed.transaction.nonce + 1
    changed = [key for key, value in world.reader.values.items() if before.get(key) != value]
    assert len(changed) == 3, "the sender's account and balance, and the balance of the fees' receiver"


def test_fees_go_to_the_operator_of_the_proposer() -> None:
    world = World()
    execution = world.commit(
        world.transaction("alice", transfer(BOB, 1), fee=3), world.transaction("bob", transfer(ALICE, 1), fee=4)
    )
    operator = address("operator-0")
    assert execution.receipts[-1] == Receipt(
        version=1,
        height=1,
        index=2,
        origin=SystemOrigin(module="coin", sequence=0),
        status=Status.SUCCEEDED,
        code="",
        work=0,
        events=(CoinTransferred(coin="BPI", sender=bytes(20), to=operator, amount=b"\x07"),),
        results=(),
    )
    assert balance(world.ledger, operator, "BPI") == 7
    assert balance(world.ledger, ALICE, "BPI") == 997


def test_a_fee_cannot_be_spent_twice() -> None:
    world = World()
    execution = world.commit(world.transaction("alice", transfer(BOB, 1_000), fee=1))
    assert execution.receipts[0].code == CoinRefusal.INSUFFICIENT.value
    assert balance(world.ledger, ALICE, "BPI") == 999
