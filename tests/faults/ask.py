"""The whole chain of a node, by its public API."""

from typing import Final

from tests.faults.chain import Chain, Entry, moves_of
from tests.journeys.town import House

PAGE: Final = 500
TIMEOUT_S: Final = 20.0


def read_chain(house: House, last: int, coin: str) -> Chain:
    """Blocks, and receipts of transactions, up to a height."""
    chain = Chain(last, {}, [])
    with house.ask(timeout_s=TIMEOUT_S) as client:
        before = last + 1
        while before > 1:
            page = client.block.list(before=before, limit=PAGE)
            chain.hashes.update({item.height: item.hash for item in page.items})
            before = min(item.height for item in page.items)
        for item in client.receipt.all(first=1, last=last):
            if item.origin.kind == "transaction":
                moves = moves_of(item.events, coin)
                chain.entries.append(Entry(item.height, item.index, item.origin.identity, item.succeeded, moves))
    return chain
