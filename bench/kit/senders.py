"""Ten thousand senders, their payees, and transactions of 250 bytes signed before the clock runs."""

from functools import cache

from metanode.primitives import ed25519
from metanode.primitives.codec import encode
from metanode.records.address import address_of_key
from metanode.records.calls import CoinTransfer
from metanode.records.transaction import Authorization, SignedTransaction, Transaction, identity

SENDERS = 10_000
"""As many accounts as a genesis may have."""
PAYEES = 100_000
"""Addresses that receive: the senders, and others that come into being by the first transfer to them."""
TRANSACTION_BYTES = 250
"""Padded to this by the memo."""
ENVELOPE_BYTES = 105
"""What a signed transaction of one key adds to a transaction."""
WORK_PLAIN = 300
"""More than admission, one signature and the creation of accounts cost."""
WORK_CALL = 100


@cache
def _key(number: int) -> ed25519.SigningKey:
    return ed25519.SigningKey(b"metanode bench sender %010d" % number)


@cache
def address(number: int) -> bytes:
    """The address of a sender."""
    return address_of_key(_key(number).public_key)


def public_key(number: int) -> bytes:
    """The key of a sender."""
    return _key(number).public_key


def payee(number: int) -> bytes:
    """The address of a payee: nobody has the keys of those that are not senders."""
    number %= PAYEES
    return address(number) if number < SENDERS else number.to_bytes(20, "big")


def signed(chain_id: bytes, sender: int, nonce: int, calls: int, expires_ms: int) -> tuple[bytes, bytes]:
    """A signed transaction of so many transfers, and its identity. Of 250 bytes where it has one call."""
    first = nonce * 31 + sender * 7_919
    transfers = tuple(CoinTransfer(coin="USD", to=payee(first + 101 * at), amount=b"\x01") for at in range(calls))
    transaction = _made(chain_id, sender, nonce, expires_ms, transfers, "")
    missing = TRANSACTION_BYTES - ENVELOPE_BYTES - len(encode(transaction))
    if missing > 0:
        memo = "." * (missing - (missing > 31))  # a longer text has a longer head
        transaction = _made(chain_id, sender, nonce, expires_ms, transfers, memo)
    return _sealed(transaction, sender)


def written(chain_id: bytes, sender: int, nonce: int, expires_ms: int, key: bytes, value: str) -> tuple[bytes, bytes]:
    """A signed transaction that puts a value under a key of 20 bytes: a coin for the key, the value as memo."""
    transfer = CoinTransfer(coin="USD", to=key, amount=b"\x01")
    return _sealed(_made(chain_id, sender, nonce, expires_ms, (transfer,), value), sender)


def _made(
    chain_id: bytes, sender: int, nonce: int, expires_ms: int, calls: tuple[CoinTransfer, ...], memo: str
) -> Transaction:
    return Transaction(
        version=1,
        chain_id=chain_id,
        sender=address(sender),
        lane=0,
        nonce=nonce,
        expires_ms=expires_ms,
        fee=b"",
        work_limit=WORK_PLAIN + WORK_CALL * len(calls),
        calls=calls,
        memo=memo,
    )


def _sealed(transaction: Transaction, sender: int) -> tuple[bytes, bytes]:
    key = _key(sender)
    name = identity(transaction)
    authorization = Authorization(kind=1, key=key.public_key, signature=key.sign(name))
    return encode(SignedTransaction(version=1, transaction=transaction, authorizations=(authorization,))), name
