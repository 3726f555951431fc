"""What makes a transaction wait here, and what turns it away."""

from metanode.chain.mempool.limits import PoolLimits
from metanode.chain.mempool.state import AccountView, Entry, Pool
from metanode.primitives.names import Hash
from metanode.primitives.refusal import Refusal, Rejected
from metanode.records.address import ADDRESS_BYTES
from metanode.records.amount import amount_value
from metanode.records.block import KnownTransaction
from metanode.records.parameters import Parameters
from metanode.records.transaction import (
    AUTHORIZATIONS_MAX,
    KEY_ED25519,
    SIGNED_TRANSACTIONS,
    Authorization,
    Transaction,
    authorizations_digest,
    identity,
)

NONCE_MAX = (1 << 63) - 1
"""Nonces fit a signed 64-bit integer."""
REPLACEMENT_PERCENT = 110
"""A replacement must pay a tenth more: gossiping it again costs everybody."""


class PoolRefusal(Refusal):
    """Why a transaction does not wait here, or no longer."""

    UNKNOWN_VERSION = "pool.unknown-version"
    """A version of transactions that these rules do not know."""
    TOO_LARGE = "pool.too-large"
    """More bytes, calls or memo than a transaction may have, or no call at all."""
    OUT_OF_RANGE = "pool.out-of-range"
    """A sender of the wrong length, or a number outside its range."""
    WRONG_CHAIN = "pool.wrong-chain"
    """Signed for another chain."""
    BAD_AUTHORIZATIONS = "pool.bad-authorizations"
    """No signature, too many, of another kind or length than Ed25519's, or not ascending by key."""
    BAD_SIGNATURE = "pool.bad-signature"
    """A signature does not verify."""
    EXPIRED = "pool.expired"
    """Its time is over."""
    EXPIRES_TOO_LATE = "pool.expires-too-late"
    """Further ahead than `expiry_max_ms`."""
    WRONG_LANE = "pool.wrong-lane"
    """An account has no such lane."""
    NONCE_USED = "pool.nonce-used"
    """A transaction with this nonce is final in this lane."""
    NONCE_TOO_FAR = "pool.nonce-too-far"
    """Too far above the next nonce of the lane to be held until the ones between have come."""
    FEE_TOO_LOW = "pool.fee-too-low"
    """Below the minimum fee."""
    FEE_NOT_COVERED = "pool.fee-not-covered"
    """The sender holds less of the fee coin than this and its other waiting transactions may cost."""
    REPLACEMENT_TOO_CHEAP = "pool.replacement-too-cheap"
    """Another transaction waits in this place, and this one does not pay a tenth more."""
    REPLACED = "pool.replaced"
    """Another transaction of the sender, with a higher fee, took its place."""
    SENDER_FULL = "pool.sender-full"
    """As many of this sender's transactions wait as may."""
    FULL = "pool.full"
    """The pool is full, and this transaction does not pay more than what waits."""
    CROWDED_OUT = "pool.crowded-out"
    """The pool was full, and others pay more."""


def read_transaction(encoded: bytes) -> KnownTransaction:
    """POOL-2. Decoded, canonical, with its two digests computed once. Raises `Rejected` with a `CodecRefusal`."""
    signed = SIGNED_TRANSACTIONS.decode(encoded)
    return KnownTransaction(encoded, signed, identity(signed.transaction), authorizations_digest(signed.authorizations))


def check_form(known: KnownTransaction, chain_id: Hash, parameters: Parameters) -> int:
    """POOL-2. Everything that needs no state: the fee as a number. Raises `Rejected`."""
    transaction = known.signed.transaction
    if transaction.version != 1 or known.signed.version != 1:
        raise Rejected(PoolRefusal.UNKNOWN_VERSION, f"version {transaction.version}, known: 1")
    if transaction.chain_id != chain_id:
        raise Rejected(PoolRefusal.WRONG_CHAIN, f"signed for {transaction.chain_id.hex()[:64]}")
    if len(known.encoded) > parameters.transaction_bytes_max:
        raise Rejected(PoolRefusal.TOO_LARGE, f"{len(known.encoded)} bytes, at most {parameters.transaction_bytes_max}")
    if not 0 < len(transaction.calls) <= parameters.transaction_calls_max:
        raise Rejected(PoolRefusal.TOO_LARGE, f"{len(transaction.calls)} calls, 1 … {parameters.transaction_calls_max}")
    if transaction.memo and len(transaction.memo.encode()) > parameters.memo_bytes_max:
        raise Rejected(PoolRefusal.TOO_LARGE, f"memo above {parameters.memo_bytes_max} bytes")
    if (
        len(transaction.sender) != ADDRESS_BYTES
        or not 0 <= transaction.work_limit <= parameters.transaction_work_max
        or not 0 <= transaction.nonce <= NONCE_MAX
    ):
        raise Rejected(
            PoolRefusal.OUT_OF_RANGE, f"sender 20 bytes, work_limit at most {parameters.transaction_work_max}"
        )
    if not 0 <= transaction.lane < parameters.lanes_max:
        raise Rejected(PoolRefusal.WRONG_LANE, f"lane {transaction.lane}, 0 … {parameters.lanes_max - 1}")
    check_authorizations(known.signed.authorizations)
    fee = amount_value(transaction.fee)
    if fee < parameters.fee_min:
        raise Rejected(PoolRefusal.FEE_TOO_LOW, f"{fee}, at least {parameters.fee_min}")
    return fee


def check_authorizations(authorizations: tuple[Authorization, ...]) -> None:
    """POOL-2. Ed25519, of the right lengths, ascending by key, each once. Raises `Rejected`."""
    if not 0 < len(authorizations) <= AUTHORIZATIONS_MAX:
        raise Rejected(PoolRefusal.BAD_AUTHORIZATIONS, f"{len(authorizations)}, 1 … {AUTHORIZATIONS_MAX}")
    before = b""
    for one in authorizations:
        if one.kind != KEY_ED25519 or len(one.key) != 32 or len(one.signature) != 64:
            raise Rejected(PoolRefusal.BAD_AUTHORIZATIONS, "Ed25519: kind 1, key 32, signature 64 bytes")
        if one.key <= before:
            raise Rejected(PoolRefusal.BAD_AUTHORIZATIONS, "keys ascend, each once")
        before = one.key


def check_time(transaction: Transaction, now_ms: int, timestamp_ms: int, parameters: Parameters) -> None:
    """POOL-6. Later than the last final header, and not further ahead of this node's clock than `expiry_max_ms`."""
    if transaction.expires_ms <= timestamp_ms:
        raise Rejected(PoolRefusal.EXPIRED, f"at {transaction.expires_ms}, now {timestamp_ms}")
    if transaction.expires_ms > max(now_ms, timestamp_ms) + parameters.expiry_max_ms:
        raise Rejected(
            PoolRefusal.EXPIRES_TOO_LATE,
            f"at {transaction.expires_ms}, at most {parameters.expiry_max_ms} ms after {now_ms}",
        )


def check_sender(known: KnownTransaction, fee: int, view: AccountView, limits: PoolLimits) -> None:
    """POOL-3. Against the sender's account alone: nonce, fee, authority, in the order of their cost."""
    transaction = known.signed.transaction
    due = view.next_nonce(transaction.lane)
    if transaction.nonce < due:
        raise Rejected(PoolRefusal.NONCE_USED, f"nonce {transaction.nonce}, {due} is due")
    if transaction.nonce > due + limits.nonces_ahead_max:
        raise Rejected(
            PoolRefusal.NONCE_TOO_FAR, f"nonce {transaction.nonce}, at most {limits.nonces_ahead_max} above {due}"
        )
    if fee > view.spendable:
        raise Rejected(PoolRefusal.FEE_NOT_COVERED, f"{fee}, the sender holds {view.spendable}")
    view.check_authority(known.signed.authorizations)


def check_place(pool: Pool, entry: Entry, view: AccountView, limits: PoolLimits) -> Entry | None:
    """POOL-4. Against what else waits of the sender: the entry this one replaces, if any. Raises `Rejected`."""
    queue = pool.queues.get(entry.sender)
    if queue is None:
        return None
    nonces = queue.lanes.get(entry.lane)
    other = nonces.get(entry.nonce) if nonces is not None else None
    if other is not None:
        least = -(-other.fee * REPLACEMENT_PERCENT // 100)
        if entry.fee <= other.fee or entry.fee < least:
            raise Rejected(PoolRefusal.REPLACEMENT_TOO_CHEAP, f"{entry.fee}, at least {max(least, other.fee + 1)}")
    elif queue.count >= limits.sender_max:
        raise Rejected(PoolRefusal.SENDER_FULL, f"{queue.count} of this sender wait, at most {limits.sender_max}")
    fees = queue.fees + entry.fee - (other.fee if other is not None else 0)
    if fees > view.spendable:
        raise Rejected(PoolRefusal.FEE_NOT_COVERED, f"{fees} for all that waits, the sender holds {view.spendable}")
    return other


def signature_claims(known: KnownTransaction) -> list[tuple[bytes, bytes, bytes]]:
    """POOL-5. What has to be checked: each key over the identity."""
    name = known.identity
    return [(one.key, name, one.signature) for one in known.signed.authorizations]
