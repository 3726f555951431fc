"""What liars share: an honest node whose rooms speak through another mouth, and keys that sign past the guard."""

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import msgspec

from metanode.chain import ibft
from metanode.node import events as heard
from metanode.node.effects import Effect
from metanode.node.machine import Node
from metanode.primitives.names import Seat
from metanode.records.vote import Vote
from metanode.sim.machine_room import MachineRoom
from metanode.sim.seals import STAND_INS, Seals
from metanode.sim.signing import sign_again


class LyingNode(Node):
    """An honest node with a liar's mouth: of each message of IBFT a seat is shown what `face` gives, `wait_ms` later.

    `seals`: whose arithmetic its world has; its room says so.
    """

    seals: Seals = STAND_INS
    wait_ms: ClassVar[int] = 0

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._held: list[tuple[int, Any]] = []
        self.mend("ibft", self._lie)

    def mend(self, room: str, lie: Callable[[Callable[[Any], Sequence[Any]], Any], Sequence[Any]]) -> None:
        """Put a lie before a room: it gets the honest room and the event, and gives the effects."""
        honest, carry = self._rooms[room]
        self._rooms[room] = (lambda event: lie(honest, event), carry)

    def handle(self, event: heard.Event) -> list[Effect]:
        """What was held back long enough is said now."""
        carry = self._rooms["ibft"][1]
        due = [word for at_ms, word in self._held if at_ms <= event.now_ms]
        self._held = [(at_ms, word) for at_ms, word in self._held if at_ms > event.now_ms]
        for word in due:
            carry(self._desk, word)
        return super().handle(event)

    def _lie(self, honest: Callable[[Any], Sequence[Any]], event: Any) -> Sequence[Any]:
        said: list[Any] = []
        for effect in honest(event):
            match effect:
                case ibft.Broadcast(message):
                    self.prepare(message)
                    for seat in range(len(self._desk.tip.validators)):
                        said += self._hold([ibft.SendTo(Seat(seat), shown) for shown in self.face(Seat(seat), message)])
                case ibft.SendTo(seat, message):
                    said += self._hold([ibft.SendTo(seat, shown) for shown in self.face(seat, message)])
                case _:
                    said.append(effect)
        return said

    def _hold(self, words: list[ibft.SendTo]) -> list[ibft.SendTo]:
        if not self.wait_ms:
            return words
        self._held += [(self._desk.now_ms + self.wait_ms, word) for word in words]
        return []

    def prepare(self, message: Any) -> None:
        """Before a message goes to anybody."""

    def face(self, seat: Seat, message: Any) -> Sequence[Any]:
        """What this seat is shown in place of a message."""
        raise NotImplementedError

    def sign(self, vote: Vote, **changed: Any) -> Vote:
        """Another vote of ours, by our own keys and past our own guard."""
        desk = self._desk
        return sign_again(
            msgspec.structs.replace(vote, **changed),
            chain_id=desk.chain_id,
            validators_hash=desk.tip.validators.hash,
            vote_key=desk.settings.vote_key,
            bls_key=desk.tip.validators[desk.seat].bls_key,
            seals=self.seals,
        )


class VouchingNode(Node):
    """Its operator vouches at every start for what he does not know: it never waits for an answer of its peers."""

    def _boot(self, journal: tuple[bytes, ...], guard: bytes, *, may_vote: bool) -> None:
        super()._boot(journal, guard, may_vote=may_vote)
        self._desk.tell("ibft", ibft.VotingAllowed(self._desk.now_ms))


class Liar(MachineRoom):
    """The computer of such a node, `lying`."""

    lying: type[LyingNode]

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.node_class = self._make

    def _make(self, *arguments: Any) -> Node:
        node = self.lying(*arguments)
        node.seals = self.seals
        return node
