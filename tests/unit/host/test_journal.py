import itertools

import pytest
from tests.unit.host.disks import Killed, KilledDisk, LossyDisk

from metanode.host.disk import Disk
from metanode.host.fault import Fault, FaultReason
from metanode.host.journal import Journal, JournalCut, JournalDamaged, JournalWhole
from metanode.host.segment import FRAME_BYTES, HEADER_BYTES

RECORDS = (b"one", b"", b"three" * 50)


def salts():
    numbers = itertools.count(1)
    return lambda count: next(numbers).to_bytes(count, "big")


def fresh(tmp_path, *batches, disk=None):
    folder = tmp_path / "journal"
    Journal.create(folder, Disk(), salts())
    journal, read = Journal.open(folder, disk or Disk(), salts())
    assert read == JournalWhole(())
    for batch in batches:
        journal.append(batch)
    return folder, journal


def opened(folder):
    journal, read = Journal.open(folder, Disk(), salts())
    journal.close()
    return read


def newest(folder):
    return max(folder.glob("*.journal"))


def test_what_was_appended_is_read_back_in_order(tmp_path):
    folder, journal = fresh(tmp_path, RECORDS, (b"four",))
    journal.append(())
    journal.close()
    assert opened(folder) == JournalWhole((*RECORDS, b"four"))
    again, _ = Journal.open(folder, Disk(), salts())
    again.append((b"five",))
    again.close()
    assert opened(folder) == JournalWhole((*RECORDS, b"four", b"five"))


def test_a_last_batch_cut_at_any_byte_is_cut_to_its_whole_records(tmp_path):
    folder, journal = fresh(tmp_path, (b"promised",))
    start = newest(folder).stat().st_size
    journal.append(RECORDS)
    journal.close()
    path = newest(folder)
    data = path.read_bytes()
    ends = list(itertools.accumulate([start, *(FRAME_BYTES + len(r) for r in RECORDS)]))
    for length in range(start, len(data)):
        path.write_bytes(data[:length])
        whole = sum(end <= length for end in ends) - 1
        kept = (b"promised", *RECORDS[:whole])
        torn = length - ends[whole]
        assert opened(folder) == (JournalCut(kept, torn) if torn else JournalWhole(kept)), length
        assert path.stat().st_size == ends[whole]
        assert opened(folder) == JournalWhole(kept)


def test_a_last_batch_whose_first_sector_never_arrived_is_torn_and_not_damage(tmp_path):
    folder, journal = fresh(tmp_path, (b"promised",))
    start = newest(folder).stat().st_size
    journal.append(RECORDS)
    journal.close()
    path = newest(folder)
    data = bytearray(path.read_bytes())
    data[start : start + FRAME_BYTES] = bytes(FRAME_BYTES)  # the two later frames of the batch are whole
    path.write_bytes(data)
    assert opened(folder) == JournalCut((b"promised",), len(data) - start)


def test_any_byte_flipped_in_a_synced_batch_is_damage_and_nothing_can_be_appended(tmp_path):
    folder, journal = fresh(tmp_path, (b"first",), (b"second", b"third"), (b"last",))
    journal.close()
    path = newest(folder)
    data = path.read_bytes()
    last = len(data) - FRAME_BYTES - len(b"last")
    for offset in range(last):
        broken = bytearray(data)
        broken[offset] ^= 0x10
        path.write_bytes(broken)
        read = opened(folder)
        assert isinstance(read, JournalDamaged), offset
        assert path.read_bytes() == broken, "nothing is cut away"
    journal, read = Journal.open(folder, Disk(), salts())
    assert isinstance(read, JournalDamaged)
    assert read == JournalDamaged((b"first", b"second"), read.detail)
    with pytest.raises(Fault) as caught:
        journal.append((b"more",))
    assert caught.value.reason is FaultReason.JOURNAL_DAMAGED


def test_a_payload_that_looks_like_a_frame_of_another_segment_is_not_one(tmp_path):
    folder, journal = fresh(tmp_path, (b"a",), (b"b",), (b"c",))
    journal.close()
    forged = newest(folder).read_bytes()[HEADER_BYTES:]
    Journal.create(tmp_path / "other", Disk(), lambda count: b"\x99" * count)
    other, _ = Journal.open(tmp_path / "other", Disk(), salts())
    other.append((b"promised",))
    start = newest(tmp_path / "other").stat().st_size
    other.append((forged,))
    other.close()
    path = newest(tmp_path / "other")
    path.write_bytes(path.read_bytes()[:-1])
    torn = path.stat().st_size - start
    assert opened(tmp_path / "other") == JournalCut((b"promised",), torn)
    assert opened(tmp_path / "other") == JournalWhole((b"promised",))


def test_beginning_anew_keeps_only_the_snapshot_and_goes_on(tmp_path):
    folder, journal = fresh(tmp_path, RECORDS)
    journal.begin_segment((b"snapshot",))
    journal.append((b"after",))
    journal.close()
    assert len(list(folder.iterdir())) == 1
    assert opened(folder) == JournalWhole((b"snapshot", b"after"))


def test_the_only_way_out_of_damage_is_to_begin_anew_and_the_damaged_file_stays(tmp_path):
    folder, journal = fresh(tmp_path, (b"first",), (b"second",))
    journal.close()
    path = newest(folder)
    data = bytearray(path.read_bytes())
    data[HEADER_BYTES] ^= 1
    path.write_bytes(data)
    journal, read = Journal.open(folder, Disk(), salts())
    assert isinstance(read, JournalDamaged)
    journal.begin_segment((b"synced past it",))
    journal.append((b"more",))
    journal.close()
    assert opened(folder) == JournalWhole((b"synced past it", b"more"))
    assert [p.read_bytes() for p in folder.glob("*.damaged")] == [bytes(data)]


def test_an_empty_folder_is_damage_because_init_made_a_segment(tmp_path):
    (tmp_path / "journal").mkdir()
    assert isinstance(opened(tmp_path / "journal"), JournalDamaged)


def test_killed_at_every_call_and_with_every_torn_write_nothing_promised_is_lost(tmp_path):
    def work(folder, disk, told):
        journal, _ = Journal.open(folder, disk, salts())
        for batch in ((b"a", b"b"), (b"c",)):
            journal.append(batch)
            told[:] = [*told, *batch]
        journal.begin_segment((b"snapshot",))
        told[:] = [b"snapshot"]
        journal.append((b"d",))
        told.append(b"d")

    counting = KilledDisk()
    Journal.create(tmp_path / "count", Disk(), salts())
    work(tmp_path / "count", counting, [])
    assert counting.done > 12
    before = {b"snapshot": (b"a", b"b", b"c")}
    for calls, torn in itertools.product(range(counting.done), (0, 1, FRAME_BYTES + 1, 1 << 20)):
        folder = tmp_path / f"{calls}-{torn}"
        Journal.create(folder, Disk(), salts())
        told: list[bytes] = []
        with pytest.raises(Killed):
            work(folder, KilledDisk(calls, torn), told)
        read = opened(folder)
        assert not isinstance(read, JournalDamaged), (calls, torn, read)
        records = list(read.records)
        anew = records[:1] == [b"snapshot"] and told == list(before[b"snapshot"])
        assert anew or records[: len(told)] == told, (calls, torn, told, records)


@pytest.mark.parametrize("calls", range(20))
def test_power_lost_at_any_call_leaves_what_was_promised(tmp_path, calls):
    """A rename whose folder was not synced came undone: cometbft/cometbft#6031."""
    folder = tmp_path / "journal"
    Journal.create(folder, Disk(), salts())

    class Dying(LossyDisk, KilledDisk):
        def __init__(self):
            KilledDisk.__init__(self, calls)
            LossyDisk.__init__(self, folder)

    disk = Dying()
    disk.calls = 1 << 30
    journal, _ = Journal.open(folder, disk, salts())
    disk.sync_folder(folder)
    told: list[bytes] = []
    disk.calls, disk.done = calls, 0
    try:
        journal.append((b"a",))
        told.append(b"a")
        journal.begin_segment((b"s",))
        told[:] = [b"s"]
        journal.append((b"b", b"c"))
        told += [b"b", b"c"]
    except Killed:
        pass
    disk.lose_power()
    read = opened(folder)
    assert not isinstance(read, JournalDamaged)
    assert list(read.records) == told or (told == [b"a"] and read.records == (b"s",)), (told, read)


def test_after_a_sync_that_lied_the_tail_is_gone_and_nothing_here_shows_it(tmp_path):
    """Only the guard can: it is ahead, and the node observes the height (GUARD-10; the storm failing_disks)."""

    class Lying(LossyDisk):
        honest = True

        def sync(self, file):
            if self.honest:
                super().sync(file)

    folder = tmp_path / "journal"
    Journal.create(folder, Disk(), salts())
    disk = Lying(folder)
    journal, _ = Journal.open(folder, disk, salts())
    journal.begin_segment((b"snapshot",))
    journal.append((b"a", b"b"))
    disk.honest = False
    journal.append((b"c",))
    disk.lose_power()
    read = opened(folder)
    assert not isinstance(read, JournalDamaged)
    assert read.records == (b"snapshot", b"a", b"b")


def test_a_failed_sync_ends_all_appending(tmp_path):
    class Failing(Disk):
        fails = False

        def sync(self, file):
            if self.fails:
                raise Fault(FaultReason.DISK_FAILED, "syncing", "look")
            super().sync(file)

    disk = Failing()
    _, journal = fresh(tmp_path, disk=disk)
    disk.fails = True
    with pytest.raises(Fault, match=r"disk\.failed"):
        journal.append((b"lost?",))
    disk.fails = False
    with pytest.raises(Fault, match=r"journal\.damaged"):
        journal.append((b"more",))
