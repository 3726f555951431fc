"""Proofs of what is pinned: kept in their order, asked of the chain, shown by pages; every file on them verifies."""

import asyncio
import base64
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from tests.unit.docklock.receipts.samples import (
    NODE_KEY,
    PAIRING,
    author,
    basis,
    chain_file,
    happening,
    pinned,
)

from metanode.docklock.cluster.state import NO_SHARE, Share
from metanode.docklock.receipts import batch_of, verify_workload_receipt
from metanode.host import block_log
from metanode.host.agent.chain import ChainUnreachable
from metanode.host.agent.keeping import Keeper
from metanode.host.agent.pins import PINS, PinLog
from metanode.host.agent.receipt_log import RECEIPTS_BYTES_USUAL, ReceiptLog
from metanode.host.agent.receipt_pages import ITEMS_MAX, SCANNED_MAX, Asked, read_page
from metanode.host.agent.records import PinnedSoFar, Records
from metanode.host.block_log import BlockLog
from metanode.host.disk import Disk
from metanode.host.fault import Fault, FaultReason
from metanode.records.cluster import ReceiptBatch
from metanode.records.pinned_batch import PinnedBatch
from metanode.records.workload_receipt import SIGNED_ENTRIES

ALL = Asked(first=0, limit=ITEMS_MAX, workload="", index=-1, attempt=-1, files=True)


def salt(count: int) -> bytes:
    return bytes(range(count))


def opened(folder: Path) -> ReceiptLog:
    return ReceiptLog(folder / "receipts", Disk(), salt, author(), NODE_KEY.sign)


def pins_in(folder: Path) -> PinLog:
    return PinLog(folder / "pins", Disk(), salt)


def filled(folder: Path, count: int) -> ReceiptLog:
    """Entries of `web` and `db` in turn, replicas 0 to 2."""
    log = opened(folder)
    log.append(
        [happening(time_ms=n + 1, workload="db" if n % 2 else "web", index=n % 3) for n in range(log.count, count)]
    )
    return log


def proof(log: ReceiptLog, first: int, count: int, height: int = 5) -> PinnedBatch:
    batch = batch_of(log.read(first, count))
    return PinnedBatch(height=height, batch=batch, chain=chain_file(pinned(batch)))


# --- the log of proofs ------------------------------------------------------------------------------------------------


def test_the_proof_of_every_entry_is_found_after_a_restart(tmp_path: Path) -> None:
    log, pins = filled(tmp_path, 40), pins_in(tmp_path)
    assert (pins.next_entry, pins.height, pins.find(0)) == (0, 0, None)
    made = [proof(log, first, count, first + 1) for first, count in ((0, 1), (1, 6), (7, 1), (8, 20))]
    for one in made:
        pins.append(one)
    pins.close()
    again = pins_in(tmp_path)
    assert (again.next_entry, again.height, again.last_first) == (28, 9, 8)
    for one in made:
        for number in range(one.batch.first, one.batch.first + one.batch.count):
            assert again.find(number) == one
    assert again.find(28) is None


def test_a_proof_that_says_nothing_new_is_left_out(tmp_path: Path) -> None:
    log, pins = filled(tmp_path, 9), pins_in(tmp_path)
    pins.append(proof(log, 0, 6))
    pins.append(proof(log, 2, 3))
    assert pins.next_entry == 6
    pins.append(proof(log, 6, 3))
    found = pins.find(8)
    assert found is not None
    assert found.batch.first == 6


def test_proofs_of_what_was_dropped_are_dropped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(block_log, "SEGMENT_BYTES", 3_000)
    log, pins = filled(tmp_path, 40), pins_in(tmp_path)
    for first in range(0, 40, 2):
        pins.append(proof(log, first, 2))
    pins.prune(21)
    assert pins.find(2) is None
    for number in range(21, 40):
        assert pins.find(number) is not None, number


# --- asked of the chain -----------------------------------------------------------------------------------------------


class Pinning:
    """A chain that knows some batches, and notes what it is asked; `away`: so many questions before it answers."""

    def __init__(self, *known: PinnedBatch, away: int = 0) -> None:
        self.known = known
        self.away = away
        self.asked: list[tuple[int, int]] = []

    def pinning(self, number: int, above: int) -> PinnedBatch | None:
        self.asked.append((number, above))
        if self.away:
            self.away -= 1
            raise ChainUnreachable("nobody answers")
        for one in self.known:
            if one.height > above and one.batch.first <= number < one.batch.first + one.batch.count:
                return one
        return None


class Room:
    """A log with entries, proofs, and a keeper that asks this chain."""

    def __init__(self, folder: Path, log: ReceiptLog, chain: Pinning, bytes_max: int = RECEIPTS_BYTES_USUAL) -> None:
        self.log, self.pins, self.chain = log, pins_in(folder), chain
        self.records = Records(log, "sandbox", lambda: 0, lambda: 1_000)
        self.keeper = Keeper(self.records, self.pins, chain, bytes_max, lambda: 1_000)  # type: ignore[arg-type]

    def gets(self) -> bool:
        return asyncio.run(self.keeper.get())


def test_a_proof_is_looked_for_at_the_height_of_its_report(tmp_path: Path) -> None:
    log = filled(tmp_path, 9)
    room = Room(tmp_path, log, Pinning(proof(log, 0, 4, 12), proof(log, 4, 5, 30)))
    room.records.pinned.reported(replace(log.next_batch(0), count=4), 12)
    room.records.pinned.begin(9)
    assert room.gets()
    assert room.gets()
    assert room.chain.asked == [(0, 11), (4, 12)], "where that is not known, behind the one before"
    assert room.pins.next_entry == 9
    assert room.records.pinned.heights == {}


def test_a_wrong_height_is_forgotten_and_all_is_looked_through(tmp_path: Path) -> None:
    log = filled(tmp_path, 4)
    room = Room(tmp_path, log, Pinning(proof(log, 0, 4, 12)))
    room.records.pinned.reported(log.next_batch(0), 13)
    assert not room.gets()
    assert room.gets()
    assert room.chain.asked == [(0, 12), (0, 0)]


def test_a_chain_that_is_away_is_asked_again(tmp_path: Path) -> None:
    log = filled(tmp_path, 4)
    room = Room(tmp_path, log, Pinning(proof(log, 0, 4), away=1))
    room.records.pinned.begin(4)
    assert [room.gets(), room.gets()] == [False, True]


def test_what_the_log_does_not_hold_ends_the_agent(tmp_path: Path) -> None:
    log, other = filled(tmp_path / "a", 4), filled(tmp_path / "b", 9)
    room = Room(tmp_path / "a", log, Pinning(proof(other, 0, 9)))
    with pytest.raises(Fault) as caught:
        room.gets()
    assert caught.value.reason is FaultReason.RECEIPTS_LOST


def test_the_log_is_kept_within_its_bound_as_proofs_come(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(block_log, "SEGMENT_BYTES", 3_000)
    log = filled(tmp_path, 40)
    room = Room(tmp_path, log, Pinning(proof(log, 0, 20, 3), proof(log, 20, 20, 4)), bytes_max=4_000)
    assert room.gets()
    assert log.first == 0, "the last batch that is pinned stays"
    assert room.gets()
    assert 0 < log.first <= 20
    assert log.dropped_ms == 1_000


def test_the_keeper_gets_whatever_is_pinned_while_it_runs(tmp_path: Path) -> None:
    log = filled(tmp_path, 9)
    room = Room(tmp_path, log, Pinning(*(proof(log, n, 3, n + 1) for n in (0, 3, 6))))

    async def work() -> None:
        task = asyncio.create_task(room.keeper.run())
        for count in (3, 9):
            room.records.pinned.begin(count)
            while room.pins.next_entry < count:  # noqa: ASYNC110 - a log of proofs tells nobody
                await asyncio.sleep(0)
        task.cancel()

    asyncio.run(work())
    assert room.pins.next_entry == 9


# --- what the next report begins with ---------------------------------------------------------------------------------


def share(receipts: int, count: int = 1) -> Share:
    return replace(
        NO_SHARE, receipts=receipts, pinned=ReceiptBatch(first=receipts - count, count=count, root=b"r" * 32)
    )


def test_the_next_report_goes_on_where_the_chain_is() -> None:
    pinned = PinnedSoFar()
    pinned.heard(5, share(7))
    assert pinned.due == 7
    pinned.reported(ReceiptBatch(first=7, count=3, root=b"r" * 32), 9)
    assert pinned.due == 10
    pinned.heard(8, share(7))
    assert pinned.due == 10, "an older share leads nowhere back"
    pinned.heard(9, share(10))
    pinned.heard(12, share(14))
    assert (pinned.due, pinned.count) == (14, 14), "a report whose answer was lost"


def test_a_node_that_was_let_in_again_goes_on_where_it_was() -> None:
    """Removed and let in again, its share knows of no receipts; the process may be the same, or a new one."""
    pinned = PinnedSoFar()
    pinned.reported(ReceiptBatch(first=0, count=10, root=b"r" * 32), 9)
    pinned.heard(20, NO_SHARE)
    assert pinned.due == 10
    again = PinnedSoFar()
    again.begin(10)
    again.heard(20, NO_SHARE)
    assert again.due == 10
    again.heard(21, share(4, 4))
    assert again.due == 4, "what was pinned since it came in is gone on with"


# --- pages ------------------------------------------------------------------------------------------------------------


def pages(log: ReceiptLog, pins: PinLog, asked: Asked) -> Iterator[dict[str, Any]]:
    first = asked.first
    while first >= 0:
        page = read_page(log, pins, Asked(first, asked.limit, asked.workload, asked.index, asked.attempt, asked.files))
        yield page
        first = page["next"]


def numbers(log: ReceiptLog, pins: PinLog, asked: Asked) -> list[int]:
    items = [item for page in pages(log, pins, asked) for item in page["items"]]
    return [SIGNED_ENTRIES.decode(base64.b64decode(item["signed"])).entry.number for item in items]


def test_every_pinned_entry_comes_with_a_file_that_verifies(tmp_path: Path) -> None:
    log, pins = filled(tmp_path, 9), pins_in(tmp_path)
    pins.append(proof(log, 0, 4))
    pins.append(proof(log, 4, 3))
    page = read_page(log, pins, ALL)
    assert (page["count"], page["pinned"], page["next"], page["kept_from"]) == (9, 7, -1, 0)
    for number, item in enumerate(page["items"]):
        file = base64.b64decode(item["file"])
        if number < 7:
            assert verify_workload_receipt(file, basis(), PAIRING).signed == log.read(number)[0]
            assert item["height"] == 5
        else:
            assert (file, item["height"]) == (b"", 0), "not pinned yet"


@pytest.mark.parametrize(
    ("asked", "meant"),
    [
        ({}, lambda n: True),
        ({"workload": "web"}, lambda n: n % 2 == 0),
        ({"workload": "db", "index": 1}, lambda n: n % 2 == 1 and n % 3 == 1),
        ({"workload": "web", "attempt": 1, "first": 100}, lambda n: n % 2 == 0 and n >= 100),
        ({"workload": "web", "attempt": 2}, lambda n: False),
        ({"workload": "we"}, lambda n: False),
    ],
)
def test_pages_hold_what_is_meant_and_all_of_it(
    tmp_path: Path, asked: dict[str, Any], meant: Callable[[int], bool]
) -> None:
    count = SCANNED_MAX + 300
    log, pins = filled(tmp_path, count), pins_in(tmp_path)
    usual = {"first": 0, "limit": 100, "workload": "", "index": -1, "attempt": -1, "files": False}
    wanted = Asked(**{**usual, **asked})
    assert numbers(log, pins, wanted) == [n for n in range(count) if meant(n)]
    assert all(len(page["items"]) <= 100 for page in pages(log, pins, wanted))


def test_what_was_dropped_is_said_and_a_batch_that_is_half_there_proves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(block_log, "SEGMENT_BYTES", 3_000)
    log, pins = filled(tmp_path, 40), pins_in(tmp_path)
    pins.append(proof(log, 0, 30))
    pins.append(proof(log, 30, 10))
    log.prune(0, 30, 77)
    page = read_page(log, pins, ALL)
    assert (page["kept_from"], page["dropped_ms"]) == (log.first, 77)
    assert log.first > 0
    entries = [SIGNED_ENTRIES.decode(base64.b64decode(item["signed"])) for item in page["items"]]
    assert [one.entry.number for one in entries] == list(range(log.first, 40))
    for one, item in zip(entries, page["items"], strict=True):
        assert bool(item["file"]) == (one.entry.number >= 30)


def test_a_proof_that_cannot_be_read_is_a_fault(tmp_path: Path) -> None:
    log = BlockLog(tmp_path / "pins", Disk(), salt, PINS)
    log.append(0, b"no proof")
    log.close()
    with pytest.raises(Fault) as caught:
        pins_in(tmp_path)
    assert caught.value.reason is FaultReason.RECEIPTS_DAMAGED
