"""The receipt file: everything a stranger needs to check an outcome, with a basis of trust and without a server."""

from collections.abc import Iterator

from metanode.api.errors import ApiRefusal
from metanode.api.receipt_names import receipt_name
from metanode.api.transactions import ReceiptExport, ReceiptFileView
from metanode.chain.light import receipt_file
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
    ReceiptFile,
    ReceiptStep,
    SetChangeStep,
)
from metanode.records.validators import ValidatorList


def set_change_steps(desk: Desk, height: int) -> Iterator[SetChangeStep]:
    """Every header below that announced other signers, from the genesis set upwards."""
    for change in desk.shelf.set_changes(height):
        if change > 1:
            announcing = block_at(desk, change - 1)
            if announces_set(announcing):
                yield SetChangeStep(
                    header=announcing.header.encoded,
                    commit=announcing.commit,
                    next_validators=ValidatorList(version=1, validators=set_at(desk, change).validators),
                )


def steps_to_set(desk: Desk, height: int) -> tuple[SetChangeStep, ...]:
    """The way from genesis to the set of a height. Raises `Rejected` where it is too long for a file."""
    steps = tuple(set_change_steps(desk, height))
    size = sum(len(encode(step)) for step in steps)
    if len(steps) > STEPS_MAX or size > RECEIPT_FILE_BYTES_MAX // 2:
        detail = f"{len(steps)} steps and {size} bytes: the set has changed too often for one file"
        raise Rejected(ApiRefusal.CONFLICT, detail)
    return steps


def file_of(desk: Desk, height: int, index: int) -> ReceiptFile:
    """The file of one receipt, to be checked from genesis on; `chain.light` says the order of its steps."""
    filed, receipts = block_at(desk, height), receipts_at(desk, height)
    of_transaction = isinstance(OUTLINES.decode(receipts[index]).origin, TransactionOrigin)
    return receipt_file(
        desk.chain_id,
        transaction=(transaction_at(desk, height, index).encoded,) if of_transaction else (),
        receipt=ReceiptStep(
            receipt=receipts[index],
            index=index,
            size=len(receipts),
            path=inclusion_proof([receipt_leaf(receipt) for receipt in receipts], index),
        ),
        header=filed.header,
        set_changes=tuple(set_change_steps(desk, height)),
        commit=(filed.commit,),
    )


def receipt_export(desk: Desk, asked: ReceiptExport) -> ReceiptFileView:
    """The bytes of the file of one receipt."""
    height, index = receipt_place(desk, asked.receipt)
    file = file_of(desk, height, index)
    encoded = encode(file)
    if len(file.steps) > STEPS_MAX or len(encoded) > RECEIPT_FILE_BYTES_MAX:
        detail = f"{len(file.steps)} steps and {len(encoded)} bytes: the set has changed too often for one file"
        raise Rejected(ApiRefusal.CONFLICT, detail)
    return ReceiptFileView(receipt=receipt_name(height, index), height=height, file=encoded.hex())
