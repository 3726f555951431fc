"""A disk that is full, small and real: nothing acknowledged is lost, and the node starts again once there is space."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from tests.unit.host.directories import GENESIS, IDENTITY, salt

from metanode.host.block_log import BlockLog
from metanode.host.data_directory import DataDirectory, create
from metanode.host.disk import Disk, free_bytes
from metanode.host.fault import Fault, FaultReason
from metanode.host.guard_file import GuardFile
from metanode.host.journal import Journal, JournalDamaged
from metanode.host.store import Store

SIZE = 24 << 20


def mount(folder: Path, *options: str) -> None:
    folder.mkdir(exist_ok=True)
    command = ["mount", "-t", "tmpfs", "-o", ",".join((f"size={SIZE}", *options)), "tmpfs", str(folder)]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    if found.returncode:
        print(f"NOT RUN: a full disk needs to mount a tmpfs: {found.stderr.strip()}")
        pytest.skip("cannot mount a tmpfs here")


@pytest.fixture
def small(tmp_path):
    if os.geteuid() != 0 or shutil.which("mount") is None:
        print("NOT RUN: a full disk needs root, to mount a tmpfs")
        pytest.skip("cannot mount without root")
    folder = tmp_path / "small"
    mount(folder)
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(folder: Path, leave: int) -> Path:
    path = folder / "ballast"
    path.write_bytes(bytes(max(0, free_bytes(folder) - leave)))
    return path


@pytest.mark.root
def test_a_full_disk_ends_the_journal_and_keeps_what_was_promised(small):
    layout = create(small / "data", GENESIS, IDENTITY, 0, Disk(), salt)
    journal, _ = Journal.open(layout.journal, Disk(), salt)
    ballast = fill(small, leave=300_000)
    promised = []

    def promise_much():
        for number in range(1_000):
            record = bytes((number % 256,)) * 10_000
            journal.append((record,))
            promised.append(record)

    with pytest.raises(Fault) as caught:
        promise_much()
    assert caught.value.reason is FaultReason.DISK_FULL
    assert "free some space" in caught.value.fix
    assert 10 < len(promised) < 40
    journal.close()
    directory = DataDirectory(small / "data")  # also on the full disk: a lock and reading need no space
    journal, read = Journal.open(layout.journal, Disk(), salt)
    assert not isinstance(read, JournalDamaged)
    assert list(read.records)[: len(promised)] == promised
    ballast.unlink()
    journal.append((b"after",))
    journal.close()
    assert Journal.open(layout.journal, Disk(), salt)[1].records[-1] == b"after"
    directory.close()


@pytest.mark.root
def test_a_full_disk_refuses_a_block_and_keeps_the_synced_ones(small):
    log = BlockLog(small / "blocks", Disk(), salt)
    log.append(1, b"one")
    log.sync()
    ballast = fill(small, leave=200_000)
    with pytest.raises(Fault, match=r"disk\.full"):
        log.append(2, b"x" * 400_000)
    with pytest.raises(Fault):
        log.append(2, b"small")
    log = BlockLog(small / "blocks", Disk(), salt)
    assert (log.last, log.read(1)) == (1, b"one")
    ballast.unlink()
    log.append(2, b"two")
    log.close()


@pytest.mark.root
def test_a_full_disk_lets_no_signature_out_that_is_not_durable(small):
    GuardFile.create(small / "guard", IDENTITY, Disk())
    fill(small, leave=0)
    guard = GuardFile.open(small / "guard", IDENTITY, Disk())
    guard.store(b"its two slots were there before the disk was full")
    again = GuardFile.open(small / "guard", IDENTITY, Disk())
    assert again.record == guard.record


@pytest.mark.root
def test_a_full_disk_is_a_fault_of_the_store_and_its_flushed_rows_stay(small):
    store = Store(small / "store")
    store.write({b"flushed": b"1"})
    store.flush()
    ballast = fill(small, leave=400_000)

    def write_much():
        for number in range(1_000):
            store.write({b"%d-%d" % (number, i): os.urandom(1_000) for i in range(10)})
            store.flush()

    with pytest.raises(Fault) as caught:
        write_much()
    assert caught.value.reason is FaultReason.DISK_FULL
    with pytest.raises(Fault) as closing:
        store.close()
    assert closing.value is caught.value, "what ends a node is told by its first cause, not by what its end meets"
    ballast.unlink()
    again = Store(small / "store")
    assert again.get(b"flushed") == b"1"
    again.write({b"more": b"2"})
    again.close()


@pytest.mark.root
def test_a_read_only_disk_is_named(small):
    create(small / "data", GENESIS, IDENTITY, 0, Disk(), salt)
    subprocess.run(["mount", "-o", "remount,ro", str(small)], check=True)
    with pytest.raises(Fault) as caught:
        DataDirectory(small / "data")
    assert caught.value.reason is FaultReason.DISK_READ_ONLY
    with pytest.raises(Fault) as caught:
        Store(small / "store")
    assert caught.value.reason is FaultReason.DISK_READ_ONLY
    subprocess.run(["mount", "-o", "remount,rw", str(small)], check=True)
    DataDirectory(small / "data").close()
