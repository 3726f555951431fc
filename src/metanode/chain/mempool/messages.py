"""What the pool says to its peers: transactions, many at a time."""

from typing import Final

from metanode.chain.mempool.limits import GOSSIP_BYTES_MAX, GOSSIP_COUNT_MAX
from metanode.primitives.codec import Decoder, Wire
from metanode.primitives.refusal import Refusal, Rejected
from metanode.records.transaction import TRANSACTION_BYTES_MAX

BATCH_BYTES_MAX: Final = GOSSIP_BYTES_MAX + TRANSACTION_BYTES_MAX + GOSSIP_COUNT_MAX * 5 + 64
"""The last transaction may begin below the limit; each has a length of at most 5 bytes before it."""


class BatchRefusal(Refusal):
    """Why a gossip message is none."""

    TOO_MANY = "pool.too-many"
    """Of another version, empty, or more transactions than a message may have."""


class TransactionBatch(Wire):
    """The canonical bytes of signed transactions."""

    version: int
    transactions: tuple[bytes, ...]


BATCHES: Final = Decoder[TransactionBatch](TransactionBatch, BATCH_BYTES_MAX)


def check_batch(batch: TransactionBatch) -> None:
    """POOL-9. Version and number. Raises `Rejected`."""
    if batch.version != 1 or not 0 < len(batch.transactions) <= GOSSIP_COUNT_MAX:
        raise Rejected(BatchRefusal.TOO_MANY, f"{len(batch.transactions)}, 1 … {GOSSIP_COUNT_MAX}")


def cut_batches(transactions: list[bytes]) -> list[TransactionBatch]:
    """POOL-9. As few messages as the limits allow, in order."""
    batches = []
    start = size = 0
    for index, encoded in enumerate(transactions):
        if size >= GOSSIP_BYTES_MAX or index - start >= GOSSIP_COUNT_MAX:
            batches.append(TransactionBatch(version=1, transactions=tuple(transactions[start:index])))
            start, size = index, 0
        size += len(encoded)
    if start < len(transactions):
        batches.append(TransactionBatch(version=1, transactions=tuple(transactions[start:])))
    return batches
