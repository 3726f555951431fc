"""A node that stops at any instant finds back; what its disk lost, its journal gives again."""

from tests.unit.node.desks import calm_world, desk_of, run_blocks

from metanode.node.boot import first_rows
from metanode.node.rows import TIP, TIP_ROWS
from metanode.sim.disk import SimArchive


def test_a_block_log_behind_the_store_is_made_whole_from_the_journal() -> None:
    """A power cut may keep the store's rows and lose the log's last blocks."""
    made, founding = calm_world()
    run_blocks(made, founding, 3)
    room = made.rooms[0]
    whole = dict(room.disk.archive.blocks)
    made.crash(0)
    room.disk.archive.blocks = {1: whole[1]}
    made.boot(0)
    assert room.disk.archive.blocks == whole
    run_blocks(made, founding, 1)


def test_a_store_behind_the_block_log_executes_again() -> None:
    made, founding = calm_world()
    run_blocks(made, founding, 3)
    room = made.rooms[0]
    before = dict(room.disk.rows.values)
    made.crash(0)
    room.disk.rows.values.clear()
    room.disk.rows.write(first_rows(founding.genesis))
    made.boot(0)
    assert room.disk.rows.values == before


def test_without_store_and_log_the_journal_alone_brings_back_what_was_decided() -> None:
    made, founding = calm_world()
    run_blocks(made, founding, 3)
    room = made.rooms[0]
    before, blocks = dict(room.disk.rows.values), dict(room.disk.archive.blocks)
    made.crash(0)
    room.disk.rows.values.clear()
    room.disk.rows.write(first_rows(founding.genesis))
    room.disk.archive = SimArchive()
    made.boot(0)
    assert (room.disk.rows.values, room.disk.archive.blocks) == (before, blocks)


def test_state_and_tip_are_written_in_one_batch() -> None:
    """Whatever is lost, it is whole blocks."""
    made, founding = calm_world()
    run_blocks(made, founding, 2)
    desk = desk_of(made.rooms[0])
    row = TIP_ROWS.decode(made.rooms[0].disk.rows.values[TIP])
    assert (row.height, row.frontier_size) == (desk.tip.height, desk.tip.height)
