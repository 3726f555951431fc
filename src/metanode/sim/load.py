"""Clients of the pretend world: they transfer, say it again until it is final, and remember what they were told."""

from dataclasses import dataclass, field
from typing import Final

from metanode.node.effects import PublishFinal
from metanode.node.rows import IDENTITY, place_of
from metanode.primitives.names import Hash
from metanode.sim.founding import Client, Founding
from metanode.sim.world import World

OUTSTANDING_MAX: Final = 6
"""Transfers of one client that are not final yet: enough that blocks hold several of one sender."""
RESEND_MS: Final = 900
"""How often a client says again what is not final, to whichever node it finds."""


@dataclass(slots=True)
class _Person:
    client: Client
    outstanding: dict[Hash, bytes] = field(default_factory=dict)


class Load:
    """Transfers between the founding's clients, one every `every_ms` until `until_ms` after the start.

    `acknowledged`: every transfer that some node called final, and where: (height, index). Nothing of it may be lost.
    `accepted`: what some node took into its pool.
    """

    def __init__(self, world: World, founding: Founding, every_ms: int, until_ms: int) -> None:
        self._world: Final = world
        self._chain_id: Final = founding.chain_id
        self._people: Final = [_Person(client) for client in founding.clients]
        self._every_ms: Final = every_ms
        self._until_ms: Final = until_ms
        self._request = 0
        self._said: dict[Hash, bytes] = {}
        self.made: dict[Hash, bytes] = {}
        self.made_ms: dict[Hash, int] = {}
        self.acknowledged: dict[bytes, tuple[int, int]] = {}
        for room in world.rooms:
            room.listeners.append(self._hear)
        world.at(every_ms, self._next)
        world.at(RESEND_MS, self._again)

    @property
    def waiting(self) -> int:
        """Transfers and other transactions that nobody called final yet."""
        return len(self._said) + sum(len(person.outstanding) for person in self._people)

    @property
    def accepted(self) -> dict[bytes, bool]:
        """Identities that some node took into its pool."""
        found = {}
        for room in self._world.rooms:
            for outcomes in room.watch.outcomes.values():
                found.update({identity: True for identity, code, _, _ in outcomes if not code})
        return found

    def say(self, name: Hash, encoded: bytes) -> None:
        """Somebody's transaction, said like a transfer until it is final."""
        self._said[name] = encoded
        self._submit((encoded,))

    def _next(self) -> None:
        """One more transfer by whose turn it is."""
        world = self._world
        if world.now_ms - world.start_ms >= self._until_ms:
            return
        world.at(self._every_ms, self._next)
        person = self._people[len(self.made) % len(self._people)]
        if len(person.outstanding) >= OUTSTANDING_MAX:
            person = min(self._people, key=lambda one: len(one.outstanding))
        if len(person.outstanding) >= OUTSTANDING_MAX:
            return
        other = self._people[world.random.randrange(len(self._people))].client
        amount = world.random.randint(1, 100)
        name, encoded = person.client.transfer(self._chain_id, other.address, amount, world.now_ms)
        person.outstanding[name] = encoded
        self.made[name] = encoded
        self.made_ms[name] = world.now_ms
        self._submit((encoded,))

    def _again(self) -> None:
        """Everything that is not final, once more: whoever heard it may have crashed. A node may also have made it
        final and crashed before it could say so: whoever asks it, hears."""
        for name in [*self._said, *(name for person in self._people for name in person.outstanding)]:
            self._look_up(name)
        waiting = [*self._said.values(), *(e for person in self._people for e in person.outstanding.values())]
        if waiting:
            self._submit(tuple(waiting))
        self._world.at(RESEND_MS, self._again)

    def _look_up(self, name: Hash) -> None:
        for room in self._world.rooms:
            row = room.disk.rows.get(IDENTITY + name) if room.alive else None
            if row is not None:
                self._settle(name)
                self.acknowledged.setdefault(name, place_of(row))
                return

    def _submit(self, transactions: tuple[bytes, ...]) -> None:
        up = [room.index for room in self._world.rooms if room.alive]
        if up:
            self._request += 1
            self._world.submit(up[self._world.random.randrange(len(up))], self._request, transactions)

    def _hear(self, index: int, final: PublishFinal) -> None:
        del index
        for identity in final.identities:
            self._settle(Hash(identity))
        self._remember(final)

    def _settle(self, name: Hash) -> None:
        self._said.pop(name, None)
        for person in self._people:
            person.outstanding.pop(name, None)

    def _remember(self, final: PublishFinal) -> None:
        for room in self._world.rooms:
            place = room.watch.final.get(final.height)
            if place is not None and place[0] == final.header:
                for identity in final.identities:
                    self.acknowledged.setdefault(identity, room.watch.receipts[identity])
                return
