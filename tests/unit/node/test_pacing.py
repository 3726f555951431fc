"""When a block is due, and what is done on the way there."""

from tests.unit.node.desks import calm_world, desk_of, run_blocks

from metanode.records.block import FINAL_BLOCKS
from metanode.records.commit import commit_seats


def test_where_all_are_well_every_block_credits_everybody() -> None:
    """IBFT-C3. The decision needs three of four; whose COMMIT was the last one looked absent in every block."""
    made, founding = calm_world()
    run_blocks(made, founding, 6)
    desk = desk_of(made.rooms[0])
    for height in range(2, desk.tip.height + 1):
        block = desk.archive.block(height)
        assert block is not None
        (commit,) = FINAL_BLOCKS.decode(block).body.last_commit
        assert commit_seats(commit, desk.tip.validators) == (0, 1, 2, 3), height
