"""One block executed: evidence, transactions, end-of-block steps, in this order; receipts and writes out."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from metanode.ledger.accounts.admission import AdmissionRefusal, admit
from metanode.ledger.accounts.state import account_key, create_if_new, read_account, with_nonce_used, write_account
from metanode.ledger.coin.module import pay_fees
from metanode.ledger.coin.state import balance_key, read_number, write_number
from metanode.ledger.frame import NOBODY, BlockContext, Frame, WorkRefusal
from metanode.ledger.governance.conviction import EVIDENCE_MAX, convict
from metanode.ledger.governance.refusals import ConvictionRefusal
from metanode.ledger.module import Method, Module
from metanode.ledger.view import View
from metanode.primitives.names import Address, Height, Millis, Seat
from metanode.primitives.refusal import Refusal, Rejected
from metanode.records.block import KnownTransaction
from metanode.records.evidence import Evidence, evidence_digest
from metanode.records.receipt import (
    RECEIPT_BYTES_MAX,
    AccountCreated,
    EvidenceOrigin,
    FeePaid,
    Origin,
    Receipt,
    Status,
    SystemOrigin,
    TransactionOrigin,
    receipt_bytes,
)

WORK_TRANSACTION: Final = 50
"""Every transaction: admission, its account, its receipt. One unit is about a microsecond."""
WORK_AUTHORIZATION: Final = 60
"""Every signature: its verification."""
STEP_WORK_MAX: Final = 10_000
"""A step of the system never comes near it: what it does is bounded by counts."""
EVENTS_OF_STEP_MAX: Final = 1_024
"""Most events in one receipt of a step, each at most 250 bytes: such a receipt is never too long."""


@dataclass(frozen=True, slots=True)
class BlockInput:
    """What is executed: a block's place and contents. Signatures and evidence were verified before."""

    height: Height
    timestamp_ms: Millis
    proposer: Seat
    evidence: tuple[Evidence, ...]
    transactions: tuple[KnownTransaction, ...]


@dataclass(frozen=True, slots=True)
class Refused:
    """Something that may not be in the block. A proposer leaves it out, a validator calls the block invalid.

    `index` counts within the block's evidence or within its transactions.
    """

    index: int
    reason: Refusal
    detail: str


class BlockRun:
    """The execution of one block on a view: each part is run once, in order."""

    def __init__(self, block: BlockContext, view: View, methods: Mapping[type, Method]) -> None:
        self._block = block
        self._view = view
        self._methods = methods
        self.receipts: list[Receipt] = []
        self.encoded: list[bytes] = []
        self.work = 0
        self._bytes = 0
        self._fees = 0

    def run_evidence(self, pieces: Sequence[Evidence]) -> list[Refused]:
        """LEDGER-V6. Each piece convicts somebody, or the block is invalid."""
        refused = []
        convicted = 0
        for index, evidence in enumerate(pieces):
            if convicted >= EVIDENCE_MAX:
                refused.append(Refused(index, ConvictionRefusal.TOO_MANY, f"at most {EVIDENCE_MAX} a block"))
                continue
            frame = self._step_frame()
            mark = self._view.mark()
            try:
                convict(frame, evidence)
            except Rejected as rejected:
                self._view.undo(mark)
                refused.append(Refused(index, rejected.reason, rejected.detail))
            else:
                convicted += 1
                self._receive(EvidenceOrigin(digest=evidence_digest(evidence)), frame)
        return refused

    def run_transactions(
        self, transactions: Sequence[KnownTransaction]
    ) -> tuple[list[KnownTransaction], list[Refused]]:
        """LEDGER-N. Admit and run each on what the earlier ones left; the included and the refused ones."""
        included: list[KnownTransaction] = []
        refused: list[Refused] = []
        for index, known in enumerate(transactions):
            try:
                self._admit_and_run(known, len(included))
            except Rejected as rejected:
                refused.append(Refused(index, rejected.reason, rejected.detail))
            else:
                included.append(known)
        return included, refused

    def _admit_and_run(self, known: KnownTransaction, included: int) -> None:
        """LEDGER-F1. All that raises here comes before the first write; then nonce and fee are spent for good."""
        view = self._view
        transaction = known.signed.transaction
        sender = Address(transaction.sender)
        account = read_account(view, sender)
        fee_key = balance_key(sender, self._block.fee_coin)
        spendable = read_number(view, fee_key)
        fee = admit(known, self._block, account, spendable)
        self._check_room(known, included)
        frame = Frame(self._block, view, sender, transaction.work_limit)
        if create_if_new(view, sender):
            frame.events.append(AccountCreated(account=sender))
        write_account(view, sender, with_nonce_used(account, transaction.lane))
        if fee:
            write_number(view, fee_key, spendable - fee)
            frame.events.append(FeePaid(account=sender, amount=transaction.fee))
        self._fees += fee
        self._bytes += len(known.encoded)
        self._run_calls(known, frame)
        self.work += frame.work

    def _check_room(self, known: KnownTransaction, included: int) -> None:
        """LEDGER-N7. Bytes, number, and work as it would be if the transaction used up its limit."""
        parameters = self._block.parameters
        if (
            included >= parameters.block_transactions_max
            or self._bytes + len(known.encoded) > parameters.block_bytes_max
            or self.work + known.signed.transaction.work_limit > parameters.block_work_max
        ):
            raise Rejected(AdmissionRefusal.BLOCK_FULL, f"after {included} transactions")

    def _run_calls(self, known: KnownTransaction, frame: Frame) -> None:
        """LEDGER-X1. All calls or none: a refused one undoes the effects of all; fee and nonce stay spent."""
        transaction = known.signed.transaction
        origin = TransactionOrigin(identity=known.identity, authorizations_digest=known.authorizations_digest)
        mark = self._view.mark()
        events = len(frame.events)
        try:
            frame.charge(WORK_TRANSACTION + WORK_AUTHORIZATION * len(known.signed.authorizations))
            for call in transaction.calls:
                method = self._methods[type(call)]
                frame.charge(method.work)
                method.run(call, frame)
            self._receive(origin, frame)
        except Rejected as rejected:
            self._view.undo(mark)
            del frame.events[events:]
            frame.results.clear()
            self._receive(origin, frame, rejected.reason)

    def run_steps(self, modules: Iterable[Module], operator: Address) -> None:
        """LEDGER-F2, LEDGER-M1. Fees to the proposer's operator, then the modules' steps; a receipt where one acted."""
        if self._fees:
            frame = self._step_frame()
            pay_fees(frame, operator, self._fees)
            self._receive(SystemOrigin(module="coin", sequence=0), frame)
        for module in modules:
            frame = self._step_frame()
            module.end_of_block(frame)
            events = list(frame.events)
            for first in range(0, len(events), EVENTS_OF_STEP_MAX):
                frame.events[:] = events[first : first + EVENTS_OF_STEP_MAX]
                sequence = sum(1 for receipt in self.receipts if isinstance(receipt.origin, SystemOrigin))
                self._receive(SystemOrigin(module=module.name, sequence=sequence), frame)

    def _step_frame(self) -> Frame:
        return Frame(self._block, self._view, NOBODY, STEP_WORK_MAX)

    def _receive(self, origin: Origin, frame: Frame, failure: Refusal | None = None) -> None:
        """LEDGER-R2. The receipt of what was just run, in its place. Raises `Rejected` when it would be too long."""
        receipt = Receipt(
            version=1,
            height=self._block.height,
            index=len(self.receipts),
            origin=origin,
            status=Status.SUCCEEDED if failure is None else Status.FAILED,
            code="" if failure is None else failure.value,
            work=frame.work,
            events=tuple(frame.events),
            results=tuple(frame.results),
        )
        encoded = receipt_bytes(receipt)
        if len(encoded) > RECEIPT_BYTES_MAX:
            raise Rejected(WorkRefusal.RECEIPT_TOO_LARGE, f"{len(encoded)} bytes, at most {RECEIPT_BYTES_MAX}")
        self.receipts.append(receipt)
        self.encoded.append(encoded)


def keys_of_senders(transactions: Sequence[KnownTransaction], fee_coin: str) -> list[bytes]:
    """The keys that admission reads, to be fetched in one call."""
    senders = [Address(known.signed.transaction.sender) for known in transactions]
    return [account_key(sender) for sender in senders] + [balance_key(sender, fee_coin) for sender in senders]


def keys_of_calls(
    transactions: Sequence[KnownTransaction], methods: Mapping[type, Method], work_max: int
) -> list[bytes]:
    """The keys that the calls will probably read. Not of transactions that will probably find the block full: a pool
    offers many times what a block has work for."""
    keys: list[bytes] = []
    work = 0
    for known in transactions:
        if work > work_max:
            break
        transaction = known.signed.transaction
        sender = Address(transaction.sender)
        work += WORK_TRANSACTION + WORK_AUTHORIZATION * len(known.signed.authorizations)
        for call in transaction.calls:
            method = methods[type(call)]
            work += method.work
            keys.extend(method.reads(call, sender))
    return keys
