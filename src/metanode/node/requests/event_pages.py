"""Events in the order of the chain: each block, then its transactions, then its receipts."""

from collections.abc import Iterator
from itertools import islice
from typing import Final

import msgspec

from metanode.api.blocks import EventItem, EventList, EventPage
from metanode.api.errors import ApiRefusal
from metanode.api.sentences import Glossary
from metanode.api.shapes import Answer
from metanode.node.desk import Desk
from metanode.node.known import known_transaction
from metanode.node.requests.blocks import block_summary
from metanode.node.requests.finding import INDEX_MAX, READ_BYTES_MAX, block_at, read_place, receipts_at
from metanode.node.requests.receipts import receipt_view
from metanode.node.requests.transactions import transaction_view
from metanode.node.requests.words import glossary
from metanode.node.shelf import FiledBlock
from metanode.primitives.refusal import Rejected

_BLOCK: Final = "block"
_TRANSACTION: Final = "transaction"
_RECEIPT: Final = "receipt"


def _start(desk: Desk, after: str) -> tuple[int, int]:
    """The first event of a page. Raises `Rejected` where events after the cursor are no longer kept."""
    first = max(desk.archive.first, 1)
    if not after:
        return first, 0
    height, index = read_place(after)
    if height >= first:
        return height, index + 1
    if height + 1 == first and (height == 0 or index == INDEX_MAX):
        return first, 0
    raise Rejected(ApiRefusal.PRUNED, f"events after {after}; kept: from block {first} on")


def _events(desk: Desk, filed: FiledBlock, first: int, words: Glossary) -> Iterator[EventItem]:
    """The events of a block from an index on; only those that are taken are made."""
    height, transactions = filed.header.height, filed.body.transactions
    receipts = receipts_at(desk, height)
    if first == 0:
        yield _item(height, 0, _BLOCK, block_summary(desk, filed))
    for index in range(max(first, 1), 1 + len(transactions)):
        view = transaction_view(known_transaction(transactions[index - 1]), words)
        yield _item(height, index, _TRANSACTION, view)
    before = 1 + len(transactions)
    for index in range(max(first, before), before + len(receipts)):
        yield _item(height, index, _RECEIPT, receipt_view(receipts[index - before]))


def _item(height: int, index: int, kind: str, data: Answer) -> EventItem:
    return EventItem(id=f"{height}:{index}", kind=kind, data=msgspec.to_builtins(data))


def event_list(desk: Desk, asked: EventList) -> EventPage:
    """A page after a cursor; empty at the head. Ends early where much was read."""
    height, index = _start(desk, asked.after)
    items: list[EventItem] = []
    left, words = READ_BYTES_MAX, glossary(desk)
    while len(items) < asked.limit and height <= desk.tip.height and left > 0:
        filed = block_at(desk, height)
        items.extend(islice(_events(desk, filed, index, words), asked.limit - len(items)))
        left -= len(filed.encoded)
        height, index = height + 1, 0
    return EventPage(items=tuple(items), next=items[-1].id if items else asked.after, last=desk.tip.height)
