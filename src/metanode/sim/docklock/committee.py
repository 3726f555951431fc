"""A committee under a pretend cluster: whole validators, with links and clocks that obey the same seed."""

from collections.abc import Callable
from random import Random
from typing import Final

from metanode.node.effects import PublishFinal
from metanode.node.rows import STATE
from metanode.primitives.names import Hash
from metanode.records.calls import Call
from metanode.records.receipt import TransactionOrigin
from metanode.sim.docklock.chain import Block, Done
from metanode.sim.docklock.clock import Action
from metanode.sim.founding import START_MS, Client, Founding, computer, found
from metanode.sim.machine_room import MachineRoom
from metanode.sim.storm import Storm
from metanode.sim.world import World

RESEND_MS: Final = 700
"""What is not final is said again after so long, to whichever validator lives."""


class StateOf:
    """The state on the disk of one validator."""

    def __init__(self, room: MachineRoom) -> None:
        self._room: Final = room

    def get(self, key: bytes) -> bytes | None:
        """The value of a key."""
        return self._room.disk.rows.get(STATE + key)


class WorldTime:
    """The clock of the validators' world."""

    def __init__(self, world: World) -> None:
        self.world: Final = world

    @property
    def random(self) -> Random:
        """The world's."""
        return self.world.random

    @property
    def now_ms(self) -> int:
        """The world's."""
        return self.world.now_ms

    @property
    def age_ms(self) -> int:
        """How long the world has been there."""
        return self.world.now_ms - self.world.start_ms

    @property
    def steps(self) -> int:
        """Events of nodes and validators."""
        return self.world.steps

    @property
    def fingerprint(self) -> str:
        """Of nodes and validators."""
        return self.world.fingerprint

    def at(self, delay_ms: int, action: Action) -> None:
        """Do something later."""
        self.world.at(delay_ms, action)

    def run(self, until_ms: int, done: Callable[[], bool] = lambda: False) -> bool:
        """Run the whole world."""
        return self.world.run(until_ms, done)

    def record(self, what: str) -> None:
        """A happening among the nodes."""
        self.world.record(-1, what)


class Committee:
    """The chain that validators agree on; a block is heard when the first of them calls it final."""

    def __init__(self, world: World, founding: Founding) -> None:
        self._world: Final = world
        self._founding: Final = founding
        self._waiting: dict[Hash, tuple[bytes, Done]] = {}
        self._height = 0
        self._request = 0
        self.listeners: list[Callable[[Block], None]] = []
        for room in world.rooms:
            room.listeners.append(self._hear)
        world.at(RESEND_MS, self._again)

    def submit(self, client: Client, call: Call, done: Done) -> None:
        """Sign, and say it until it is final."""
        name, encoded = client.sign(self._founding.chain_id, (call,), self._world.now_ms)
        self._waiting[name] = (encoded, done)
        self._say((encoded,))

    def _say(self, transactions: tuple[bytes, ...]) -> None:
        up = [room.index for room in self._world.rooms if room.alive]
        if up and transactions:
            self._request += 1
            self._world.submit(up[self._world.random.randrange(len(up))], self._request, transactions)

    def _again(self) -> None:
        self._say(tuple(encoded for encoded, _ in self._waiting.values()))
        self._world.at(RESEND_MS, self._again)

    def _hear(self, index: int, final: PublishFinal) -> None:
        if final.height <= self._height:
            return
        self._height = final.height
        told = []
        for receipt in final.receipts:
            if isinstance(receipt.origin, TransactionOrigin):
                waiting = self._waiting.pop(Hash(receipt.origin.identity), None)
                if waiting is not None:
                    told.append((waiting[1], receipt.code))
        events = tuple(event for receipt in final.receipts for event in receipt.events)
        block = Block(final.height, final.timestamp_ms, events, StateOf(self._world.rooms[index]))
        for done, code in told:
            done(final.height, code)
        for listener in self.listeners:
            listener(block)


def committee(
    storm: Callable[[], Storm], validators: int = 4
) -> Callable[[int], tuple[WorldTime, Committee, Founding]]:
    """The ground of a pretend cluster: so many validators under a storm of their own."""

    def ground(seed: int) -> tuple[WorldTime, Committee, Founding]:
        founding = found(validators)
        rooms = [computer(founding, at, seat, founding.validators) for at, seat in enumerate(founding.validators)]
        world = World(seed, rooms, storm(), START_MS)
        chain = Committee(world, founding)
        world.start()
        return WorldTime(world), chain, founding

    return ground
