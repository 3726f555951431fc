"""The replicated state: transactions in, receipts and a state root out."""

from metanode.ledger.accounts.admission import AdmissionRefusal
from metanode.ledger.execution import WORK_AUTHORIZATION, BlockInput, Refused
from metanode.ledger.executor import AccountView, Execution, Ledger, LedgerRefusal, Proved
from metanode.ledger.frame import Mathematics
from metanode.ledger.genesis import MODULES, genesis_state
from metanode.ledger.module import Module
from metanode.ledger.reader import MemoryReader, Reader

__all__ = [
    "MODULES",
    "WORK_AUTHORIZATION",
    "AccountView",
    "AdmissionRefusal",
    "BlockInput",
    "Execution",
    "Ledger",
    "LedgerRefusal",
    "Mathematics",
    "MemoryReader",
    "Module",
    "Proved",
    "Reader",
    "Refused",
    "genesis_state",
]
