import itertools

import pytest
from tests.unit.host.disks import Killed, KilledDisk

from metanode.host import block_log
from metanode.host.block_log import BlockLog, repair
from metanode.host.disk import Disk
from metanode.host.fault import Fault, FaultReason
from metanode.host.segment import FRAME_BYTES, HEADER_BYTES


def salt(count):
    return bytes(range(count))


def block(height):
    return b"%d." % height * (height % 5 * 10 + 1)


def filled(folder, last, disk=None):
    log = BlockLog(folder, disk or Disk(), salt)
    for height in range(log.last + 1, last + 1):
        log.append(height, block(height))
    return log


def all_blocks(log):
    return [log.read(height) for height in range(log.first, log.last + 1)]


@pytest.fixture
def small_segments(monkeypatch):
    monkeypatch.setattr(block_log, "SEGMENT_BYTES", 300)


def test_an_empty_log_ends_before_it_begins(tmp_path):
    log = BlockLog(tmp_path / "b", Disk(), salt)
    assert (log.first, log.last, log.block(1), log.block(0)) == (1, 0, None, None)
    log.close()


def test_blocks_are_read_back_also_after_opening_again(tmp_path, small_segments):
    log = filled(tmp_path / "b", 40)
    assert all_blocks(log) == [block(h) for h in range(1, 41)]
    log.close()
    again = BlockLog(tmp_path / "b", Disk(), salt)
    assert (again.first, again.last) == (1, 40)
    assert [again.block(h) for h in reversed(range(1, 41))] == [block(h) for h in reversed(range(1, 41))]
    assert again.verify() == []
    again.append(41, b"next")
    again.close()
    assert filled(tmp_path / "b", 41).read(41) == b"next"


def test_a_log_of_many_segments_keeps_few_of_them_open(tmp_path, small_segments, monkeypatch):
    monkeypatch.setattr(block_log, "OPEN_SEGMENTS_MAX", 2)
    log = filled(tmp_path / "b", 60)
    for _ in range(2):
        assert all_blocks(log) == [block(h) for h in range(1, 61)]
    assert len(log._sealed) == 2
    log.close()


def test_pruning_drops_whole_segments_and_never_the_last(tmp_path, small_segments):
    log = filled(tmp_path / "b", 40)
    first = log.prune(20)
    assert 1 < first <= 20
    assert log.block(first - 1) is None
    assert all_blocks(log) == [block(h) for h in range(first, 41)]
    tail_first = log.prune(1_000)
    assert tail_first <= 40
    log.close()
    again = BlockLog(tmp_path / "b", Disk(), salt)
    assert (again.first, again.last) == (tail_first, 40)


def test_beginning_at_a_snapshot_drops_everything_before(tmp_path, small_segments):
    log = filled(tmp_path / "b", 40)
    log.restart(1_000)
    assert (log.first, log.last) == (1_000, 999)
    log.append(1_000, b"first")
    log.close()
    again = BlockLog(tmp_path / "b", Disk(), salt)
    assert (again.first, again.last, again.block(1_000)) == (1_000, 1_000, b"first")


def test_an_empty_log_begins_with_the_block_that_comes_first(tmp_path):
    log = BlockLog(tmp_path / "b", Disk(), salt)
    log.append(500, b"first after a snapshot")
    log.append(501, b"second")
    assert (log.first, log.last, log.block(1)) == (500, 501, None)
    log.close()
    again = BlockLog(tmp_path / "b", Disk(), salt)
    assert (again.first, again.last, again.block(501)) == (500, 501, b"second")


def test_a_torn_end_is_cut_at_every_byte(tmp_path):
    log = filled(tmp_path / "b", 3)
    log.sync()
    log.append(4, block(4))
    log.append(5, block(5))
    log.close()
    (path,) = (tmp_path / "b").iterdir()
    data = path.read_bytes()
    end5, end4 = len(data), len(data) - FRAME_BYTES - len(block(5))
    end3 = end4 - FRAME_BYTES - len(block(4))
    for length in range(end3, end5):
        path.write_bytes(data[:length])
        log = BlockLog(tmp_path / "b", Disk(), salt)
        assert (log.last, log.cut_bytes) == ((4, length - end4) if length >= end4 else (3, length - end3))
        assert all_blocks(log) == [block(h) for h in range(1, log.last + 1)]
        log.close()


def test_unsynced_blocks_may_arrive_in_any_order_but_synced_ones_may_not_vanish(tmp_path):
    log = filled(tmp_path / "b", 3)
    log.sync()
    end3 = log._tail.end
    for height in (4, 5, 6):
        log.append(height, block(height))
    log.sync()
    end6 = log._tail.end
    log.append(7, block(7))
    log.close()
    (path,) = (tmp_path / "b").iterdir()
    data = path.read_bytes()
    hole = data[:end3] + bytes(FRAME_BYTES) + data[end3 + FRAME_BYTES :]
    path.write_bytes(hole[:end6])  # 5 and 6 are whole, 4 is not: all three were one unsynced batch
    log = BlockLog(tmp_path / "b", Disk(), salt)
    assert log.last == 3
    log.close()
    path.write_bytes(hole)  # 7 was begun after 4 was durable
    with pytest.raises(Fault) as caught:
        BlockLog(tmp_path / "b", Disk(), salt)
    assert caught.value.reason is FaultReason.BLOCK_LOG_DAMAGED
    assert "blocks from 4 on" in caught.value.detail
    assert "bpi node repair" in caught.value.fix
    assert repair(tmp_path / "b", Disk(), salt) == 3
    log = BlockLog(tmp_path / "b", Disk(), salt)
    assert all_blocks(log) == [block(1), block(2), block(3)]
    assert len(list((tmp_path / "b").glob("*.damaged"))) == 1


def test_a_rotten_old_block_is_not_served_and_is_reported(tmp_path, small_segments):
    log = filled(tmp_path / "b", 40)
    log.close()
    path = min((tmp_path / "b").iterdir())
    data = bytearray(path.read_bytes())
    data[HEADER_BYTES + FRAME_BYTES] ^= 1
    path.write_bytes(data)
    log = BlockLog(tmp_path / "b", Disk(), salt)
    assert log.block(1) is None
    assert log.block(1) is None
    assert log.block(2) == block(2)
    assert log.damages == [f"block 1 in {path} is damaged"]
    assert len(log.verify()) == 1
    with pytest.raises(Fault, match=r"block-log\.damaged"):
        log.read(1)
    log.close()
    assert repair(tmp_path / "b", Disk(), salt) == 0
    log = BlockLog(tmp_path / "b", Disk(), salt)
    assert (log.first, log.last) == (1, 0)


def test_a_sealed_segment_that_ends_early_or_has_no_header_is_damage(tmp_path, small_segments):
    log = filled(tmp_path / "b", 40)
    log.close()
    paths = sorted((tmp_path / "b").iterdir())
    second = paths[1].read_bytes()
    paths[1].write_bytes(second[:-1])
    log = BlockLog(tmp_path / "b", Disk(), salt)
    gap = int(paths[2].stem) - 1
    assert log.block(gap) is None
    assert len(log.verify()) == 1
    log.close()
    paths[1].write_bytes(b"nothing")
    log = BlockLog(tmp_path / "b", Disk(), salt)
    assert log.block(gap) is None
    log.close()
    assert repair(tmp_path / "b", Disk(), salt) == int(paths[1].stem) - 1


def test_repairing_a_good_log_changes_nothing(tmp_path, small_segments):
    filled(tmp_path / "b", 40).close()
    assert repair(tmp_path / "b", Disk(), salt) == 40
    assert all_blocks(BlockLog(tmp_path / "b", Disk(), salt)) == [block(h) for h in range(1, 41)]
    assert repair(tmp_path / "none", Disk(), salt) == 0


def test_killed_at_every_call_no_synced_block_is_lost(tmp_path, small_segments):
    def work(folder, disk, synced):
        log = BlockLog(folder, disk, salt)
        for height in range(1, 13):
            log.append(height, block(height))
            if height % 3 == 0:
                log.sync()
                synced[0] = height
        synced[1] = 8
        log.prune(8)

    counting = KilledDisk()
    work(tmp_path / "count", counting, [0, 0])
    for calls, torn in itertools.product(range(counting.done), (0, 50, 1 << 20)):
        synced = [0, 0]
        folder = tmp_path / f"{calls}-{torn}"
        with pytest.raises(Killed):
            work(folder, KilledDisk(calls, torn), synced)
        log = BlockLog(folder, Disk(), salt)
        assert log.last >= synced[0], (calls, torn)
        assert log.first <= max(synced[1], 1)
        assert all_blocks(log) == [block(h) for h in range(log.first, log.last + 1)]
        assert log.verify() == []
        log.close()


def test_after_a_failure_nothing_is_appended(tmp_path):
    class Failing(Disk):
        fails = False

        def write(self, file, offset, data):
            if self.fails:
                raise Fault(FaultReason.DISK_FULL, "writing", "free some space")
            super().write(file, offset, data)

    disk = Failing()
    log = filled(tmp_path / "b", 2, disk)
    disk.fails = True
    with pytest.raises(Fault, match=r"disk\.full"):
        log.append(3, b"x")
    disk.fails = False
    with pytest.raises(Fault, match="nothing can be appended"):
        log.append(3, b"x")
    assert log.last == 2
    with pytest.raises(AssertionError):
        log.append(5, b"a gap")


class CountingDisk(Disk):
    """Knows which files were synced since they were written."""

    def __init__(self):
        super().__init__()
        self.unsynced = set()

    def write(self, file, offset, data):
        super().write(file, offset, data)
        self.unsynced.add(file)

    def sync(self, file):
        super().sync(file)
        self.unsynced.discard(file)


def test_appending_syncs_nothing_and_a_sync_everything(tmp_path):
    """DISK-10: blocks are durable once `sync` has returned, and cost none before."""
    disk = CountingDisk()
    log = filled(tmp_path / "b", 3, disk)
    assert disk.unsynced
    log.sync()
    assert not disk.unsynced
    log.close()
