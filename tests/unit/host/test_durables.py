"""The disk of a node: what retention drops, and that it drops nothing else."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from metanode.host import block_log
from metanode.host.block_log import BlockLog
from metanode.host.disk import Disk
from metanode.host.durables import PRUNE_EVERY_BLOCKS, Durables


@pytest.mark.parametrize("retention", [0, 300])
def test_blocks_are_kept_as_long_as_the_setting_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, retention: int
) -> None:
    """DISK-11. `storage.prune` and `storage.retention_blocks`: never fewer than that, and little more."""
    monkeypatch.setattr(block_log, "SEGMENT_BYTES", 4_096)
    log = BlockLog(tmp_path / "blocks", Disk(), bytes)
    opened: Any = SimpleNamespace(journal=None, blocks=log, store=None)
    durables = Durables(opened, SimpleNamespace(), retention)  # type: ignore[arg-type]
    last = 4 * PRUNE_EVERY_BLOCKS
    for height in range(1, last + 1):
        durables.append_block(height, b"block %d" % height)
        assert not retention or log.first <= max(1, height - retention)
    a_segment = 4_096 // 64 + 1
    assert log.first == 1 if not retention else last - retention - a_segment <= log.first <= last - retention
    assert [log.block(height) for height in range(log.first, last + 1)] == [
        b"block %d" % height for height in range(log.first, last + 1)
    ]
    assert log.block(log.first - 1) is None
    log.close()
