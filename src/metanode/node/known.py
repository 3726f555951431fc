"""Signed transactions with what is derived from them."""

from metanode.primitives.codec import encode
from metanode.primitives.digest import Tag, digest
from metanode.records.block import KnownTransaction
from metanode.records.transaction import SIGNED_TRANSACTIONS, authorizations_digest


def known_transaction(encoded: bytes) -> KnownTransaction:
    """Decode the canonical bytes of a signed transaction. Raises `Rejected`."""
    signed = SIGNED_TRANSACTIONS.decode(encoded)
    return KnownTransaction(
        encoded=encoded,
        signed=signed,
        identity=digest(Tag.TRANSACTION, encode(signed.transaction)),
        authorizations_digest=authorizations_digest(signed.authorizations),
    )
