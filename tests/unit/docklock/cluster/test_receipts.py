"""CLUSTER-9. What the chain says of a node's receipts: their numbers, their root, and whose they are."""

import pytest
from tests.unit.docklock.cluster.town import NO_RECEIPTS, OWNER, Town
from tests.unit.ledger.world import address

from metanode.docklock.cluster.refusals import ClusterRefusal
from metanode.primitives.refusal import Rejected
from metanode.records.cluster import RECEIPTS_MAX, ClusterValueRefusal, ReceiptBatch, check_report
from metanode.records.cluster_calls import ClusterMark
from metanode.records.cluster_events import ReceiptsPinned
from metanode.records.demand import DemandRefusal


def batch(first: int, count: int, root: bytes = b"\x11") -> ReceiptBatch:
    return ReceiptBatch(first=first, count=count, root=root * 32)


def test_a_batch_is_pinned_for_the_account_of_the_node_that_reports_it() -> None:
    town = Town()
    town.does("node-2", town.report("node-2", receipts=batch(0, 3)))
    assert town.said(ReceiptsPinned) == [
        ReceiptsPinned(
            cluster="shop", node="node-2", account=address("node-2"), first=0, count=3, root=b"\x11" * 32
        )
    ]  # fmt: skip
    assert (town.share("node-2").receipts, town.share("node-2").pinned) == (3, batch(0, 3))


def test_the_last_batch_is_remembered_through_reports_without_one() -> None:
    town = Town()
    town.does("node-2", town.report("node-2", receipts=batch(0, 3)))
    town.does("node-2", town.report("node-2", receipts=batch(3, 1, b"\x22")))
    town.does("node-2", town.report("node-2"))
    town.said(ReceiptsPinned)
    assert (town.share("node-2").receipts, town.share("node-2").pinned) == (4, batch(3, 1, b"\x22"))
    assert (town.share("node-1").receipts, town.share("node-1").pinned) == (0, NO_RECEIPTS)


def test_numbers_follow_one_another_without_gap_and_without_repetition() -> None:
    town = Town()
    town.does("node-2", town.report("node-2", receipts=batch(0, 3)))
    for first in (0, 2, 4):
        assert town.refuses("node-2", town.report("node-2", receipts=batch(first, 1))) == ClusterRefusal.RECEIPT_GAP
    assert town.refuses("node-1", town.report("node-2", receipts=batch(3, 1))) == ClusterRefusal.OTHER_NODE
    assert town.share("node-2").pinned == batch(0, 3)


def test_a_node_that_was_removed_and_let_in_again_goes_on_where_it_was() -> None:
    town = Town()
    town.does("node-2", town.report("node-2", receipts=batch(0, 3)))
    town.does(OWNER, ClusterMark(cluster="shop", node="node-2", mark="removed"))
    town.enter("node-2")
    town.said(ReceiptsPinned)
    town.does("node-2", town.report("node-2", receipts=batch(3, 2, b"\x22")))
    assert [(one.first, one.count) for one in town.said(ReceiptsPinned)] == [(3, 2)]
    assert town.share("node-2").receipts == 5
    assert town.refuses("node-2", town.report("node-2", receipts=batch(6, 1))) == ClusterRefusal.RECEIPT_GAP
    town.does("node-2", town.report("node-2", receipts=batch(5, 1)))


def test_a_batch_has_a_root_and_a_bounded_number_of_receipts() -> None:
    check_report((), batch(0, RECEIPTS_MAX))
    check_report((), NO_RECEIPTS)
    for wrong, code in (
        (batch(0, RECEIPTS_MAX + 1), DemandRefusal.OUT_OF_RANGE),
        (batch(0, -1), DemandRefusal.OUT_OF_RANGE),
        (batch(-1, 1), ClusterValueRefusal.BAD_COUNT),
        (batch(0, 0), ClusterValueRefusal.BAD_COUNT),
        (ReceiptBatch(first=0, count=1, root=bytes(32)), ClusterValueRefusal.BAD_COUNT),
    ):
        with pytest.raises(Rejected) as rejected:
            check_report((), wrong)
        assert rejected.value.reason == code
