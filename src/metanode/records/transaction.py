"""Transactions: what is asked, who signed it, and the two digests a receipt carries."""

from typing import Final

from metanode.primitives.codec import Decoder, Wire, encode
from metanode.primitives.digest import Tag, digest
from metanode.primitives.names import Hash
from metanode.records.calls import Call

TRANSACTION_BYTES_MAX: Final = 65_536
"""A signed transaction is at most 64 KiB: a stranger's bytes are refused before they are parsed."""
AUTHORIZATIONS_MAX: Final = 16
"""Most signatures a transaction may carry: what an account policy may ask for."""
KEY_ED25519: Final = 1
"""Kind byte of an Ed25519 key; P-256 comes later."""


class Transaction(Wire):
    """What a sender asks for, all or nothing.

    `lane` 0 … 15, `nonce` strict within the lane from 0, `expires_ms` in header time, `fee` an amount of the fee coin,
    `work_limit` in units of work, `memo` UTF-8.
    """

    version: int
    chain_id: bytes
    sender: bytes
    lane: int
    nonce: int
    expires_ms: int
    fee: bytes
    work_limit: int
    calls: tuple[Call, ...]
    memo: str


class Authorization(Wire):
    """One signature over the identity: kind of key, the key (32 bytes), the signature (64 bytes)."""

    kind: int
    key: bytes
    signature: bytes


class SignedTransaction(Wire):
    """A transaction and its authorizations, sorted by key, unique, minimal."""

    version: int
    transaction: Transaction
    authorizations: tuple[Authorization, ...]


TRANSACTIONS: Final = Decoder[Transaction](Transaction, TRANSACTION_BYTES_MAX)
SIGNED_TRANSACTIONS: Final = Decoder[SignedTransaction](SignedTransaction, TRANSACTION_BYTES_MAX)


def identity(transaction: Transaction) -> Hash:
    """LEDGER-T1. The digest of the unsigned transaction: its name everywhere, and what is signed."""
    return digest(Tag.TRANSACTION, encode(transaction))


def authorizations_digest(authorizations: tuple[Authorization, ...]) -> Hash:
    """LEDGER-T2. The digest of the signatures, so that a receipt tells which ones were seen."""
    return digest(Tag.AUTHORIZATIONS, encode(authorizations))
