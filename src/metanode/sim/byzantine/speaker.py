"""What liars share: an honest node whose IBFT speaks through another mouth, and keys that sign past the guard."""

from collections.abc import Sequence
from typing import Any

import msgspec

from metanode.chain import ibft
from metanode.node.machine import Node
from metanode.primitives.names import Seat
from metanode.records.vote import Vote
from metanode.sim.signing import sign_again


class LyingNode(Node):
    """An honest node with a liar's mouth. A liar says what `face` gives for each message and seat."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        honest, carry = self._rooms["ibft"]
        self._honest = honest
        self._rooms["ibft"] = (self._lie, carry)

    def _lie(self, event: Any) -> Sequence[Any]:
        said: list[Any] = []
        for effect in self._honest(event):
            match effect:
                case ibft.Broadcast(message):
                    self.prepare(message)
                    for seat in range(len(self._desk.tip.validators)):
                        said += [ibft.SendTo(Seat(seat), shown) for shown in self.face(Seat(seat), message)]
                case ibft.SendTo(seat, message):
                    said += [ibft.SendTo(seat, shown) for shown in self.face(seat, message)]
                case _:
                    said.append(effect)
        return said

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
        )
