"""A backup beside a process that writes as fast as it can: whole blocks, none missing, and the process never waits."""

import subprocess
import sys
from pathlib import Path

import pytest
from tests.unit.host.directories import GENESIS, IDENTITY, salt

from metanode.host.backup import back_up, restore
from metanode.host.block_log import BlockLog
from metanode.host.data_directory import create
from metanode.host.disk import Disk
from metanode.host.store import Store

WORK = """
import sys
from pathlib import Path
from metanode.host.block_log import BlockLog
from metanode.host.data_directory import DataDirectory
from metanode.host.disk import Disk
from metanode.host.entropy import random_bytes
from metanode.host.store import Store

directory = DataDirectory(Path(sys.argv[1]))
layout = directory.layout
store, blocks = Store(layout.store), BlockLog(layout.blocks, Disk(), random_bytes)
for height in range(1, 1_000_000):
    word = b"%08d" % height
    blocks.append(height, word * 500)
    store.write({b"tip": word, b"also": word, b"row %d" % (height % 5_000): word * 100})
    if height % 64 == 0:
        blocks.sync()
        store.flush()
        sys.stdout.buffer.write(word + b"\\n")
        sys.stdout.buffer.flush()
"""
"""Appends and writes in the order of a node; enough for RocksDB to flush and merge all the time."""


@pytest.mark.live
def test_a_backup_beside_a_writing_process_is_as_of_one_block(tmp_path: Path) -> None:
    """DISK-21. `bpi backup` refused a running node before: a validator had to be stopped for it."""
    layout = create(tmp_path / "data", GENESIS, IDENTITY, 0, Disk(), salt)
    heights = []
    with subprocess.Popen([sys.executable, "-c", WORK, str(layout.root)], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        try:
            for number in range(4):
                for _ in range(30):
                    said = int(process.stdout.readline())
                made = back_up(layout, tmp_path / f"backup-{number}", salt, Disk())
                restore(tmp_path / f"backup-{number}", tmp_path / f"new-{number}", salt, Disk())
                store = Store(tmp_path / f"new-{number}" / "store")
                blocks = BlockLog(tmp_path / f"new-{number}" / "blocks", Disk(), salt)
                tip = int(store.get(b"tip") or b"0")
                assert said <= tip <= blocks.last == made.last_block
                assert int(store.get(b"also") or b"0") == tip
                for row in range(max(1, tip - 4_999), tip + 1):
                    assert store.get(b"row %d" % (row % 5_000)) == b"%08d" % row * 100
                assert all(blocks.read(height) == b"%08d" % height * 500 for height in range(1, blocks.last + 1))
                assert blocks.cut_bytes == 0
                heights.append(tip)
                store.close()
                blocks.close()
            assert process.poll() is None
        finally:
            process.kill()
    assert heights == sorted(set(heights))
