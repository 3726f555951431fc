"""Copies of pinned batches: what others keep of a node's receipts, so that they outlive it."""

from collections.abc import Sequence

from metanode.docklock.receipts.batches import batch_of
from metanode.docklock.receipts.chain import author_of
from metanode.docklock.receipts.refusals import WorkloadReceiptRefusal
from metanode.primitives.codec import encode
from metanode.primitives.refusal import Rejected
from metanode.records.pinned_batch import BATCH_COPIES, BatchCopy, PinnedBatch
from metanode.records.workload_receipt import SIGNED_ENTRIES, SignedEntry, check_entry


def batch_copy(pinned: PinnedBatch, entries: Sequence[SignedEntry]) -> bytes:
    """WREC-25. All entries of a batch, and the proof that it is pinned."""
    return encode(BatchCopy(pinned=pinned, entries=tuple(encode(one) for one in entries)))


def read_copy(data: bytes) -> tuple[PinnedBatch, tuple[SignedEntry, ...]]:
    """WREC-25. A batch and its entries: all of one author, and of exactly this root. Whether that is pinned, and whose
    the entries are, is for the receipt files that are made of them. Raises `Rejected`."""
    try:
        copy = BATCH_COPIES.decode(data)
    except Rejected as rejected:
        raise Rejected(WorkloadReceiptRefusal.ENCODING, str(rejected)) from None
    try:
        entries = tuple(SIGNED_ENTRIES.decode(one) for one in copy.entries)
        for one in entries:
            check_entry(one.entry)
    except Rejected as rejected:
        raise Rejected(WorkloadReceiptRefusal.ENTRY, str(rejected)) from None
    batch = copy.pinned.batch
    if len(entries) != batch.count or not entries or batch_of(entries) != batch:
        detail = f"{len(entries)} entries, not the batch that begins with {batch.first}"
        raise Rejected(WorkloadReceiptRefusal.BATCH, detail)
    if len({author_of(one) for one in entries}) != 1:
        raise Rejected(WorkloadReceiptRefusal.CHAIN, "entries of several authors in one batch")
    return copy.pinned, entries
