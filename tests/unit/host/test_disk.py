import errno
import os

import pytest
from tests.unit.host.disks import Killed, KilledDisk

from metanode.host.clock import Clock
from metanode.host.disk import Disk, free_bytes, read_file, write_durably
from metanode.host.entropy import random_bytes
from metanode.host.fault import Fault, FaultReason, disk_fault


@pytest.mark.parametrize(
    ("number", "reason"),
    [
        (errno.ENOSPC, FaultReason.DISK_FULL),
        (errno.EDQUOT, FaultReason.DISK_FULL),
        (errno.EROFS, FaultReason.DISK_READ_ONLY),
        (errno.EACCES, FaultReason.DISK_NOT_ALLOWED),
        (errno.EPERM, FaultReason.DISK_NOT_ALLOWED),
        (errno.ENOENT, FaultReason.DISK_MISSING),
        (errno.ENOTDIR, FaultReason.DISK_MISSING),
        (errno.EIO, FaultReason.DISK_FAILED),
    ],
)
def test_errors_of_the_system_have_a_name_and_a_fix(number, reason):
    fault = disk_fault(OSError(number, os.strerror(number)), "writing /x")
    assert fault.reason is reason
    assert fault.detail == f"writing /x: {os.strerror(number)}"
    assert fault.fix
    assert str(fault) == f"{reason}: {fault.detail}; fix: {fault.fix}"


def test_codes_are_unique_and_stable_in_form():
    codes = [reason.value for reason in FaultReason]
    assert len({*codes}) == len(codes)
    assert all(code.islower() and code.count(".") == 1 for code in codes)


def test_short_writes_are_finished(tmp_path, monkeypatch):
    real = os.pwrite
    monkeypatch.setattr(os, "pwrite", lambda file, data, offset: real(file, data[:3], offset))
    disk = Disk()
    file = disk.create(tmp_path / "f")
    disk.write(file, 2, b"0123456789")
    monkeypatch.undo()
    disk.write(file, 0, b"ab")
    assert (disk.read(file, 0, 100), disk.size(file)) == (b"ab0123456789", 12)
    disk.cut(file, 4)
    assert disk.read(file, 1, 2) == b"b0"
    disk.close(file)
    disk.close(file)


def test_every_call_that_fails_is_a_fault_that_names_the_file(tmp_path):
    disk = Disk()
    missing = tmp_path / "no" / "file"
    for call in (
        lambda: disk.create(missing),
        lambda: disk.open(missing),
        lambda: disk.rename(missing, tmp_path / "x"),
        lambda: disk.sync_folder(missing),
        lambda: read_file(missing, 10),
        lambda: free_bytes(missing),
    ):
        with pytest.raises(Fault, match=r"disk\.missing.*no/file"):
            call()
    closed = disk.create(tmp_path / "f")
    os.close(closed)
    for call in (
        lambda: disk.write(closed, 0, b"x"),
        lambda: disk.read(closed, 0, 1),
        lambda: disk.sync(closed),
        lambda: disk.cut(closed, 0),
    ):
        with pytest.raises(Fault, match=r"disk\.failed"):
            call()
    with pytest.raises(Fault):
        disk.remove(tmp_path)


def test_a_small_file_is_replaced_whole_or_not_at_all(tmp_path):
    path = tmp_path / "f"
    write_durably(Disk(), path, b"old")
    for calls in range(5):
        for torn in (0, 1):
            with pytest.raises(Killed):
                write_durably(KilledDisk(calls, torn), path, b"new!")
            assert path.read_bytes() in (b"old", b"new!")
            assert calls >= 4 or path.read_bytes() == b"old"
    write_durably(Disk(), path, b"newest")
    assert read_file(path, 3) == b"newe"
    assert path.stat().st_mode & 0o777 == 0o600


def test_time_does_not_run_backwards(monkeypatch):
    wall = iter((5_000, 4_000, 4_500, 6_000))
    monkeypatch.setattr("metanode.host.clock.time.time_ns", lambda: next(wall) * 1_000_000)
    clock = Clock()
    assert [(clock.now_ms(), clock.stood_still_ms) for _ in range(4)] == [
        (5_000, 0),
        (5_000, 1_000),
        (5_000, 500),
        (6_000, 0),
    ]


def test_chance():
    assert random_bytes(32) != random_bytes(32)
    assert len(random_bytes(7)) == 7


def test_room_on_a_disk_is_known(tmp_path):
    assert free_bytes(tmp_path) > 0
