"""A node that was not there from the start: it executes every block, or takes a state that proves itself."""

from dataclasses import replace

import pytest
from tests.unit.node.desks import desk_of, run_blocks

from metanode.sim import founding as fs
from metanode.sim.machine_room import MachineRoom
from metanode.sim.storm import Storm
from metanode.sim.world import World

BLOCKS = 20
"""More than a snapshot must spare."""


def world_with_observer(*, snapshot: bool) -> tuple[World, fs.Founding, MachineRoom]:
    """Four validators, and a fifth computer that starts later."""
    founding = fs.found(4)
    newcomer = fs.validator("newcomer", 9)
    rooms = []
    for index, seat in enumerate((*founding.validators, newcomer)):
        plain = fs.computer(founding, index, seat, founding.validators)
        settings = replace(
            plain.settings, observers=(newcomer.transport_key,), snapshot_sync=snapshot and seat is newcomer
        )
        room = MachineRoom(index, plain.address, founding.genesis, settings, seat.bls_key, plain.mathematics)
        rooms.append(room)
    made = World(11, rooms, Storm("calm"), fs.START_MS)
    for index in range(4):
        made.at(index, lambda index=index: made.boot(index))  # type: ignore[misc]
    return made, founding, rooms[4]


def advance(made: World, founding: fs.Founding, blocks: int, newcomer: MachineRoom) -> None:
    """Blocks of the four validators; the newcomer follows or is not there yet."""
    everybody = list(made.rooms)
    made.rooms.remove(newcomer)
    try:
        run_blocks(made, founding, blocks)
    finally:
        made.rooms[:] = everybody


@pytest.mark.parametrize("snapshot", [False, True])
def test_a_fifth_node_reaches_the_head_and_has_the_same_state(snapshot: bool) -> None:
    made, founding, newcomer = world_with_observer(snapshot=snapshot)
    advance(made, founding, BLOCKS, newcomer)
    made.boot(4)
    assert made.run(made.now_ms - made.start_ms + 30_000, lambda: desk_of(newcomer).tip.height >= BLOCKS)
    client = founding.clients[1]
    _, encoded = client.transfer(founding.chain_id, founding.clients[0].address, 3, made.now_ms)
    made.submit(0, 99, (encoded,))
    assert made.run(
        made.now_ms - made.start_ms + 30_000,
        lambda: all(desk_of(room).tip.height > BLOCKS for room in made.rooms),
    )
    first, last = desk_of(made.rooms[0]), desk_of(newcomer)
    assert last.ledger.tip == first.ledger.tip
    assert (1 in newcomer.disk.archive.blocks) is not snapshot
    made.crash(4)
    made.boot(4)
    assert desk_of(newcomer).tip.hash == first.tip.hash
