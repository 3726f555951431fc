"""The shelf: what is final is opened once, a bounded part of it is kept."""

from tests.unit.ledger.world import adding
from tests.unit.node.requests.world import Chain

from metanode.node.shelf import SHELF_BLOCKS_MAX, SHELF_SETS_MAX


def test_a_block_is_opened_once_and_a_few_are_kept() -> None:
    chain = Chain()
    for _ in range(SHELF_BLOCKS_MAX + 1):
        chain.final()
    shelf = chain.desk.shelf
    first = shelf.block(1)
    assert first is not None
    assert shelf.block(1) is first
    for height in range(2, SHELF_BLOCKS_MAX + 2):
        shelf.block(height)
        shelf.receipts(height)
    reopened = shelf.block(1)
    assert reopened == first
    assert reopened is not first
    assert shelf.block(99) is None
    assert shelf.receipts(99) is None


def test_sets_of_all_heights_also_of_those_that_come_later() -> None:
    chain = Chain()
    shelf = chain.desk.shelf
    sizes = []
    for number in range(4, 4 + SHELF_SETS_MAX + 2):
        sizes.append(len(shelf.validators(chain.desk.tip.height + 1) or ()))
        chain.vote_in(adding(number))
    assert sizes == list(range(4, 4 + SHELF_SETS_MAX + 2))
    assert [len(shelf.validators(height) or ()) for height in range(1, 6)] == [4, 4, 5, 5, 6]
    assert shelf.set_changes(5) == [1, 3, 5]
    assert shelf.validators(0) is None
