"""A node that stops at any instant finds back; what its disk lost, its journal gives again."""

import pytest
from tests.unit.node.desks import calm_world, desk_of, height_of_record, run_blocks

from metanode.chain import ibft, proposal
from metanode.node import blocks, boot
from metanode.node.blocks import IBFT_RECORD
from metanode.node.boot import REPLAY, first_rows, lost_block
from metanode.node.events import Ticked, TimerFired
from metanode.node.known import known_transaction
from metanode.node.rows import RECEIPTS, TIP, TIP_ROWS, height_key
from metanode.primitives.codec import encode
from metanode.primitives.names import Height, Round
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


def test_blocks_that_came_by_sync_survive_a_power_cut_like_those_decided_here() -> None:
    """Found by the storm power_cuts, 4 validators, seed 1: a hole in the block log that nothing could fill."""
    made, founding = calm_world()
    run_blocks(made, founding, 1)
    made.crash(3)
    run_blocks(made, founding, 4)
    made.boot(3)
    room = made.rooms[3]
    assert made.run(made.now_ms - made.start_ms + 20_000, lambda: room.disk.archive.last >= 4)
    whole = dict(room.disk.archive.blocks)
    made.crash(3)
    room.disk.archive.lose(len(room.disk.archive.unsynced))
    made.boot(3)
    assert {height: room.disk.archive.blocks.get(height) for height in whole} == whole


def test_a_body_that_was_vouched_for_is_handed_out_after_a_restart() -> None:
    """Found by review: all stop at once, some of them prepared; who did not has nobody to ask for the transactions."""
    made, founding = calm_world()
    run_blocks(made, founding, 1)
    room, desk = made.rooms[0], desk_of(made.rooms[0])
    _, encoded = founding.clients[2].transfer(founding.chain_id, founding.clients[0].address, 1, made.now_ms)
    candidate = blocks._execute(desk, made.now_ms, (known_transaction(encoded),))
    blocks.keep(desk, candidate)
    blocks.vouch(desk, candidate.header.hash)
    room.hear(Ticked(made.now_ms))
    made.crash(0)
    made.boot(0)
    assembly = room.node._assembly
    want = proposal.WantBodies(version=1, header_hash=candidate.header.hash, positions=b"\x01")
    (answer,) = assembly.handle(proposal.Received(made.now_ms, b"a peer", want))
    assert isinstance(answer, proposal.Answer)
    assert [one.transactions for one in answer.messages] == [(encoded,)]


def test_what_a_recovery_applied_is_synced_and_the_words_of_the_height_at_hand_stay() -> None:
    """A checkpoint in the middle of a recovery would forget what was said at the next height."""
    made, founding = calm_world()
    run_blocks(made, founding, 2)
    room = made.rooms[0]
    made.crash(0)
    room.disk.rows.lose(1)
    said = ibft.Moved(height=Height(3), round=Round(1), announced=False)
    room.disk.journal.append(IBFT_RECORD + encode(said))
    made.boot(0)
    assert room.disk.journal[0] == IBFT_RECORD + encode(said)
    assert (room.disk.rows.unsynced, room.disk.archive.unsynced) == ([], [])


def test_a_long_log_is_executed_over_many_events(monkeypatch: pytest.MonkeyPatch) -> None:
    """Found in a journey: a store made anew from its log kept all that it wrote in memory, and nobody was answered."""
    monkeypatch.setattr(boot, "REPLAY_BLOCKS", 2)
    made, founding = calm_world()
    run_blocks(made, founding, 5)
    room = made.rooms[0]
    before = dict(room.disk.rows.values)
    made.crash(0)
    room.disk.rows.values.clear()
    room.disk.rows.write(first_rows(founding.genesis))
    room.disk.journal.clear()
    made.boot(0)
    heights = [TIP_ROWS.decode(room.disk.rows.values[TIP]).height]
    while not room.node.has_recovered:
        made.tell(0, TimerFired(made.now_ms, REPLAY))
        heights.append(TIP_ROWS.decode(room.disk.rows.values[TIP]).height)
    assert heights == [2, 4, 5]
    assert room.disk.rows.values == before
    run_blocks(made, founding, 1)


def test_a_block_that_is_in_neither_log_nor_journal_is_lost() -> None:
    """Found in a journey: the node went on above the gap, and dropped every block below it."""
    made, founding = calm_world()
    run_blocks(made, founding, 4)
    disk = made.rooms[0].disk
    assert lost_block(disk.rows, disk.archive, ()) == 0
    for height in (4, 3):
        del disk.archive.blocks[height]
    assert lost_block(disk.rows, disk.archive, disk.journal) == 0, "the journal has them"
    assert lost_block(disk.rows, disk.archive, ()) == 3
    last = [record for record in disk.journal if height_of_record(record) == 4]
    assert lost_block(disk.rows, disk.archive, last) == 3, "the journal has but one of them"
    disk.archive.blocks.clear()
    assert lost_block(disk.rows, disk.archive, ()) == 1


def test_what_a_snapshot_spared_is_not_lost() -> None:
    """No block below a snapshot was executed here, and none of them is due in the log."""
    made, founding = calm_world()
    run_blocks(made, founding, 3)
    disk = made.rooms[0].disk
    for height in (1, 2):
        del disk.rows.values[height_key(RECEIPTS, height)]
    disk.archive.blocks.clear()
    assert lost_block(disk.rows, disk.archive, disk.journal) == 0
    assert lost_block(disk.rows, disk.archive, ()) == 3
    del disk.rows.values[height_key(RECEIPTS, 3)]
    assert lost_block(disk.rows, disk.archive, ()) == 0
