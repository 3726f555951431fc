"""What is damaged of blocks and state is set aside, and what is left can be gone on from; promises are not touched."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from tests.unit.host.directories import salt
from tests.unit.node.desks import calm_world, height_of_record, run_blocks

from metanode.host import block_log
from metanode.host.block_log import BlockLog
from metanode.host.data_directory import NO_IDENTITY, DataDirectory, create
from metanode.host.disk import Disk
from metanode.host.fault import Fault, FaultReason
from metanode.host.journal import Journal
from metanode.host.opening import check_blocks
from metanode.host.repair import Repaired, repair_directory
from metanode.host.store import Store

LAST = 6


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The directory of an observer with six blocks, the last two of them in the journal too; two blocks a segment."""
    made, founding = calm_world()
    run_blocks(made, founding, LAST)
    disk = made.rooms[0].disk
    monkeypatch.setattr(block_log, "SEGMENT_BYTES", max(map(len, disk.archive.blocks.values())) * 3 // 2)
    layout = create(tmp_path / "data", founding.genesis, NO_IDENTITY, 0, Disk(), salt)
    store, blocks = Store(layout.store), BlockLog(layout.blocks, Disk(), salt)
    store.write(dict(disk.rows.values))
    store.close()
    for height in range(1, LAST + 1):
        blocks.append(height, disk.archive.blocks[height])
    blocks.sync()
    blocks.close()
    journal, _ = Journal.open(layout.journal, Disk(), salt)
    journal.append([record for record in disk.journal if height_of_record(record) > 4])
    journal.close()
    assert len(list(layout.blocks.glob("*.blocks"))) == 3
    return tmp_path / "data"


@contextmanager
def opened(root: Path) -> Iterator[DataDirectory]:
    directory = DataDirectory(root)
    try:
        yield directory
    finally:
        directory.close()


def repaired(root: Path) -> Repaired:
    with opened(root) as directory:
        return repair_directory(directory, Disk(), salt)


def judged(root: Path) -> FaultReason | None:
    """What a start says of blocks and state."""
    with opened(root) as directory, ExitStack() as closing:
        layout = directory.layout
        try:
            store = Store(layout.store)
            closing.callback(store.close)
            blocks = BlockLog(layout.blocks, Disk(), salt)
            closing.callback(blocks.close)
            journal, found = Journal.open(layout.journal, Disk(), salt)
            closing.callback(journal.close)
            check_blocks(layout, store, blocks, found.records)
        except Fault as fault:
            assert f"bpi node repair --data {root}" in fault.fix
            return fault.reason
    return None


def segments(root: Path) -> list[Path]:
    return sorted((root / "blocks").glob("*.blocks"))


def flip(path: Path, place: int) -> None:
    data = bytearray(path.read_bytes())
    data[place] ^= 1
    path.write_bytes(data)


def names(paths: tuple[Path, ...]) -> list[str]:
    return sorted(path.name for path in paths)


def test_what_is_whole_is_left_as_it_is(root: Path) -> None:
    before = {path: path.read_bytes() for path in sorted(root.rglob("*.blocks"))}
    assert judged(root) is None
    assert repaired(root) == Repaired(1, LAST, LAST, ())
    assert {path: path.read_bytes() for path in sorted(root.rglob("*.blocks"))} == before


def test_blocks_that_the_journal_holds_are_not_lost(root: Path) -> None:
    segments(root)[-1].unlink()
    assert judged(root) is None
    assert repaired(root) == Repaired(1, 4, LAST, ()), "the next start appends them again"


def test_a_lost_segment_keeps_the_node_from_starting_and_the_store_begins_anew(root: Path) -> None:
    """Found in a journey: it went on above the gap, and dropped the blocks below it."""
    for path in segments(root)[-2:]:
        path.unlink()
    assert judged(root) is FaultReason.BLOCK_LOG_DAMAGED
    done = repaired(root)
    assert (done.first, done.last, done.height, names(done.aside)) == (1, 2, 0, ["store.damaged"])
    assert not (root / "store").exists()


def test_a_damaged_block_in_the_middle_sets_aside_what_is_behind_it(root: Path) -> None:
    flip(segments(root)[1], -1)
    done = repaired(root)
    assert (done.first, done.last, done.height) == (1, 3, 0)
    assert names(done.aside) == ["0000000000000003.blocks.damaged", "0000000000000005.blocks.damaged", "store.damaged"]
    log = BlockLog(root / "blocks", Disk(), salt)
    assert all(log.block(height) for height in (1, 2, 3))
    log.close()


def test_a_damaged_store_is_set_aside_and_the_blocks_stay(root: Path) -> None:
    for path in (root / "store").glob("MANIFEST*"):
        path.unlink()
    assert judged(root) is FaultReason.STORE_DAMAGED
    done = repaired(root)
    assert (done.first, done.last, done.height, names(done.aside)) == (1, LAST, 0, ["store.damaged"])
    assert repaired(root) == Repaired(1, LAST, 0, ()), "the next start makes it anew"


def test_a_row_that_cannot_be_read_is_found_before_anybody_asks_for_it(root: Path) -> None:
    store = Store(root / "store")
    store.write({b"a%08d" % number: bytes(100) for number in range(2_000)})
    store._rows.flush()
    store.close()
    table = max((root / "store").glob("*.sst"), key=lambda path: path.stat().st_size)
    flip(table, 100)
    assert judged(root) is None, "the start does not read it"
    assert names(repaired(root).aside) == ["store.damaged"]


def test_what_was_set_aside_before_is_not_written_over(root: Path) -> None:
    (root / "store.damaged").mkdir()
    (root / "store" / "CURRENT").write_text("nonsense")
    assert names(repaired(root).aside) == ["store.damaged-2"]


def test_a_log_that_does_not_go_back_to_the_first_block_cannot_make_a_store_anew(root: Path) -> None:
    """Found in a journey: such a node ended at every start with a bug."""
    segments(root)[0].unlink()
    assert repaired(root) == Repaired(3, LAST, LAST, ()), "pruned: the store is further"
    for path in (root / "store").glob("MANIFEST*"):
        path.unlink()
    done = repaired(root)
    assert (done.first, done.last, done.height) == (1, 0, 0)
    assert len(done.aside) == 3
    assert segments(root) == []


def test_a_store_below_the_log_is_said_at_the_start(root: Path) -> None:
    segments(root)[0].unlink()
    store, made = Store(root / "store"), calm_world()[0]
    store.write(dict(made.rooms[0].disk.rows.values))
    store.close()
    assert judged(root) is FaultReason.STORE_DAMAGED
    assert len(repaired(root).aside) == 2
    assert judged(root) is None


def test_a_node_that_runs_is_not_repaired(root: Path) -> None:
    with opened(root), pytest.raises(Fault, match=r"directory\.locked"):
        repaired(root)
