"""Receipts: one, or many by account and heights."""

from collections.abc import Iterator
from typing import Final, Literal, assert_never

from metanode.api.errors import ApiRefusal
from metanode.api.plain import plain
from metanode.api.receipt_names import read_receipt_name, receipt_name
from metanode.api.transactions import OriginView, ReceiptGet, ReceiptList, ReceiptPage, ReceiptView
from metanode.node.desk import Desk
from metanode.node.requests.finding import (
    READ_BYTES_MAX,
    account_named,
    height_asked,
    place_of_identity,
    read_place,
    receipts_at,
)
from metanode.node.rows import ACCOUNT, RECEIPTS, height_key, place_bytes, place_of
from metanode.primitives.names import Address
from metanode.primitives.refusal import Rejected
from metanode.records.receipt import (
    RECEIPTS as RECEIPT_DECODER,
)
from metanode.records.receipt import (
    EvidenceOrigin,
    Origin,
    Status,
    SystemOrigin,
    TransactionOrigin,
)

BLOCKS_SCANNED_MAX: Final = 2_000
"""Blocks looked at for one page: most blocks of an idle chain have no receipts, and a question must end."""
ENOUGH: Final = -1
"""In place of an index: the page ends before this block."""


def receipt_place(desk: Desk, text: str) -> tuple[int, int]:
    """(height, index) of a receipt, by its name or by the identity of its transaction. Raises `Rejected`."""
    if text.startswith("rcpt_"):
        height, index = read_receipt_name(text)
        if index >= len(receipts_at(desk, height_asked(desk, height))):
            raise Rejected(ApiRefusal.NOT_FOUND, f"block {height} has no receipt {index}")
        return height, index
    place = place_of_identity(desk, bytes.fromhex(text))
    if place is None:
        raise Rejected(ApiRefusal.NOT_FOUND, f"transaction {text} is not final here")
    return place


def _origin(origin: Origin) -> OriginView:
    kind: Literal["transaction", "evidence", "system"]
    kind, identity, authorizations, module, sequence = "system", b"", b"", "", 0
    match origin:
        case TransactionOrigin():
            kind, identity, authorizations = "transaction", origin.identity, origin.authorizations_digest
        case EvidenceOrigin():
            kind, identity = "evidence", origin.digest
        case SystemOrigin():
            module, sequence = origin.module, origin.sequence
        case _:
            assert_never(origin)
    return OriginView(
        kind=kind,
        identity=identity.hex(),
        authorizations_digest=authorizations.hex(),
        module=module,
        sequence=sequence,
    )


def receipt_view(encoded: bytes) -> ReceiptView:
    """A receipt for people, and the bytes that are proved."""
    receipt = RECEIPT_DECODER.decode(encoded)
    return ReceiptView(
        receipt=receipt_name(receipt.height, receipt.index),
        height=receipt.height,
        index=receipt.index,
        origin=_origin(receipt.origin),
        succeeded=receipt.status == Status.SUCCEEDED,
        code=receipt.code,
        work=receipt.work,
        events=tuple(plain(event) for event in receipt.events),
        results=tuple(result.hex() for result in receipt.results),
        encoded=encoded.hex(),
    )


def receipt_get(desk: Desk, asked: ReceiptGet) -> ReceiptView:
    """One receipt."""
    height, index = receipt_place(desk, asked.receipt)
    return receipt_view(receipts_at(desk, height)[index])


def receipt_list(desk: Desk, asked: ReceiptList) -> ReceiptPage:
    """Receipts upwards. The cursor is the first place of the next page; a page that had to look at many blocks ends
    early and still has a next one."""
    last = min(asked.last or desk.tip.height, desk.tip.height)
    start = max((asked.first, 0), read_place(asked.cursor) if asked.cursor else (0, 0))
    if asked.account:
        places = _of_account(desk, account_named(desk, asked.account), start, last)
    else:
        places = _of_blocks(desk, start, last)
    items: list[ReceiptView] = []
    left, looked_at = READ_BYTES_MAX, 0
    for height, index in places:
        if height != looked_at:
            looked_at = height
            left -= sum(map(len, receipts_at(desk, height)))
        if len(items) == asked.limit or index == ENOUGH or (left <= 0 and items):
            return ReceiptPage(items=tuple(items), next=f"{height}:{max(index, 0)}")
        items.append(receipt_view(receipts_at(desk, height)[index]))
    return ReceiptPage(items=tuple(items), next="")


def _of_account(desk: Desk, address: Address, start: tuple[int, int], last: int) -> Iterator[tuple[int, int]]:
    """Places of the receipts that name an account."""
    prefix = ACCOUNT + address
    for key, _ in desk.rows.scan(prefix, prefix + place_bytes(*start)):
        height, index = place_of(key[len(prefix) :])
        if height > last:
            return
        yield height, index


def _of_blocks(desk: Desk, start: tuple[int, int], last: int) -> Iterator[tuple[int, int]]:
    """Places of all receipts of a range; `ENOUGH` at the block before which so many were looked at."""
    for scanned, (key, _) in enumerate(desk.rows.scan(RECEIPTS, height_key(RECEIPTS, start[0]))):
        height = int.from_bytes(key[len(RECEIPTS) :], "big")
        if height > last:
            return
        if scanned == BLOCKS_SCANNED_MAX:
            yield height, ENOUGH
        first = start[1] if height == start[0] else 0
        for index in range(first, len(receipts_at(desk, height))):
            yield height, index
