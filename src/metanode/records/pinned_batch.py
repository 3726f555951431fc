"""A batch of a node's receipts that the chain has pinned, with the proof of that."""

from typing import Final

from metanode.primitives.codec import Decoder, Wire
from metanode.records.cluster import ReceiptBatch
from metanode.records.receipt_file import RECEIPT_FILE_BYTES_MAX


class PinnedBatch(Wire, tag="metanode.pinned-batch.1"):
    """WREC-20. `chain`: the receipt file (LIGHT-10) of the report by which the batch was pinned, at `height`."""

    height: int
    batch: ReceiptBatch
    chain: bytes


PINNED_BATCHES: Final = Decoder[PinnedBatch](PinnedBatch, RECEIPT_FILE_BYTES_MAX + 256)
