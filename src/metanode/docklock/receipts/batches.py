"""Batches of entries: what of a node's receipts goes on chain is one root."""

from collections.abc import Sequence

from metanode.docklock.receipts.refusals import WorkloadReceiptRefusal
from metanode.primitives.digest import Tag
from metanode.primitives.merkle import counted_root, inclusion_proof, verify_inclusion
from metanode.primitives.refusal import Rejected
from metanode.records.cluster import NO_RECEIPTS, RECEIPTS_MAX, ReceiptBatch
from metanode.records.workload_receipt import SignedEntry, signed_digest


def batch_of(entries: Sequence[SignedEntry]) -> ReceiptBatch:
    """WREC-7. The batch of entries that follow one another, none to `RECEIPTS_MAX`."""
    assert len(entries) <= RECEIPTS_MAX, "more go into the next batch"
    if not entries:
        return NO_RECEIPTS
    root = counted_root(Tag.WORKLOAD_BATCH, [signed_digest(one) for one in entries])
    return ReceiptBatch(first=entries[0].entry.number, count=len(entries), root=root)


def path_in(entries: Sequence[SignedEntry], number: int) -> tuple[bytes, ...]:
    """WREC-7. The path of the entry of this number up to the root of the batch that these entries are."""
    return inclusion_proof([signed_digest(one) for one in entries], number - entries[0].entry.number)


def check_in_batch(signed: SignedEntry, batch: ReceiptBatch, path: Sequence[bytes]) -> None:
    """WREC-7. The entry is in the batch, at the place of its number. Raises `Rejected`."""
    number = signed.entry.number
    if batch.count > RECEIPTS_MAX:
        raise Rejected(WorkloadReceiptRefusal.BATCH, f"a batch of {batch.count} entries, at most {RECEIPTS_MAX}")
    leaf = signed_digest(signed)
    if not verify_inclusion(Tag.WORKLOAD_BATCH, leaf, number - batch.first, batch.count, path, batch.root):
        detail = f"entry {number} does not lead to the root of {batch.count} entries from {batch.first} on"
        raise Rejected(WorkloadReceiptRefusal.BATCH, detail)
