"""Processes that are killed: a real SIGKILL at any moment, and a second process on one directory."""

import signal
import subprocess
import sys
import time

import pytest
from tests.unit.host.directories import GENESIS, IDENTITY, salt

from metanode.host.block_log import BlockLog
from metanode.host.data_directory import DataDirectory, create
from metanode.host.disk import Disk
from metanode.host.fault import Fault, FaultReason
from metanode.host.guard_file import GuardFile
from metanode.host.journal import Journal, JournalDamaged
from metanode.host.store import Store

WORK = """
import sys
from pathlib import Path
from metanode.host.block_log import BlockLog
from metanode.host.data_directory import DataDirectory
from metanode.host.disk import Disk
from metanode.host.entropy import random_bytes
from metanode.host.guard_file import GuardFile
from metanode.host.journal import Journal
from metanode.host.store import Store

directory = DataDirectory(Path(sys.argv[1]))
layout, disk = directory.layout, Disk()
journal, _ = Journal.open(layout.journal, disk, random_bytes)
guard = GuardFile.open(layout.guard, directory.owner.identity, disk)
store, blocks = Store(layout.store), BlockLog(layout.blocks, disk, random_bytes)
for height in range(blocks.last + 1, 1_000_000):
    word = b"%08d" % height
    journal.append((word, word * 500))
    guard.store(word)
    blocks.append(height, word * 1_000)
    store.write({b"tip": word})
    if height % 16 == 0:
        blocks.sync()
        store.flush()
        journal.begin_segment((word,))
    sys.stdout.buffer.write(word + b"\\n")
    sys.stdout.buffer.flush()
"""


@pytest.mark.live
def test_killed_again_and_again_nothing_that_was_said_is_forgotten(tmp_path):
    root = tmp_path / "data"
    layout = create(root, GENESIS, IDENTITY, 0, Disk(), salt)
    for wait_s in (0.05, 0.11, 0.17, 0.23, 0.31):
        process = subprocess.Popen([sys.executable, "-c", WORK, str(root)], stdout=subprocess.PIPE)
        assert process.stdout is not None
        first = process.stdout.readline()
        time.sleep(wait_s)
        process.send_signal(signal.SIGKILL)
        said = (first + process.communicate()[0]).split(b"\n")
        last = max(int(word) for word in said if len(word) == 8)
        DataDirectory(root).close()  # the lock died with the process
        journal, read = Journal.open(layout.journal, Disk(), salt)
        journal.close()
        assert not isinstance(read, JournalDamaged)
        assert max(int(record[:8]) for record in read.records) >= last
        guard = GuardFile.open(layout.guard, IDENTITY, Disk())
        assert guard.may_store
        assert int(guard.record) >= last
        guard.close()
        blocks, store = BlockLog(layout.blocks, Disk(), salt), Store(layout.store)
        assert blocks.last >= last
        assert all(blocks.read(height) == b"%08d" % height * 1_000 for height in range(1, blocks.last + 1))
        assert int(store.get(b"tip") or b"0") >= last
        store.close()
        blocks.close()


@pytest.mark.live
def test_a_second_process_on_the_same_directory_is_refused_and_names_the_first(tmp_path):
    root = tmp_path / "data"
    create(root, GENESIS, IDENTITY, 0, Disk(), salt)
    process = subprocess.Popen([sys.executable, "-c", WORK, str(root)], stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        process.stdout.readline()
        with pytest.raises(Fault) as caught:
            DataDirectory(root)
        assert caught.value.reason is FaultReason.DIRECTORY_LOCKED
        assert f"in use by process {process.pid}" in caught.value.detail
    finally:
        process.kill()
        process.communicate()
    DataDirectory(root).close()


MEMORY = """
import os, sys
from itertools import islice
from pathlib import Path
from metanode.host.metrics import resident_bytes
from metanode.host.store import Store

store = Store(Path(sys.argv[1]))
before = resident_bytes()
for batch in range(120):
    store.write({b"s" + os.urandom(32): os.urandom(200) for _ in range(5_000)})
    if batch % 20 == 0:
        store.flush()
keys = [key for key, _ in islice(store.scan(b"s"), 0, None, 20)]
store.get_many(keys)
del keys
print(resident_bytes() - before)
store.close()
"""


@pytest.mark.live
def test_a_store_of_six_hundred_thousand_rows_stays_within_its_memory(tmp_path):
    found = subprocess.run(
        [sys.executable, "-c", MEMORY, str(tmp_path / "store")], capture_output=True, text=True, check=True
    )
    assert int(found.stdout) < 100 << 20
