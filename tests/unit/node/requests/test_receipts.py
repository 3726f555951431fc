"""Receipts: one, many, and as files that prove themselves."""

import pytest
from tests.unit.ledger.test_conviction import double_vote
from tests.unit.ledger.world import adding, address
from tests.unit.node.requests.world import Chain, pairing

from metanode.api.errors import ApiError, ApiRefusal
from metanode.api.plain import plain
from metanode.api.receipt_names import receipt_name
from metanode.api.transactions import (
    OriginView,
    ReceiptExport,
    ReceiptGet,
    ReceiptList,
    ReceiptPage,
    ReceiptView,
)
from metanode.chain.light import GenesisBasis, LightRefusal, verify_receipt_bytes
from metanode.primitives.refusal import Rejected
from metanode.records.calls import CoinTransfer
from metanode.records.evidence import evidence_digest
from metanode.records.receipt import RECEIPTS
from metanode.records.receipt_file import RECEIPT_FILES


def pay(to: str, amount: int) -> CoinTransfer:
    return CoinTransfer(coin="BPI", to=address(to), amount=amount.to_bytes(2, "big").lstrip(b"\0"))


def three_blocks() -> Chain:
    """A transfer that pays a fee, an empty block, evidence with a transfer of carol that fails."""
    chain = Chain()
    chain.final(chain.transaction("alice", pay("bob", 42), fee=3), chain.transaction("bob", pay("carol", 1)))
    chain.final()
    chain.final(chain.transaction("carol", pay("alice", 900)), evidence=(double_vote(3),))
    return chain


def view(chain: Chain, height: int, index: int, origin: OriginView) -> ReceiptView:
    encoded = (chain.desk.shelf.receipts(height) or ())[index]
    receipt = RECEIPTS.decode(encoded)
    return ReceiptView(
        receipt=receipt_name(height, index),
        height=height,
        index=index,
        origin=origin,
        succeeded=receipt.status == 1,
        code=receipt.code,
        work=receipt.work,
        events=tuple(plain(event) for event in receipt.events),
        results=(),
        encoded=encoded.hex(),
    )


def system(module: str, sequence: int = 0) -> OriginView:
    return OriginView(kind="system", identity="", authorizations_digest="", module=module, sequence=sequence)


def test_one_receipt_of_each_origin() -> None:
    chain = three_blocks()
    block = chain.desk.shelf.block(1)
    assert block is not None
    first = chain.ask("receipt.get", ReceiptGet(receipt=receipt_name(1, 0)))
    assert first == view(chain, 1, 0, first.origin)
    assert first.origin.kind == "transaction"
    assert first == chain.ask("receipt.get", ReceiptGet(receipt=first.origin.identity))
    assert first.events[-1] == plain(RECEIPTS.decode(bytes.fromhex(first.encoded)).events[-1])
    assert chain.ask("receipt.get", ReceiptGet(receipt=receipt_name(1, 2))) == view(chain, 1, 2, system("coin"))
    evidence = OriginView(
        kind="evidence",
        identity=evidence_digest(double_vote(3)).hex(),
        authorizations_digest="",
        module="",
        sequence=0,
    )
    assert chain.ask("receipt.get", ReceiptGet(receipt=receipt_name(3, 0))) == view(chain, 3, 0, evidence)


def test_receipts_that_are_not_there() -> None:
    chain = three_blocks()
    assert chain.ask("receipt.get", ReceiptGet(receipt=receipt_name(2, 0))) == ApiError(
        ApiRefusal.NOT_FOUND, "block 2 has no receipt 0"
    )
    assert chain.ask("receipt.get", ReceiptGet(receipt=receipt_name(4, 0))).code == ApiRefusal.BEYOND_HEAD
    assert chain.ask("receipt.get", ReceiptGet(receipt="ab" * 32)) == ApiError(
        ApiRefusal.NOT_FOUND, f"transaction {'ab' * 32} is not final here"
    )
    name = receipt_name(1, 0)
    mistyped = name[:-1] + ("0" if name[-1] != "0" else "1")
    assert chain.ask("receipt.get", ReceiptGet(receipt=mistyped)).code == ApiRefusal.INVALID_ARGUMENTS


def places(page: ReceiptPage) -> list[tuple[int, int]]:
    return [(item.height, item.index) for item in page.items]


def test_all_receipts_page_by_page() -> None:
    chain = three_blocks()
    everything = chain.ask("receipt.list", ReceiptList())
    assert places(everything) == [(1, 0), (1, 1), (1, 2), (3, 0), (3, 1)]
    assert everything.next == ""
    first = chain.ask("receipt.list", ReceiptList(limit=2))
    assert (places(first), first.next) == ([(1, 0), (1, 1)], "1:2")
    second = chain.ask("receipt.list", ReceiptList(limit=2, cursor=first.next))
    assert (places(second), second.next) == ([(1, 2), (3, 0)], "3:1")
    assert second.items == everything.items[2:4]
    third = chain.ask("receipt.list", ReceiptList(limit=2, cursor=second.next))
    assert (places(third), third.next) == ([(3, 1)], "")


def test_receipts_by_heights() -> None:
    chain = three_blocks()
    assert places(chain.ask("receipt.list", ReceiptList(first=2))) == [(3, 0), (3, 1)]
    assert places(chain.ask("receipt.list", ReceiptList(last=2))) == [(1, 0), (1, 1), (1, 2)]
    assert places(chain.ask("receipt.list", ReceiptList(first=9))) == []
    assert chain.ask("receipt.list", ReceiptList(cursor="9")) == ApiError(
        ApiRefusal.INVALID_ARGUMENTS, "cursor '9' is not height:index"
    )


def test_receipts_of_an_account() -> None:
    chain = three_blocks()
    assert places(chain.ask("receipt.list", ReceiptList(account="bob"))) == [(1, 0), (1, 1)]
    assert places(chain.ask("receipt.list", ReceiptList(account="bob", first=2))) == []
    assert places(chain.ask("receipt.list", ReceiptList(account="carol"))) == [(1, 1), (3, 1)]  # the last one failed
    first = chain.ask("receipt.list", ReceiptList(account="bob", limit=1))
    assert (places(first), first.next) == ([(1, 0)], "1:1")
    assert places(chain.ask("receipt.list", ReceiptList(account="bob", cursor=first.next))) == [(1, 1)]
    assert chain.ask("receipt.list", ReceiptList(account="mallory")).code == ApiRefusal.NOT_FOUND


def test_a_page_ends_early_where_much_is_read_and_goes_on() -> None:
    chain = three_blocks()
    first = chain.ask_reading("receipt.list", ReceiptList(), bytes_max=1)
    assert (places(first), first.next) == ([(1, 0)], "1:1")


def test_a_page_ends_early_where_many_empty_blocks_are_passed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("metanode.node.requests.receipts.BLOCKS_SCANNED_MAX", 2)
    chain = Chain()
    for _ in range(3):
        chain.final()
    chain.final(chain.transaction("alice", pay("bob", 1)))
    pages = [chain.ask("receipt.list", ReceiptList())]
    while pages[-1].next:
        pages.append(chain.ask("receipt.list", ReceiptList(cursor=pages[-1].next)))
    assert [(places(page), page.next) for page in pages] == [([], "3:0"), ([(4, 0)], "")]


def exported(chain: Chain, receipt: str) -> bytes:
    return bytes.fromhex(chain.ask("receipt.export", ReceiptExport(receipt=receipt)).file)


def test_a_file_proves_itself_from_genesis() -> None:
    chain = three_blocks()
    basis = GenesisBasis(chain.genesis)
    for height, index, transactions in ((1, 0, 1), (1, 1, 1), (1, 2, 0), (3, 0, 0), (3, 1, 1)):
        proved = verify_receipt_bytes(exported(chain, receipt_name(height, index)), basis, pairing)
        assert (proved.height, proved.receipt.index, len(proved.transaction)) == (height, index, transactions)
        assert (proved.signers, proved.seats, proved.set_changes) == (3, 4, 0)


def test_a_file_carries_every_set_change_below() -> None:
    chain = Chain()
    chain.vote_in(adding(4))
    chain.vote_in(adding(5))
    sent = chain.transaction("alice", pay("bob", 7))
    chain.final(sent)
    proved = verify_receipt_bytes(exported(chain, sent.identity.hex()), GenesisBasis(chain.genesis), pairing)
    assert (proved.set_changes, proved.seats, proved.signers) == (2, 6, 4)
    assert proved.receipt.events == RECEIPTS.decode((chain.desk.shelf.receipts(5) or ())[0]).events
    early = verify_receipt_bytes(exported(chain, receipt_name(2, 0)), GenesisBasis(chain.genesis), pairing)
    assert (early.set_changes, early.seats) == (0, 4)


def test_one_byte_of_the_receipt_changed_fails_at_inclusion() -> None:
    chain = three_blocks()
    file = exported(chain, receipt_name(1, 2))
    receipt = RECEIPT_FILES.decode(file).steps[0].receipt  # type: ignore[union-attr]
    place = file.index(receipt) + len(receipt) - 3
    tampered = file[:place] + bytes([file[place] ^ 1]) + file[place + 1 :]
    with pytest.raises(Rejected) as refused:
        verify_receipt_bytes(tampered, GenesisBasis(chain.genesis), pairing)
    assert refused.value.reason is LightRefusal.INCLUSION


def test_a_file_that_would_be_too_long_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("metanode.node.requests.exports.STEPS_MAX", 3)
    answered = three_blocks().ask("receipt.export", ReceiptExport(receipt=receipt_name(1, 0)))
    assert answered.code == ApiRefusal.CONFLICT
    assert "the set has changed too often for one file" in answered.detail


def test_a_file_of_a_pruned_block_cannot_be_made() -> None:
    chain = three_blocks()
    del chain.blocks.blocks[1]
    Chain.again(chain)
    assert chain.ask("receipt.export", ReceiptExport(receipt=receipt_name(1, 0))).code == ApiRefusal.PRUNED
    for row in [row for row in chain.rows.values if row[:1] == b"r"]:
        del chain.rows.values[row]
    Chain.again(chain)
    assert chain.ask("receipt.get", ReceiptGet(receipt=receipt_name(1, 0))) == ApiError(
        ApiRefusal.PRUNED, "the receipts of block 1 are not kept"
    )
