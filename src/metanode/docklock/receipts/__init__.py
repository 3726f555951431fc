"""Receipts of workloads: entries chained per node, batched for the chain, proved offline, told to other tools."""

from metanode.docklock.receipts.batches import batch_of, check_in_batch, path_in
from metanode.docklock.receipts.chain import (
    NO_ENTRIES,
    Author,
    Happening,
    Sign,
    Tip,
    after,
    author_of,
    check_link,
    check_signature,
    check_together,
    contradicts,
    details,
    follow,
    write_entry,
)
from metanode.docklock.receipts.copies import batch_copy, read_copy
from metanode.docklock.receipts.dsse import seal
from metanode.docklock.receipts.names import check_name_of, entry_name, is_entry_name, read_entry_name
from metanode.docklock.receipts.proving import (
    VerifiedEntry,
    is_workload_receipt,
    verify_workload_receipt,
    workload_receipt_file,
)
from metanode.docklock.receipts.refusals import WorkloadReceiptRefusal
from metanode.docklock.receipts.statement import (
    Attested,
    entry_facts,
    is_attestation,
    statement,
    verify_attestation,
    verify_envelope,
    verify_statement,
)
from metanode.docklock.receipts.telling import sentence
from metanode.docklock.receipts.whole import Continuity, continuity, entries_file, is_entries_file, read_entries

__all__ = [
    "NO_ENTRIES",
    "Attested",
    "Author",
    "Continuity",
    "Happening",
    "Sign",
    "Tip",
    "VerifiedEntry",
    "WorkloadReceiptRefusal",
    "after",
    "author_of",
    "batch_copy",
    "batch_of",
    "check_in_batch",
    "check_link",
    "check_name_of",
    "check_signature",
    "check_together",
    "continuity",
    "contradicts",
    "details",
    "entries_file",
    "entry_facts",
    "entry_name",
    "follow",
    "is_attestation",
    "is_entries_file",
    "is_entry_name",
    "is_workload_receipt",
    "path_in",
    "read_copy",
    "read_entries",
    "read_entry_name",
    "seal",
    "sentence",
    "statement",
    "verify_attestation",
    "verify_envelope",
    "verify_statement",
    "verify_workload_receipt",
    "workload_receipt_file",
    "write_entry",
]
