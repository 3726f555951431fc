"""The state cut for others: in turns, as of one height, whatever becomes final meanwhile."""

from collections.abc import Iterator

import pytest
from tests.unit.node.requests.world import Chain

from metanode.chain.sync import Cut
from metanode.ledger.state import covers_all
from metanode.node import snapshots
from metanode.node.snapshots import StateSnapshots, verify_piece
from metanode.records.amount import amount_bytes
from metanode.records.calls import CoinTransfer


def pay(chain: Chain, number: int) -> None:
    """One more block, one more account, another balance of alice."""
    to = bytes(16) + number.to_bytes(4, "big")
    chain.final(chain.transaction("alice", CoinTransfer(coin="BPI", to=to, amount=amount_bytes(1))))


def test_a_state_is_cut_in_turns_as_of_one_height_while_blocks_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """SYNC-10. Found by review: a million keys were read and sorted in one turn of four seconds."""
    monkeypatch.setattr(snapshots, "READ_ENTRIES", 4)
    monkeypatch.setattr(snapshots, "TURN_ENTRIES", 8)
    chain = Chain()
    for number in range(20):
        pay(chain, number)
    header = chain.desk.tip.header[0]
    state = dict(chain.desk.ledger.scan(b""))
    cutting = StateSnapshots(chain.desk).cut(0)
    turns = 0
    while (cut := next(cutting)) is None:
        turns += 1
        pay(chain, 100 + turns)
    assert turns >= len(state) // 8
    assert isinstance(cut, Cut)
    assert (cut.header, cut.commit.height) == (header, 20)
    assert dict(pair for pairs, _ in cut.pieces.values() for pair in pairs) == state
    assert covers_all(sorted(cut.pieces))
    assert all(verify_piece(header.state_root, prefix, *piece) for prefix, piece in cut.pieces.items())
    assert next(cutting, None) is None


def test_a_turn_reads_no_more_than_it_may(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshots, "READ_ENTRIES", 4)
    monkeypatch.setattr(snapshots, "TURN_ENTRIES", 8)
    chain = Chain()
    for number in range(20):
        pay(chain, number)
    seen = 0
    scan = chain.desk.ledger.scan

    def counted(prefix: bytes) -> Iterator[tuple[bytes, bytes]]:
        nonlocal seen
        for pair in scan(prefix):
            seen += 1
            yield pair

    monkeypatch.setattr(chain.desk.ledger, "scan", counted)
    before = 0
    for _ in StateSnapshots(chain.desk).cut(0):
        assert seen - before <= 8
        before = seen
    assert seen == len(dict(scan(b"")))


def test_what_is_too_large_or_not_the_last_height_is_not_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    chain = Chain()
    pay(chain, 1)
    pay(chain, 2)
    maker = StateSnapshots(chain.desk)
    assert list(maker.cut(1)) == []
    assert len(list(maker.cut(2))) == 1
    monkeypatch.setattr(snapshots, "piece_fits", lambda *_: False)
    assert list(StateSnapshots(chain.desk).cut(0)) == []
    monkeypatch.undo()
    monkeypatch.setattr(snapshots, "CUT_BYTES_MAX", 100)
    assert list(maker.cut(0)) == []
    monkeypatch.undo()
    assert list(maker.cut(0)) == [], "it is not read again for a while"
