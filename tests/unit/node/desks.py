"""A node on a pretend disk, alone: its desk, to call the routes with."""

from typing import Any

from metanode.chain import ibft
from metanode.node.blocks import BODY_RECORD, BODY_RECORDS
from metanode.node.desk import Desk
from metanode.records.block import Body, KnownTransaction
from metanode.records.commit import BlsCommit
from metanode.records.header import Header, read_header
from metanode.records.proposal import ProposalContent, proposal_content
from metanode.sim.founding import Founding, world
from metanode.sim.machine_room import MachineRoom
from metanode.sim.storm import Storm
from metanode.sim.world import World


def calm_world(count: int = 4, seed: int = 7) -> tuple[World, Founding]:
    """A world of kind links, started."""
    made, founding = world(seed, count, Storm("calm"))
    made.start()
    return made, founding


def run_blocks(made: World, founding: Founding, count: int) -> None:
    """Let so many blocks with a transfer each become final on every node that runs."""
    up = [room for room in made.rooms if room.alive or not room.life]
    for number in range(count):
        client = founding.clients[number % len(founding.clients)]
        _, encoded = client.transfer(founding.chain_id, founding.clients[0].address, 1, made.now_ms)
        made.submit(0, number, (encoded,))
        height = min(max(room.watch.final, default=0) for room in up)
        reached = made.run(
            made.now_ms - made.start_ms + 20_000,
            lambda height=height: all(max(r.watch.final, default=0) > height for r in up),  # type: ignore[misc]
        )
        assert reached, "a calm world makes blocks"


def desk_of(room: MachineRoom) -> Desk:
    """The desk of a running node; only tests look into it."""
    node: Any = room.node
    desk = node._desk
    assert isinstance(desk, Desk)
    return desk


def height_of_record(record: bytes) -> int:
    """What height a record of the journal is about."""
    if record[:1] == BODY_RECORD:
        return read_header(BODY_RECORDS.decode(record[1:]).header).height
    return ibft.RECORDS.decode(record[1:]).height


def told(room: MachineRoom, whom: str) -> list[Any]:
    """What waits for a room of the node, taken away."""
    desk = desk_of(room)
    found = [event for name, event in desk.internal if name == whom]
    desk.internal.clear()
    return found


def content_of(
    header: Header, transactions: tuple[KnownTransaction, ...], last_commit: tuple[BlsCommit, ...], body: Body
) -> ProposalContent:
    """What a proposal of these parts carries."""
    return proposal_content(header, [known.leaf for known in transactions], last_commit, body.evidence)
