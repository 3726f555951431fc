"""Events in the order of the chain: each block, then its transactions, then its receipts."""

from collections.abc import Iterator, Sequence
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
_KINDS: Final = (_BLOCK, _TRANSACTION, _RECEIPT)


def _start(desk: Desk, after: str) -> tuple[int, int]:
    """The first event of a page. Raises `Rejected` where events after the cursor are no longer kept."""
    first = max(desk.archive.first, 1)
    if not after:
        return first, 0
    height, index = read_place(after)
    if height >= first:
        return (height, index + 1) if index < INDEX_MAX else (height + 1, 0)
    if height + 1 == first and (height == 0 or index == INDEX_MAX):
        return first, 0
    raise Rejected(ApiRefusal.PRUNED, f"events after {after}; kept: from block {first} on")


def _events(desk: Desk, filed: FiledBlock, first: int, words: Glossary, kinds: Sequence[str]) -> Iterator[EventItem]:
    """The events of a block from an index on, of these kinds; only those that are taken are made."""
    height = filed.header.height
    if first == 0 and _BLOCK in kinds:
        yield _item(height, 0, _BLOCK, block_summary(desk, filed))
    if kinds == (_BLOCK,):
        return
    transactions = filed.body.transactions
    if _TRANSACTION in kinds:
        for index in range(max(first, 1), 1 + len(transactions)):
            view = transaction_view(known_transaction(transactions[index - 1]), words)
            yield _item(height, index, _TRANSACTION, view)
    if _RECEIPT not in kinds:
        return
    before = 1 + len(transactions)
    receipts = receipts_at(desk, height)
    for index in range(max(first, before), before + len(receipts)):
        yield _item(height, index, _RECEIPT, receipt_view(receipts[index - before]))


def _item(height: int, index: int, kind: str, data: Answer) -> EventItem:
    return EventItem(id=f"{height}:{index}", kind=kind, data=msgspec.to_builtins(data))


def event_list(desk: Desk, asked: EventList) -> EventPage:
    """A page after a cursor; empty, with the same cursor, at the head. Ends early where much was read."""
    height, index = _start(desk, asked.after)
    kinds = tuple(dict.fromkeys(asked.kinds.split(","))) if asked.kinds else _KINDS
    items: list[EventItem] = []
    cursor = asked.after
    left, words = READ_BYTES_MAX, glossary(desk)
    while len(items) < asked.limit and height <= desk.tip.height and left > 0:
        filed = block_at(desk, height)
        found = list(islice(_events(desk, filed, index, words, kinds), asked.limit - len(items)))
        items.extend(found)
        left -= len(filed.encoded)
        if found and (len(items) == asked.limit or kinds == _KINDS):
            cursor = items[-1].id
        elif kinds != _KINDS:  # the rest of the block was passed over
            cursor = f"{height}:{INDEX_MAX}"
        height, index = height + 1, 0
    return EventPage(items=tuple(items), next=cursor, last=desk.tip.height)
