"""The receipt file: everything a stranger needs to check an outcome, with a basis of trust and without a server."""

from collections.abc import Iterator

from metanode.api.errors import ApiRefusal
from metanode.api.receipt_names import receipt_name
from metanode.api.transactions import ReceiptExport, ReceiptFileView
from metanode.node.desk import Desk
from metanode.node.requests.blocks import OUTLINES
from metanode.node.requests.finding import block_at, receipts_at, set_at
from metanode.node.requests.headers import announces_set
from metanode.node.requests.receipts import receipt_place
from metanode.node.requests.transactions import transaction_at
from metanode.primitives.codec import encode
from metanode.primitives.merkle import inclusion_proof
from metanode.primitives.refusal import Rejected
from metanode.records.receipt import TransactionOrigin, receipt_leaf
from metanode.records.receipt_file import (
    RECEIPT_FILE_BYTES_MAX,
    STEPS_MAX,
    CommitStep,
    HeaderStep,
    ReceiptFile,
    ReceiptStep,
    SetChangeStep,
    Step,
    TransactionStep,
)
from metanode.records.validators import ValidatorList, ValidatorSet


def _list(validators: ValidatorSet) -> ValidatorList:
    return ValidatorList(version=1, validators=validators.validators)


def _outcome(desk: Desk, height: int, index: int) -> Iterator[Step]:
    """The transaction, if it was one, and its receipt with the path to `receipts_root`."""
    receipts = receipts_at(desk, height)
    if isinstance(OUTLINES.decode(receipts[index]).origin, TransactionOrigin):
        yield TransactionStep(signed=transaction_at(desk, height, index).encoded)
    path = inclusion_proof([receipt_leaf(receipt) for receipt in receipts], index)
    yield ReceiptStep(receipt=receipts[index], index=index, size=len(receipts), path=path)


def _set_changes(desk: Desk, height: int) -> Iterator[Step]:
    """Every header below that announced other signers, from the genesis set upwards."""
    for change in desk.shelf.set_changes(height):
        if change > 1:
            announcing = block_at(desk, change - 1)
            if announces_set(announcing):
                yield SetChangeStep(
                    header=announcing.header.encoded,
                    commit=announcing.commit,
                    next_validators=_list(set_at(desk, change)),
                )


def receipt_file(desk: Desk, height: int, index: int) -> ReceiptFile:
    """LIGHT: from the outcome upwards. The order is: the transaction (where the receipt is of one), the receipt, the
    header, its certificate with the set that signed it, then the set changes from genesis to that set, ascending."""
    filed = block_at(desk, height)
    steps = (
        *_outcome(desk, height, index),
        HeaderStep(header=filed.header.encoded),
        CommitStep(commit=filed.commit, validators=_list(set_at(desk, height))),
        *_set_changes(desk, height),
    )
    return ReceiptFile(version=1, chain_id=desk.chain_id, steps=steps)


def receipt_export(desk: Desk, asked: ReceiptExport) -> ReceiptFileView:
    """The file of one receipt."""
    height, index = receipt_place(desk, asked.receipt)
    file = receipt_file(desk, height, index)
    encoded = encode(file)
    if len(file.steps) > STEPS_MAX or len(encoded) > RECEIPT_FILE_BYTES_MAX:
        detail = f"{len(file.steps)} steps and {len(encoded)} bytes: the set has changed too often for one file"
        raise Rejected(ApiRefusal.CONFLICT, detail)
    return ReceiptFileView(receipt=receipt_name(height, index), height=height, file=encoded.hex())
