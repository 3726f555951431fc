"""Events in the order of the chain, from any cursor on."""

import msgspec
import pytest
from tests.unit.ledger.world import address
from tests.unit.node.requests.world import Chain

from metanode.api.blocks import BlockList, EventItem, EventList, EventPage
from metanode.api.errors import ApiError, ApiRefusal
from metanode.api.receipt_names import receipt_name
from metanode.api.transactions import ReceiptGet, TransactionGet
from metanode.records.block import KnownTransaction
from metanode.records.calls import CoinTransfer


def pay(to: str) -> CoinTransfer:
    return CoinTransfer(coin="BPI", to=address(to), amount=b"\x05")


def busy() -> tuple[Chain, list[KnownTransaction]]:
    """Two transactions, nothing, one with a fee."""
    chain = Chain()
    sent = [chain.transaction("alice", pay("bob")), chain.transaction("bob", pay("carol"))]
    chain.final(*sent)
    chain.final()
    sent.append(chain.transaction("alice", pay("carol"), fee=1))
    chain.final(sent[-1])
    return chain, sent


def test_each_block_then_its_transactions_then_its_receipts() -> None:
    chain, sent = busy()
    blocks = {b.height: msgspec.to_builtins(b) for b in chain.ask("block.list", BlockList()).items}

    def transaction(number: int) -> dict[str, object]:
        found = chain.ask("transaction.show", TransactionGet(identity=sent[number].identity.hex()))
        return msgspec.to_builtins(found)  # type: ignore[no-any-return]

    def receipt(height: int, index: int) -> dict[str, object]:
        found = chain.ask("receipt.get", ReceiptGet(receipt=receipt_name(height, index)))
        return msgspec.to_builtins(found)  # type: ignore[no-any-return]

    assert chain.ask("event.list", EventList()) == EventPage(
        items=(
            EventItem(id="1:0", kind="block", data=blocks[1]),
            EventItem(id="1:1", kind="transaction", data=transaction(0)),
            EventItem(id="1:2", kind="transaction", data=transaction(1)),
            EventItem(id="1:3", kind="receipt", data=receipt(1, 0)),
            EventItem(id="1:4", kind="receipt", data=receipt(1, 1)),
            EventItem(id="2:0", kind="block", data=blocks[2]),
            EventItem(id="3:0", kind="block", data=blocks[3]),
            EventItem(id="3:1", kind="transaction", data=transaction(2)),
            EventItem(id="3:2", kind="receipt", data=receipt(3, 0)),
            EventItem(id="3:3", kind="receipt", data=receipt(3, 1)),
        ),
        next="3:3",
        last=3,
    )


@pytest.mark.parametrize("limit", [1, 2, 3, 4, 7])
def test_pages_of_any_size_tell_the_same(limit: int) -> None:
    chain, _ = busy()
    everything = chain.ask("event.list", EventList()).items
    found: list[EventItem] = []
    cursor = ""
    while page := chain.ask("event.list", EventList(after=cursor, limit=limit)).items:
        assert len(page) <= limit
        found.extend(page)
        cursor = page[-1].id
    assert tuple(found) == everything


@pytest.mark.parametrize(
    "kinds", ["block", "receipt", "transaction,block", "receipt,transaction", "block,transaction,receipt"]
)
@pytest.mark.parametrize("limit", [1, 2, 50])
def test_pages_of_some_kinds_leave_out_the_others_and_pass_over_them(kinds: str, limit: int) -> None:
    chain, _ = busy()
    wanted = [item for item in chain.ask("event.list", EventList()).items if item.kind in kinds.split(",")]
    found: list[EventItem] = []
    cursor = ""
    while True:
        page = chain.ask("event.list", EventList(after=cursor, limit=limit, kinds=kinds))
        if page.next == cursor:
            break
        found.extend(page.items)
        cursor = page.next
    assert page.items == ()
    assert found == wanted
    assert {item.kind for item in found} == set(kinds.split(","))
    chain.final()
    later = chain.ask("event.list", EventList(after=cursor, kinds=kinds))
    assert [item.id for item in later.items] == (["4:0"] if "block" in kinds else [])


def test_at_the_head_a_page_is_empty_and_keeps_the_cursor() -> None:
    chain, _ = busy()
    assert chain.ask("event.list", EventList(after="3:3")) == EventPage(items=(), next="3:3", last=3)
    assert chain.ask("event.list", EventList(after="3:999999999")) == EventPage(items=(), next="3:999999999", last=3)
    assert chain.ask("event.list", EventList(after="4:0")) == EventPage(items=(), next="4:0", last=3)
    chain.final()
    assert [item.id for item in chain.ask("event.list", EventList(after="3:999999999")).items] == ["4:0"]


def test_a_new_chain_has_no_events_yet() -> None:
    chain = Chain()
    assert chain.ask("event.list", EventList()) == EventPage(items=(), next="", last=0)
    assert chain.ask("event.list", EventList(after="0:999999999")) == EventPage(items=(), next="0:999999999", last=0)
    chain.final()
    assert [item.id for item in chain.ask("event.list", EventList(after="0:999999999")).items] == ["1:0"]


def test_a_page_ends_early_where_much_is_read() -> None:
    chain, _ = busy()
    page = chain.ask_reading("event.list", EventList(), bytes_max=1)
    assert page.next == "1:4"
    assert [item.id for item in page.items] == ["1:0", "1:1", "1:2", "1:3", "1:4"]


def test_events_no_longer_kept_are_not_skipped_in_silence() -> None:
    chain, _ = busy()
    del chain.blocks.blocks[1]
    Chain.again(chain)
    assert chain.ask("event.list", EventList(after="1:2")) == ApiError(
        ApiRefusal.PRUNED, "events after 1:2; kept: from block 2 on"
    )
    assert chain.ask("event.list", EventList(after="1:999999999")).items[0].id == "2:0"
    assert chain.ask("event.list", EventList()).items[0].id == "2:0"


@pytest.mark.parametrize("cursor", ["3", "3:", ":3", "a:1", "1:-1", "1:1:1", "1:9999999999"])
def test_a_cursor_that_is_none(cursor: str) -> None:
    chain, _ = busy()
    assert chain.ask("event.list", EventList(after=cursor)) == ApiError(
        ApiRefusal.INVALID_ARGUMENTS, f"cursor {cursor!r} is not height:index"
    )
