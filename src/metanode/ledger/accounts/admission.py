"""LEDGER-N. What makes a transaction inadmissible, judged in the order of the rules, cheapest first."""

from metanode.ledger.accounts.rules import check_authority
from metanode.ledger.accounts.state import Account, next_nonce
from metanode.ledger.frame import BlockContext
from metanode.primitives.refusal import Refusal, Rejected
from metanode.records.address import ADDRESS_BYTES
from metanode.records.amount import amount_value
from metanode.records.block import KnownTransaction
from metanode.records.parameters import Parameters
from metanode.records.transaction import Transaction


class AdmissionRefusal(Refusal):
    """Why a transaction may not be in a block: a block that carries it is invalid."""

    UNKNOWN_VERSION = "ledger.unknown-version"
    """A version of transactions that these rules do not know."""
    TOO_LARGE = "ledger.too-large"
    """More bytes, calls or memo than a transaction may have, or no call at all."""
    OUT_OF_RANGE = "ledger.out-of-range"
    """A sender of the wrong length, or a number outside its range."""
    WRONG_CHAIN = "ledger.wrong-chain"
    """Signed for another chain."""
    EXPIRED = "ledger.expired"
    """Its time is over."""
    EXPIRES_TOO_LATE = "ledger.expires-too-late"
    """Further ahead than `expiry_max_ms`."""
    WRONG_LANE = "ledger.wrong-lane"
    """An account has no such lane."""
    NONCE_USED = "ledger.nonce-used"
    """A transaction with this nonce was executed in this lane: this one, or one that replaced it."""
    NONCE_AHEAD = "ledger.nonce-ahead"
    """An earlier nonce of the lane is missing."""
    FEE_TOO_LOW = "ledger.fee-too-low"
    """Below the minimum fee."""
    FEE_NOT_COVERED = "ledger.fee-not-covered"
    """The sender holds less of the fee coin than the fee."""
    BLOCK_FULL = "ledger.block-full"
    """Admissible, but the block has no room left for it: bytes, transactions or work."""


def check_form(known: KnownTransaction, parameters: Parameters) -> None:
    """LEDGER-N1. Versions, sizes and ranges. Decoding has shown before that the bytes are canonical."""
    transaction = known.signed.transaction
    if transaction.version != 1 or known.signed.version != 1:
        raise Rejected(AdmissionRefusal.UNKNOWN_VERSION, f"version {transaction.version}, known: 1")
    if len(known.encoded) > parameters.transaction_bytes_max:
        raise Rejected(
            AdmissionRefusal.TOO_LARGE, f"{len(known.encoded)} bytes, at most {parameters.transaction_bytes_max}"
        )
    if not 0 < len(transaction.calls) <= parameters.transaction_calls_max:
        raise Rejected(
            AdmissionRefusal.TOO_LARGE, f"{len(transaction.calls)} calls, 1 … {parameters.transaction_calls_max}"
        )
    if transaction.memo and len(transaction.memo.encode()) > parameters.memo_bytes_max:
        raise Rejected(AdmissionRefusal.TOO_LARGE, f"memo above {parameters.memo_bytes_max} bytes")
    if (
        len(transaction.sender) != ADDRESS_BYTES
        or not 0 <= transaction.work_limit <= parameters.transaction_work_max
        or not 0 <= transaction.nonce < 1 << 63
    ):
        raise Rejected(
            AdmissionRefusal.OUT_OF_RANGE, f"sender 20 bytes, work_limit at most {parameters.transaction_work_max}"
        )


def admit(known: KnownTransaction, block: BlockContext, account: Account, spendable: int) -> int:
    """LEDGER-N2 and, before and after it in the order of their numbers, the other rules. The fee. Raises `Rejected`.

    `account` and `spendable` (units of the fee coin) are the sender's, after the block's earlier transactions.
    """
    check_form(known, block.parameters)
    transaction = known.signed.transaction
    if transaction.chain_id != block.chain_id:
        raise Rejected(AdmissionRefusal.WRONG_CHAIN, f"signed for {transaction.chain_id.hex()[:64]}")
    check_authority(account, transaction.sender, known.signed.authorizations)
    _check_expiry(transaction, block)
    _check_nonce(transaction, block.parameters, account)
    return _check_fee(transaction, block.parameters, spendable)


def _check_expiry(transaction: Transaction, block: BlockContext) -> None:
    """LEDGER-N4. Header time decides: later than the block, and not further ahead than `expiry_max_ms`."""
    if transaction.expires_ms <= block.timestamp_ms:
        raise Rejected(AdmissionRefusal.EXPIRED, f"at {transaction.expires_ms}, now {block.timestamp_ms}")
    if transaction.expires_ms > block.timestamp_ms + block.parameters.expiry_max_ms:
        raise Rejected(
            AdmissionRefusal.EXPIRES_TOO_LATE,
            f"at {transaction.expires_ms}, at most {block.parameters.expiry_max_ms} ms after {block.timestamp_ms}",
        )


def _check_nonce(transaction: Transaction, parameters: Parameters, account: Account) -> None:
    """LEDGER-N5. A lane of the account, and exactly its next nonce."""
    if not 0 <= transaction.lane < parameters.lanes_max:
        raise Rejected(AdmissionRefusal.WRONG_LANE, f"lane {transaction.lane}, 0 … {parameters.lanes_max - 1}")
    due = next_nonce(account, transaction.lane)
    if transaction.nonce < due:
        raise Rejected(AdmissionRefusal.NONCE_USED, f"nonce {transaction.nonce}, {due} is due")
    if transaction.nonce > due:
        raise Rejected(AdmissionRefusal.NONCE_AHEAD, f"nonce {transaction.nonce}, {due} is due")


def _check_fee(transaction: Transaction, parameters: Parameters, spendable: int) -> int:
    """LEDGER-N6. At least the minimum, and held by the sender. Raises `Rejected`, an `AmountRefusal` among them."""
    fee = amount_value(transaction.fee)
    if fee < parameters.fee_min:
        raise Rejected(AdmissionRefusal.FEE_TOO_LOW, f"{fee}, at least {parameters.fee_min}")
    if fee > spendable:
        raise Rejected(AdmissionRefusal.FEE_NOT_COVERED, f"{fee}, the sender holds {spendable}")
    return fee
