"""Whatever a validator's link brings: the whole node takes it or refuses it, and nothing it then says is too long."""

from functools import cache
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import inspect
from tests.fuzz.wire import values
from tests.unit.node.desks import calm_world, desk_of, run_blocks

from metanode.chain import ibft, mempool, proposal, sync
from metanode.network.bpci import Delivered, SendMessages, Stream
from metanode.network.bpci.messages import LONG_BYTES_MAX, SINGLE_BYTES_MAX
from metanode.node import effects as out
from metanode.node.routes import network
from metanode.node.talk import Letter
from metanode.primitives.codec import encode
from metanode.records.evidence import Evidence
from metanode.sim.machine_room import MachineRoom

KINDS: dict[Letter, Any] = {
    Letter.IBFT: ibft.Message,
    Letter.EVIDENCE: Evidence,
    Letter.SYNC: sync.Message,
    Letter.BODIES: proposal.Message,
    Letter.POOL: mempool.TransactionBatch,
}


@cache
def room() -> MachineRoom:
    """A validator that has seen blocks; it is asked, and never told an answer of the world."""
    made, founding = calm_world()
    run_blocks(made, founding, 2)
    return made.rooms[0]


def near(value: Any) -> Any:
    """The same, but of the height at hand and of the set that signs it: so it comes further."""
    desk = desk_of(room())
    right = {"height": desk.tip.height + 1, "validators_hash": desk.tip.validators.hash, "version": 1}
    if isinstance(value, tuple):
        return tuple(near(one) for one in value)
    if not isinstance(value, msgspec.Struct):
        return value
    fields = {name: near(getattr(value, name)) for name in value.__struct_fields__}
    return msgspec.structs.replace(value, **{**fields, **{n: right[n] for n in right if n in fields}})


@pytest.mark.parametrize("letter", KINDS)
@settings(max_examples=120, deadline=None)
@given(data=st.data())
def test_nothing_a_validator_says_ends_a_node(letter: Letter, data: st.DataObject) -> None:
    message = data.draw(values(inspect.type_info(KINDS[letter])))
    if data.draw(st.booleans()):
        message = near(message)
    node: Any = room().node
    desk = desk_of(room())
    peer = desk.tip.validators[1].transport_key
    network.carry(desk, Delivered(peer, Stream.CONSENSUS, (bytes([letter]) + encode(message),)))
    said: list[SendMessages] = []
    while desk.internal:
        name, event = desk.internal.popleft()
        if isinstance(event, SendMessages):
            said.append(event)
            continue
        handle, carry = node._rooms[name]
        for effect in handle(event):
            carry(desk, effect)
    for event in said:
        bound = LONG_BYTES_MAX.get(event.stream, SINGLE_BYTES_MAX)
        assert all(len(one) <= bound for one in event.messages)
    assert not any(isinstance(effect, out.Halt | out.SignVote) for effect in desk.out)
    desk.out.clear()
