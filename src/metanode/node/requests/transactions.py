"""Transactions: how far they have come, and what they ask for."""

from metanode.api.errors import ApiRefusal
from metanode.api.plain import plain
from metanode.api.receipt_names import receipt_name
from metanode.api.sentences import Glossary, transaction_sentence
from metanode.api.transactions import AuthorizationView, TransactionGet, TransactionStatus, TransactionView
from metanode.chain.mempool import Mempool
from metanode.node.desk import Desk
from metanode.node.known import known_transaction
from metanode.node.requests.blocks import OUTLINES
from metanode.node.requests.finding import block_at, place_of_identity, receipts_at
from metanode.node.requests.words import glossary
from metanode.primitives.names import Hash
from metanode.primitives.refusal import Rejected
from metanode.records.address import show_address
from metanode.records.amount import amount_value
from metanode.records.block import KnownTransaction
from metanode.records.receipt import Status


def transaction_get(desk: Desk, pool: Mempool, asked: TransactionGet) -> TransactionStatus:
    """Final, in an undecided block, waiting, dropped lately, or unknown: asked in this order."""
    identity = Hash(bytes.fromhex(asked.identity))
    place = place_of_identity(desk, identity)
    if place is not None:
        return _final(desk, asked.identity, *place)
    if _in_candidate(desk, identity) is not None:
        return TransactionStatus(identity=asked.identity, state="included")
    if pool.find(identity) is not None:
        return TransactionStatus(identity=asked.identity, state="pending")
    if identity in desk.drops:
        return TransactionStatus(identity=asked.identity, state="dropped", code=desk.drops[identity][0])
    return TransactionStatus(identity=asked.identity, state="unknown")


def _final(desk: Desk, identity: str, height: int, index: int) -> TransactionStatus:
    outline = OUTLINES.decode(receipts_at(desk, height)[index])
    filed = desk.shelf.block(height)
    return TransactionStatus(
        identity=identity,
        state="final",
        height=height,
        index=index,
        receipt=receipt_name(height, index),
        succeeded=outline.status == Status.SUCCEEDED,
        code=outline.code,
        timestamp_ms=filed.header.timestamp_ms if filed is not None else 0,
    )


def _in_candidate(desk: Desk, identity: Hash) -> KnownTransaction | None:
    """A transaction of a block that was executed here and is not decided."""
    for candidate in desk.candidates.values():
        for known in candidate.transactions:
            if known.identity == identity:
                return known
    return None


def transaction_show(desk: Desk, pool: Mempool, asked: TransactionGet) -> TransactionView:
    """What a transaction asks for, wherever it is."""
    identity = Hash(bytes.fromhex(asked.identity))
    place = place_of_identity(desk, identity)
    if place is not None:
        known: KnownTransaction | None = transaction_at(desk, *place)
    else:
        known = pool.find(identity) or _in_candidate(desk, identity)
    if known is None:
        raise Rejected(ApiRefusal.NOT_FOUND, f"this node does not hold transaction {asked.identity}")
    return transaction_view(known, glossary(desk))


def transaction_at(desk: Desk, height: int, index: int) -> KnownTransaction:
    """The transaction whose receipt has this place: receipts of evidence come before those of transactions."""
    body = block_at(desk, height).body
    return known_transaction(body.transactions[index - len(body.evidence)])


def transaction_view(known: KnownTransaction, words: Glossary) -> TransactionView:
    """A signed transaction for people."""
    transaction = known.signed.transaction
    return TransactionView(
        identity=known.identity.hex(),
        authorizations_digest=known.authorizations_digest.hex(),
        sender=show_address(transaction.sender),
        lane=transaction.lane,
        nonce=transaction.nonce,
        expires_ms=transaction.expires_ms,
        fee=str(amount_value(transaction.fee)),
        work_limit=transaction.work_limit,
        calls=tuple(plain(call) for call in transaction.calls),
        memo=transaction.memo,
        authorizations=tuple(
            AuthorizationView(key=one.key.hex(), signature=one.signature.hex()) for one in known.signed.authorizations
        ),
        bytes=len(known.encoded),
        sentence=transaction_sentence(transaction, words),
    )
