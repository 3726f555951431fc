"""A batch of a node's receipts that the chain has pinned, with the proof of that; and with its entries, as a copy."""

from typing import Final

from metanode.primitives.codec import Decoder, Wire
from metanode.records.cluster import RECEIPTS_MAX, ReceiptBatch
from metanode.records.receipt_file import RECEIPT_FILE_BYTES_MAX
from metanode.records.workload_receipt import ENTRY_BYTES_MAX


class PinnedBatch(Wire, tag="metanode.pinned-batch.1"):
    """WREC-20. `chain`: the receipt file (LIGHT-10) of the report by which the batch was pinned, at `height`."""

    height: int
    batch: ReceiptBatch
    chain: bytes


PINNED_BATCHES: Final = Decoder[PinnedBatch](PinnedBatch, RECEIPT_FILE_BYTES_MAX + 256)


class BatchCopy(Wire, tag="metanode.batch-copy.1"):
    """WREC-25. A pinned batch with all its signed entries, for whoever keeps it beside the node that wrote them."""

    pinned: PinnedBatch
    entries: tuple[bytes, ...]


COPY_BYTES_MAX: Final = RECEIPT_FILE_BYTES_MAX + 512 + RECEIPTS_MAX * (ENTRY_BYTES_MAX + 8)
"""Largest copy of a batch: four megabytes and the proof."""
BATCH_COPIES: Final = Decoder[BatchCopy](BatchCopy, COPY_BYTES_MAX)
