"""Transactions built, described and signed by the caller, admitted by the ledger's own rules."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metanode.client.transactions import Glossary, Terms, build, describe, encode_signed, read_call, sign
from metanode.client.work import work_estimate
from metanode.primitives import ed25519
from metanode.primitives.refusal import Rejected
from metanode.records.address import address_of_key, show_address
from metanode.records.amount import amount_bytes
from metanode.records.calls import CoinBurn, CoinTransfer
from metanode.records.transaction import SIGNED_TRANSACTIONS, Transaction, identity

KEYS = tuple(ed25519.SigningKey(bytes([number]) * 32) for number in range(4))
SENDER = address_of_key(KEYS[0].public_key)
CHAIN = bytes(range(32))
TRANSFER = CoinTransfer(coin="USD", to=bytes(20), amount=amount_bytes(420))


def test_what_is_built() -> None:
    terms = Terms(nonce=3, expires_ms=1_000, lane=2, fee=7, memo="invoice 17")
    assert build(CHAIN, SENDER, [TRANSFER], terms) == Transaction(
        version=1,
        chain_id=CHAIN,
        sender=SENDER,
        lane=2,
        nonce=3,
        expires_ms=1_000,
        fee=b"\x07",
        work_limit=work_estimate([TRANSFER], 1),
        calls=(TRANSFER,),
        memo="invoice 17",
    )
    assert build(CHAIN, SENDER, [TRANSFER], Terms(3, 1_000, work_limit=9)).work_limit == 9


def test_what_is_described() -> None:
    transaction = build(CHAIN, SENDER, [TRANSFER, CoinBurn(coin="USD", amount=b"\x01")], Terms(0, 1, fee=7, memo="m"))
    glossary = Glossary({SENDER: "acme", bytes(20): "globex"}, {"USD": 2}.get, "USD")
    assert describe(transaction, glossary) == (
        "acme transfers 4.20 USD to globex; burns 0.01 USD, for a fee of 0.07 USD, with the memo 'm'"
    )
    assert show_address(SENDER) in describe(transaction)


@given(st.permutations(KEYS), st.integers(1, 4))
def test_signatures_are_sorted_by_key_and_verify(keys: list[ed25519.SigningKey], count: int) -> None:
    transaction = build(CHAIN, SENDER, [TRANSFER], Terms(0, 1, signatures=count))
    signed = sign(transaction, *keys[:count])
    shown = [one.key for one in signed.authorizations]
    assert shown == sorted(key.public_key for key in keys[:count])
    assert all(ed25519.verify(o.key, identity(transaction), o.signature) for o in signed.authorizations)
    assert SIGNED_TRANSACTIONS.decode(encode_signed(signed)) == signed


def test_calls_are_read_from_plain_objects() -> None:
    assert read_call({"type": "coin.burn", "coin": "USD", "amount": "1"}) == CoinBurn(coin="USD", amount=b"\x01")
    with pytest.raises(Rejected):
        read_call({"type": "coin.burn"})
