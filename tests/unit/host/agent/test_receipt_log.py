"""The log of a node's receipts: nothing acknowledged is lost, whatever is torn, lost, put back or changed is seen."""

import itertools
import os

import pytest
from msgspec.structs import replace
from tests.unit.docklock.receipts.samples import (
    NODE_KEY,
    NOW_MS,
    OTHER_KEY,
    PAIRING,
    author,
    basis,
    chain_file,
    happening,
    pinned,
    refusal,
    written,
)
from tests.unit.host.disks import Killed, KilledDisk, LossyDisk

from metanode.docklock.receipts import batch_of, check_in_batch, follow, path_in, verify_workload_receipt
from metanode.docklock.receipts.chain import NO_ENTRIES, after
from metanode.host import block_log
from metanode.host.agent import receipt_log
from metanode.host.agent.receipt_log import RECEIPTS, ReceiptLog
from metanode.host.block_log import BlockLog
from metanode.host.disk import Disk
from metanode.host.fault import Fault, FaultReason
from metanode.host.segment import FRAME_BYTES, HEADER_BYTES
from metanode.primitives.codec import encode
from metanode.records.cluster import NO_RECEIPTS, RECEIPTS_MAX
from metanode.records.workload_receipt import EntryRefusal, SignedEntry, entry_digest


def salt(count):
    return bytes(range(count))


def opened(folder, disk=None, by=None, key=NODE_KEY):
    return ReceiptLog(folder, disk or Disk(), salt, by or author(key), key.sign)


def steps(first, count):
    """So many happenings, no two the same."""
    return [happening("started" if n % 2 else "exited", time_ms=n + 1) for n in range(first, first + count)]


def filled(folder, count, disk=None):
    """A log with so many entries, one append each."""
    log = opened(folder, disk)
    for number in range(log.count, count):
        log.append(steps(number, 1))
    return log


def fault(do, *arguments):
    with pytest.raises(Fault) as caught:
        do(*arguments)
    assert caught.value.detail
    assert caught.value.fix
    return caught.value.reason


@pytest.fixture
def small_segments(monkeypatch):
    monkeypatch.setattr(block_log, "SEGMENT_BYTES", 3_000)


def test_an_empty_log_has_nothing_and_reports_nothing(tmp_path):
    log = opened(tmp_path / "r")
    assert (log.count, log.cut_bytes, log.read(0, 9), log.next_batch(0)) == (0, 0, (), NO_RECEIPTS)
    assert log.append([]) == ()
    assert log.verify() == 0
    log.check_pinned(NO_RECEIPTS)
    log.close()
    assert opened(tmp_path / "r").count == 0


def test_numbering_and_chain_go_on_after_a_restart(tmp_path, small_segments):
    expected = written(*steps(0, 30))
    log = opened(tmp_path / "r")
    assert log.append(steps(0, 4)) == tuple(expected[:4])
    assert log.append(steps(4, 1)) == (expected[4],)
    log.close()
    for number in range(5, 30):
        log = opened(tmp_path / "r")
        assert log.count == number
        assert log.append(steps(number, 1)) == (expected[number],)
        log.close()
    log = opened(tmp_path / "r")
    assert log.read(0, 100) == tuple(expected)
    assert log.read(7, 3) == tuple(expected[7:10])
    assert log.read(5) == (expected[5],)
    assert log.read(29) == (expected[29],)
    assert log.read(30) == ()
    assert len(list((tmp_path / "r").glob("*.receipts"))) > 3
    assert log.verify() == 30
    assert follow(author(), NO_ENTRIES, log.read(0, 30)) == after(expected[-1])


def test_what_says_too_little_is_not_written_nor_what_came_with_it(tmp_path):
    log = opened(tmp_path / "r")
    wrong = [*steps(0, 2), happening("killed", details=())]
    assert refusal(log.append, wrong) == EntryRefusal.MISSING
    assert log.count == 0
    assert log.append(steps(0, 1)) == tuple(written(*steps(0, 1)))


def test_the_file_of_an_entry_proves_it_offline(tmp_path):
    log = filled(tmp_path / "r", 7)
    batch = log.next_batch(0)
    data = log.file(4, batch, chain_file(pinned(batch)))
    assert verify_workload_receipt(data, basis(), PAIRING).signed == log.read(4)[0]


# --- batches and what the chain has pinned ----------------------------------------------------------------------------


def test_batches_follow_what_is_pinned(tmp_path):
    log = filled(tmp_path / "r", 7)
    entries = log.read(0, 7)
    for number in range(7):
        assert log.next_batch(number) == batch_of(entries[number:])
    assert log.next_batch(7) == NO_RECEIPTS


def test_a_batch_has_at_most_so_many_and_the_rest_comes_next(tmp_path):
    log = opened(tmp_path / "r")
    entries = log.append(steps(0, RECEIPTS_MAX + 3))
    first = log.next_batch(0)
    assert (first.first, first.count) == (0, RECEIPTS_MAX)
    second = log.next_batch(RECEIPTS_MAX)
    assert (second.first, second.count) == (RECEIPTS_MAX, 3)
    for number, batch in ((0, first), (RECEIPTS_MAX - 1, first), (RECEIPTS_MAX, second), (RECEIPTS_MAX + 2, second)):
        some = entries[batch.first : batch.first + batch.count]
        check_in_batch(entries[number], batch, path_in(some, number))
    assert len(log.read(0, 5_000)) == receipt_log.READ_MAX


def test_a_log_that_has_what_is_pinned_goes_on(tmp_path):
    log = filled(tmp_path / "r", 7)
    entries = log.read(0, 7)
    for first, stop in ((0, 1), (0, 7), (3, 5)):
        log.check_pinned(batch_of(entries[first:stop]))


def test_a_log_that_lost_what_is_pinned_does_not_go_on(tmp_path):
    whole = filled(tmp_path / "a", 7)
    copy = filled(tmp_path / "b", 4)
    with pytest.raises(Fault, match=r"pinned 7 receipts of node-2, .* holds 4") as caught:
        copy.check_pinned(whole.next_batch(3))
    assert caught.value.reason is FaultReason.RECEIPTS_LOST
    copy.append(steps(40, 5))
    assert copy.count > whole.count
    assert fault(copy.check_pinned, whole.next_batch(3)) is FaultReason.RECEIPTS_LOST, "other entries in their place"
    copy.check_pinned(batch_of(whole.read(0, 4)))


# --- dropping what is old ---------------------------------------------------------------------------------------------


def test_the_oldest_that_are_pinned_are_dropped_and_when_is_remembered(tmp_path, small_segments):
    log = filled(tmp_path / "r", 30)
    expected = log.read(0, 100)
    size = sum(path.stat().st_size for path in (tmp_path / "r").glob("*.receipts"))
    log.prune(size, 30, NOW_MS)
    assert (log.first, log.dropped_ms) == (0, 0), "it is not larger than it may be"
    log.prune(size // 2, 30, NOW_MS)
    assert 0 < log.first < 30
    left = sum(path.stat().st_size for path in (tmp_path / "r").glob("*.receipts"))
    assert left <= size // 2
    assert log.dropped_ms == NOW_MS
    assert log.read(0, 100) == expected[log.first :]
    assert log.verify() == 30
    log.close()
    again = opened(tmp_path / "r")
    assert (again.first, again.dropped_ms, again.count) == (log.first, NOW_MS, 30)
    assert again.append(steps(30, 1))[0].entry.number == 30


def test_what_is_not_pinned_is_never_dropped(tmp_path, small_segments):
    log = filled(tmp_path / "r", 30)
    log.prune(0, 0, NOW_MS)
    assert (log.first, log.dropped_ms) == (0, 0)
    log.prune(0, 12, NOW_MS)
    assert 0 < log.first <= 12
    assert log.next_batch(12).first == 12


def test_a_batch_that_is_dropped_is_not_missed(tmp_path, small_segments):
    """The chain's last batch is compared where it is kept; what was dropped before was pinned."""
    log = filled(tmp_path / "r", 30)
    early, late = log.next_batch(0), batch_of(log.read(25, 3))
    log.prune(0, 25, NOW_MS)
    assert log.first > 0
    log.check_pinned(early)
    log.check_pinned(late)
    assert fault(log.check_pinned, replace(late, root=bytes([1] * 32))) is FaultReason.RECEIPTS_LOST


# --- the disk ---------------------------------------------------------------------------------------------------------


def test_a_torn_end_is_cut_and_said_at_every_byte(tmp_path):
    filled(tmp_path / "r", 3).close()
    (path,) = (tmp_path / "r").glob("*.receipts")
    data = path.read_bytes()
    last = len(data) - FRAME_BYTES - len(encode(written(*steps(0, 3))[2]))
    for length in range(last, len(data), 7):
        path.write_bytes(data[:length])
        log = opened(tmp_path / "r")
        assert (log.count, log.cut_bytes) == (2, length - last)
        assert log.verify() == 2
        log.close()


def test_killed_at_every_call_nothing_acknowledged_is_lost(tmp_path, small_segments):
    def work(folder, disk, told):
        log = opened(folder, disk)
        try:
            for number in range(0, 12, 2):
                told.extend(log.append(steps(number, 2)))
        finally:
            os.close(log._lock)  # as the end of a process does

    counting = KilledDisk()
    work(tmp_path / "count", counting, [])
    for calls, torn in itertools.product(range(counting.done), (0, 50, 1 << 20)):
        told: list[SignedEntry] = []
        folder = tmp_path / f"{calls}-{torn}"
        with pytest.raises(Killed):
            work(folder, KilledDisk(calls, torn), told)
        log = opened(folder)
        assert log.read(0, 100)[: len(told)] == tuple(told), (calls, torn)
        assert log.verify() == log.count
        log.append(steps(50, 1))
        log.close()


def test_whatever_the_power_takes_was_not_acknowledged(tmp_path):
    for count in range(6):
        folder = tmp_path / str(count)
        folder.mkdir()
        disk = LossyDisk(folder)
        log = filled(folder, count, disk)
        told = log.read(0, 100)
        log.close()
        disk.lose_power()
        again = opened(folder)
        assert (again.count, again.read(0, 100)) == (count, told)
        again.close()


def test_after_a_fault_nothing_is_appended(tmp_path):
    class Failing(Disk):
        fails = False

        def sync(self, file):
            if self.fails:
                raise Fault(FaultReason.DISK_FAILED, "syncing", "check the disk")
            super().sync(file)

    disk = Failing()
    log = filled(tmp_path / "r", 2, disk)
    disk.fails = True
    assert fault(log.append, steps(2, 1)) is FaultReason.DISK_FAILED
    disk.fails = False
    assert log.count == 2
    assert fault(log.append, steps(2, 1)) is FaultReason.RECEIPTS_DAMAGED
    assert log.next_batch(0).count == 2, "what nobody knows to be durable is not reported"


def test_one_writer_at_a_time(tmp_path):
    log = opened(tmp_path / "r")
    assert fault(opened, tmp_path / "r") is FaultReason.DIRECTORY_LOCKED
    log.close()
    opened(tmp_path / "r").close()


# --- damage and deceit ------------------------------------------------------------------------------------------------


def test_a_log_of_somebody_else_is_not_written_on(tmp_path):
    filled(tmp_path / "r", 2).close()
    for by, key in (
        (author(node="node-3"), NODE_KEY),
        (author(cluster="yard"), NODE_KEY),
        (author(chain_id=bytes(32)), NODE_KEY),
        (author(OTHER_KEY), OTHER_KEY),
    ):
        assert fault(opened, tmp_path / "r", None, by, key) is FaultReason.RECEIPTS_OTHER_NODE
    assert opened(tmp_path / "r").count == 2


def test_a_rotten_byte_is_a_fault_and_not_a_shorter_log(tmp_path):
    filled(tmp_path / "r", 5).close()
    (path,) = (tmp_path / "r").glob("*.receipts")
    data = bytearray(path.read_bytes())
    data[HEADER_BYTES + FRAME_BYTES + 100] ^= 1
    path.write_bytes(data)
    assert fault(opened, tmp_path / "r") is FaultReason.RECEIPTS_DAMAGED
    assert path.read_bytes() == bytes(data)


def rewritten(folder, entries):
    """A log that somebody wrote who knows the format, frames, checksums and all."""
    log = BlockLog(folder, Disk(), salt, RECEIPTS)
    for number, one in enumerate(entries):
        log.append(number, one if isinstance(one, bytes) else encode(one))
    log.close()


@pytest.mark.parametrize("number", range(5))
def test_an_entry_that_was_changed_is_seen_at_opening(tmp_path, number):
    entries = written(*steps(0, 5))
    wrong: list[SignedEntry | bytes] = list(entries)
    wrong[number] = replace(entries[number], entry=replace(entries[number].entry, time_ms=9_999))
    rewritten(tmp_path / "a", wrong)
    assert fault(opened, tmp_path / "a") is FaultReason.RECEIPTS_DAMAGED
    wrong[number] = b"\x90"
    rewritten(tmp_path / "b", wrong)
    assert fault(opened, tmp_path / "b") is FaultReason.RECEIPTS_DAMAGED


def test_an_old_signature_that_was_changed_is_seen_by_who_reads_all(tmp_path):
    """The last one is checked at opening, as the chain is; what others signed in between, only on demand."""
    unsigned = [replace(one, signature=bytes(64)) for one in written(*steps(0, 3))]
    entries = unsigned[:1]
    for one in unsigned[1:]:
        entry = replace(one.entry, previous=after(entries[-1]).previous)
        entries.append(replace(one, entry=entry, signature=bytes(64)))
    last = entries[-1]
    entries[-1] = replace(last, signature=NODE_KEY.sign(entry_digest(last.entry)))
    rewritten(tmp_path / "r", entries)
    log = opened(tmp_path / "r")
    assert log.count == 3
    assert fault(log.verify) is FaultReason.RECEIPTS_DAMAGED
