import itertools
import os
import shutil

import pytest
from tests.unit.host.directories import CHAIN, GENESIS, IDENTITY, salt
from tests.unit.host.disks import Killed, KilledDisk

from metanode.host.data_directory import NO_IDENTITY, DataDirectory, Layout, Owner, create, read_format
from metanode.host.disk import Disk
from metanode.host.fault import Fault, FaultReason
from metanode.host.guard_file import GuardCondition, GuardFile
from metanode.host.journal import Journal, JournalWhole


def made(root, identity=IDENTITY, disk=None):
    return create(root, GENESIS, identity, 1_700, disk or Disk(), salt)


def reason(call):
    with pytest.raises(Fault) as caught:
        call()
    return caught.value.reason


def test_what_init_makes_can_be_opened(tmp_path):
    layout = made(tmp_path / "data")
    directory = DataDirectory(tmp_path / "data")
    assert directory.owner == Owner(CHAIN, IDENTITY, 1_700)
    assert directory.genesis == GENESIS
    assert GuardFile.open(layout.guard, IDENTITY, Disk()).condition is GuardCondition.HELD
    assert Journal.open(layout.journal, Disk(), salt)[1] == JournalWhole(())
    assert (tmp_path / "data").stat().st_mode & 0o777 == 0o700
    directory.close()
    directory.close()


def test_an_observer_has_no_guard(tmp_path):
    layout = made(tmp_path, NO_IDENTITY)
    assert not layout.guard.exists()
    assert not read_format(layout).is_validator


def test_a_second_process_is_told_whom_to_stop(tmp_path):
    made(tmp_path)
    first = DataDirectory(tmp_path)
    with pytest.raises(Fault) as caught:
        DataDirectory(tmp_path)  # flock knows open files, not processes: the same one may stand for another
    assert caught.value.reason is FaultReason.DIRECTORY_LOCKED
    assert caught.value.detail == f"{tmp_path} is in use by process {os.getpid()}"
    first.close()
    DataDirectory(tmp_path).close()


def test_a_directory_that_is_deleted_moved_or_replaced_is_not_ours_any_more(tmp_path):
    made(tmp_path / "data")
    directory = DataDirectory(tmp_path / "data")
    directory.check_ours()
    (tmp_path / "data").rename(tmp_path / "moved")
    assert reason(directory.check_ours) is FaultReason.DIRECTORY_GONE
    shutil.copytree(tmp_path / "moved", tmp_path / "data")
    assert reason(directory.check_ours) is FaultReason.DIRECTORY_GONE, "another one took its place"
    shutil.rmtree(tmp_path / "data")
    (tmp_path / "moved").rename(tmp_path / "data")
    directory.check_ours()
    directory.close()


def test_init_does_not_run_twice_or_over_a_guard_that_signed(tmp_path):
    layout = made(tmp_path)
    assert reason(lambda: made(tmp_path)) is FaultReason.DIRECTORY_EXISTS
    guard = GuardFile.open(layout.guard, IDENTITY, Disk())
    guard.store(b"a signature")
    layout.format_file.unlink()
    assert reason(lambda: made(tmp_path)) is FaultReason.DIRECTORY_EXISTS
    assert GuardFile.open(layout.guard, IDENTITY, Disk()).record == b"a signature"


def test_a_folder_that_is_none_a_newer_or_a_broken_one_is_refused(tmp_path):
    assert reason(lambda: DataDirectory(tmp_path)) is FaultReason.DIRECTORY_NOT_INITIALISED
    assert reason(lambda: DataDirectory(tmp_path / "no")) is FaultReason.DIRECTORY_NOT_INITIALISED
    layout = made(tmp_path)
    text = layout.format_file.read_text()
    layout.format_file.write_text(text.replace("format = 1", "format = 2"))
    with pytest.raises(Fault) as caught:
        DataDirectory(tmp_path)
    assert caught.value.reason is FaultReason.DIRECTORY_UNKNOWN_FORMAT
    assert "has format 2, this program knows 1" in caught.value.detail
    broken_texts = (
        "", "format", "format = 1", text.replace("chain_id", "chain"), text.replace(CHAIN.hex(), "ab"),
        text.replace(CHAIN.hex(), "zz"), text.replace("1700", "'x'"),
    )  # fmt: skip
    for broken in broken_texts:
        layout.format_file.write_text(broken)
        assert reason(lambda: DataDirectory(tmp_path)) is FaultReason.DIRECTORY_UNKNOWN_FORMAT, broken
    layout.format_file.write_bytes(b"\xff")
    assert reason(lambda: DataDirectory(tmp_path)) is FaultReason.DIRECTORY_UNKNOWN_FORMAT


def test_another_genesis_is_refused_and_the_lock_is_free_again(tmp_path):
    layout = made(tmp_path)
    text = layout.genesis.read_text()
    for other in (text.replace('name = "test"', 'name = "other"'), "no genesis"):
        layout.genesis.write_text(other)
        assert reason(lambda: DataDirectory(tmp_path)) is FaultReason.DIRECTORY_OTHER_CHAIN
    layout.genesis.write_text(text)
    DataDirectory(tmp_path).close()


def test_a_wiped_guard_does_not_come_back_by_itself(tmp_path):
    layout = made(tmp_path)
    layout.guard.unlink()
    directory = DataDirectory(tmp_path)
    guard = GuardFile.open(layout.guard, directory.owner.identity, Disk())
    assert (guard.condition, guard.may_store) == (GuardCondition.MISSING, False)
    directory.close()


def test_init_killed_at_any_call_can_be_run_again(tmp_path):
    counting = KilledDisk()
    made(tmp_path / "count", disk=counting)
    for calls, torn in itertools.product(range(counting.done), (0, 20)):
        root = tmp_path / f"{calls}-{torn}"
        with pytest.raises(Killed):
            made(root, disk=KilledDisk(calls, torn))
        if Layout(root).format_file.exists():  # only the last sync was missing
            DataDirectory(root).close()
            continue
        assert reason(lambda root=root: DataDirectory(root)) is FaultReason.DIRECTORY_NOT_INITIALISED
        layout = made(root)
        DataDirectory(root).close()
        assert GuardFile.open(layout.guard, IDENTITY, Disk()).condition is GuardCondition.HELD
        assert Journal.open(layout.journal, Disk(), salt)[1] == JournalWhole(())


def test_a_folder_that_cannot_be_made_is_a_fault(tmp_path):
    (tmp_path / "file").write_text("")
    assert reason(lambda: made(tmp_path / "file" / "data")) is FaultReason.DISK_MISSING
