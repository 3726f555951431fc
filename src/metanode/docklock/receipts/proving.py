"""The receipt file of a workload: built by who has the entries, checked by who has nothing but a basis of trust."""

from collections.abc import Sequence
from dataclasses import dataclass

from metanode.chain.light import Basis, Pairing, Verified, verify_receipt_bytes
from metanode.docklock.receipts.batches import batch_of, check_in_batch, path_in
from metanode.docklock.receipts.chain import check_signature
from metanode.docklock.receipts.refusals import WorkloadReceiptRefusal
from metanode.primitives.codec import encode
from metanode.primitives.refusal import Rejected
from metanode.records.address import address_of_key
from metanode.records.cluster import ReceiptBatch
from metanode.records.cluster_events import ReceiptsPinned
from metanode.records.receipt import RECEIPTS, Receipt, Status
from metanode.records.receipt_file import RECEIPT_FILES, ReceiptStep
from metanode.records.workload_receipt import (
    FILE_BEGINS,
    SIGNED_ENTRIES,
    WORKLOAD_RECEIPT_FILES,
    SignedEntry,
    WorkloadReceiptFile,
    check_entry,
)


@dataclass(frozen=True, slots=True)
class VerifiedEntry:
    """What was proved: the node of this account signed the entry, and pinned it on the chain by `chain.receipt`."""

    signed: SignedEntry
    account: bytes
    batch: ReceiptBatch
    chain: Verified


def workload_receipt_file(entries: Sequence[SignedEntry], number: int, chain: bytes) -> WorkloadReceiptFile:
    """WREC-8. The file of one entry. `entries`: all of its batch; `chain`: the receipt file of the report that pinned
    it."""
    signed = entries[number - entries[0].entry.number]
    return WorkloadReceiptFile(
        version=1, signed=encode(signed), batch=batch_of(entries), path=path_in(entries, number), chain=chain
    )


def is_workload_receipt(data: bytes) -> bool:
    """WREC-8. Whether a file says of itself that it is a workload's; any other is a transaction's (LIGHT-10)."""
    return data[1 : 1 + len(FILE_BEGINS)] == FILE_BEGINS


def verify_workload_receipt(data: bytes, basis: Basis, pairing: Pairing, now_ms: int | None = None) -> VerifiedEntry:
    """WREC-9. From the entry over its batch to the chain's receipt, and from there as any receipt (LIGHT-11). Raises
    `Rejected` with the first layer that fails."""
    try:
        file = WORKLOAD_RECEIPT_FILES.decode(data)
    except Rejected as rejected:
        raise Rejected(WorkloadReceiptRefusal.ENCODING, str(rejected)) from None
    if file.version != 1:
        raise Rejected(WorkloadReceiptRefusal.ENCODING, f"version {file.version}, this program knows 1")
    signed = _entry(file.signed)
    check_signature(signed)
    check_in_batch(signed, file.batch, file.path)
    account = address_of_key(signed.key)
    for chain_id, receipt in _claimed(file.chain):
        _check_pinned(signed, file.batch, account, chain_id, receipt)
    chain = verify_receipt_bytes(file.chain, basis, pairing, now_ms)
    return VerifiedEntry(signed, account, file.batch, chain)


def _entry(data: bytes) -> SignedEntry:
    try:
        signed = SIGNED_ENTRIES.decode(data)
        check_entry(signed.entry)
    except Rejected as rejected:
        raise Rejected(WorkloadReceiptRefusal.ENTRY, str(rejected)) from None
    return signed


def _claimed(data: bytes) -> list[tuple[bytes, Receipt]]:
    """The chain and the receipts that a receipt file is about, before it is checked. None where it cannot be read: then
    the check of the file says why. A file with more than one receipt is none (LIGHT-10)."""
    try:
        file = RECEIPT_FILES.decode(data)
        return [(file.chain_id, RECEIPTS.decode(one.receipt)) for one in file.steps if isinstance(one, ReceiptStep)]
    except Rejected:
        return []


def _check_pinned(signed: SignedEntry, batch: ReceiptBatch, account: bytes, chain_id: bytes, receipt: Receipt) -> None:
    """WREC-10. The chain is the entry's, the report succeeded after the height that the entry names, and by it exactly
    this batch was pinned for the account whose address is the key's. Raises `Rejected`."""
    entry = signed.entry
    if entry.chain_id != chain_id:
        raise Rejected(WorkloadReceiptRefusal.PINNED, f"an entry for chain {entry.chain_id.hex()}")
    if receipt.height <= entry.height:
        detail = f"pinned at height {receipt.height}, and the node had seen {entry.height}"
        raise Rejected(WorkloadReceiptRefusal.PINNED, detail)
    wanted = ReceiptsPinned(
        cluster=entry.cluster,
        node=entry.node,
        account=account,
        first=batch.first,
        count=batch.count,
        root=batch.root,
    )
    if receipt.status != Status.SUCCEEDED or wanted not in receipt.events:
        detail = f"not by receipt {receipt.index} of height {receipt.height}: {batch.count} entries of {entry.node}"
        raise Rejected(WorkloadReceiptRefusal.PINNED, detail)
