"""Old mistakes of others that need whole nodes to show: when a block is due, and who leads after the set has shrunk."""

import pytest

from metanode.records.address import address_of_key
from metanode.records.calls import Call, GovernancePropose, GovernanceVote, RemoveValidator, SetParameter
from metanode.records.header import read_header
from metanode.records.parameters import Parameters
from metanode.sim import standins
from metanode.sim.founding import Client, Founding, world
from metanode.sim.storm import Storm
from metanode.sim.world import World

IDLE_MS = 60_000
PATIENT = Parameters(block_period_ms=100, empty_block_period_ms=IDLE_MS, round_timeout_ms=400)


def operator(seat: int) -> Client:
    """Whoever runs a validator."""
    key = standins.key("operator", f"validator-{seat}", 32)
    return Client(key, address_of_key(key))


def say(made: World, founding: Founding, node: int, who: Client, call: Call) -> None:
    """One transaction, to one node, once."""
    _, encoded = who.sign(founding.chain_id, (call,), made.now_ms)
    made.submit(node, 1, (encoded,))


def heights(made: World) -> list[int]:
    return [room.watch.height for room in made.rooms]


@pytest.mark.parametrize("node", range(4))
@pytest.mark.parametrize("what", ["a transfer", "a validator's vote"])
def test_the_wait_for_an_empty_block_is_broken(node: int, what: str) -> None:
    """Whichever node hears of it first, long before the empty block is due: besu-eth/besu#8354,
    besu-eth/besu#11031, besu-eth/besu#11109."""
    made, founding = world(node, 4, Storm("calm"), PATIENT)
    made.start()
    made.run(5_000)
    assert heights(made) == [0] * 4, "nothing waits: no block before the minute is over"
    if what == "a transfer":
        _, encoded = founding.clients[0].transfer(founding.chain_id, founding.clients[1].address, 1, made.now_ms)
        made.submit(node, 1, (encoded,))
    else:
        action = SetParameter(name="fee_min", value=3)
        say(made, founding, node, operator(node), GovernancePropose(action=action))
    made.run(5_500)
    assert heights(made) == [1] * 4
    made.run(30_000)
    assert heights(made) == [1] * 4, "and then the wait begins anew"


@pytest.mark.parametrize("gone", range(5))
def test_the_set_shrinks_whoever_has_proposed_last(gone: int) -> None:
    """A set of five loses a seat. In one of the five worlds it is the seat whose block says so."""
    made, founding = world(gone, 5, Storm("calm"), PATIENT)
    made.start()
    made.run(1_000)
    action = RemoveValidator(name=f"validator-{gone}")
    say(made, founding, 0, operator(0), GovernancePropose(action=action))
    made.run(2_000)
    for seat in range(1, 5):
        say(made, founding, 0, operator(seat), GovernanceVote(proposal=1, approve=True))
    made.run(6_000)
    rest = [room for room in made.rooms if room.index != gone]
    (last,) = {room.watch.final[room.watch.height][0] for room in rest}
    assert len(founding.validators) == 5
    assert read_header(last).validators_hash != read_header(last).next_validators_hash
    tip = read_header(last).height
    for turn in range(4):
        _, encoded = founding.clients[turn].transfer(founding.chain_id, founding.clients[0].address, 1, made.now_ms)
        made.submit(rest[turn].index, 1, (encoded,))
        made.run(7_000 + 1_000 * turn)
    assert {room.watch.height for room in rest} == {tip + 4}
    rounds = [room.watch.final[tip + 1 + turn][1].round for room in rest for turn in range(4)]
    assert set(rounds) == {0}, "nobody had to wait for a leader that is not there"
