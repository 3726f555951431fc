"""Setting aside what is damaged of blocks and state, so that the node starts again and fetches it from its peers.

Keys, guard and journal are not touched: they say what was promised, and nobody else has them.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from metanode.host.block_log import BlockLog, repair
from metanode.host.data_directory import DataDirectory
from metanode.host.disk import Disk
from metanode.host.fault import Fault, FaultReason
from metanode.host.journal import Journal
from metanode.host.opening import has_gap
from metanode.host.store import Store
from metanode.node.boot import height_of_tip, lost_block
from metanode.node.rows import TIP


@dataclass(frozen=True, slots=True)
class Repaired:
    """What was done. `first` to `last` are the blocks that are kept, `height` is where the store is, 0 where it begins
    anew; `aside` is what was set aside, empty where nothing was damaged."""

    first: int
    last: int
    height: int
    aside: tuple[Path, ...]


def repair_directory(directory: DataDirectory, disk: Disk, salt: Callable[[int], bytes]) -> Repaired:
    """DISK-12. Read every block and every row; keep the blocks before the first damage; set the store aside where it is
    damaged, or knows blocks that are lost; then all blocks, where they do not go back to the first. Raises `Fault`."""
    layout = directory.layout
    before = _damaged_files(layout.blocks)
    repair(layout.blocks, disk, salt)
    blocks = BlockLog(layout.blocks, disk, salt)
    aside = [path for path in _damaged_files(layout.blocks) if path not in before]
    try:
        height = _height_of_store(directory, blocks, disk, salt)
        if height < 0:
            aside.append(_set_aside(layout.store, disk))
            height = 0
        if has_gap(height, blocks):
            aside += _set_blocks_aside(layout.blocks, disk)
            return Repaired(1, 0, height, tuple(aside))
        return Repaired(blocks.first, blocks.last, height, tuple(aside))
    finally:
        blocks.close()


def _height_of_store(directory: DataDirectory, blocks: BlockLog, disk: Disk, salt: Callable[[int], bytes]) -> int:
    """Where a whole store is that knows no lost block, 0 where there is none yet; -1 where it must go."""
    layout = directory.layout
    if not layout.store.exists():
        return 0
    journal, found = Journal.open(layout.journal, disk, salt)
    journal.close()
    try:
        store = Store(layout.store)
        try:
            for _ in store.scan(b""):
                pass  # reading is checking: every block of rows has its checksum
            if store.get(TIP) is None:
                return 0
            return -1 if lost_block(store, blocks, found.records) else height_of_tip(store)[0]
        finally:
            store.close()
    except Fault as fault:
        if fault.reason is not FaultReason.STORE_DAMAGED:
            raise
        return -1


def _set_aside(path: Path, disk: Disk) -> Path:
    """Give it a name that nobody reads."""
    number = 1
    while (target := path.with_name(f"{path.name}.damaged{f'-{number}' if number > 1 else ''}")).exists():
        number += 1
    disk.rename(path, target)
    disk.sync_folder(path.parent)
    return target


def _set_blocks_aside(folder: Path, disk: Disk) -> list[Path]:
    """All segments, the newest first: a crash in between leaves a log without gaps."""
    return [_set_aside(path, disk) for path in sorted(folder.glob("*.blocks"), reverse=True)]


def _damaged_files(folder: Path) -> set[Path]:
    return set(folder.glob("*.damaged*"))
