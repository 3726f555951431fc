"""A liar that shows two faces: to one part of its peers a block and its votes for it, to the rest a twin of it."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import msgspec

from metanode.chain import ibft
from metanode.node.machine import Node
from metanode.primitives.names import Hash, Millis, Seat
from metanode.records.header import read_header
from metanode.records.vote import Vote
from metanode.sim.machine_room import MachineRoom
from metanode.sim.signing import sign_again


class TwoFacedNode(Node):
    """An honest node with a liar's mouth: what IBFT says is doubled on its way out."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._twins: dict[bytes, bytes] = {}
        honest, carry = self._rooms["ibft"]
        self._honest = honest
        self._rooms["ibft"] = (self._lie, carry)

    def _lie(self, event: Any) -> Sequence[Any]:
        said: list[Any] = []
        for effect in self._honest(event):
            match effect:
                case ibft.Broadcast(message):
                    self._meet(message)
                    seats = range(len(self._desk.tip.validators))
                    said += [ibft.SendTo(Seat(seat), self._face(Seat(seat), message)) for seat in seats]
                case ibft.SendTo(seat, message):
                    said.append(ibft.SendTo(seat, self._face(seat, message)))
                case _:
                    said.append(effect)
        return said

    def _meet(self, message: Any) -> None:
        """Give a block of ours that is proposed for the first time a twin: the same, a millisecond younger."""
        if isinstance(message, ibft.Proposal) and not message.justification.certificates:
            header = read_header(message.content.header)
            twin = replace(header, timestamp_ms=Millis(header.timestamp_ms + 1))
            self._twins.setdefault(header.hash, twin.encoded)

    def _face(self, seat: Seat, message: Any) -> Any:
        """What this seat is shown."""
        if not isinstance(message, ibft.Proposal | ibft.Ballot) or message.vote.header_hash not in self._twins:
            return message
        if not self._on_the_other_side(seat, message.vote.height):
            return message
        twin = self._twins[message.vote.header_hash]
        vote = self._sign(message.vote, read_header(twin).hash)
        if isinstance(message, ibft.Ballot):
            return ibft.Ballot(vote=vote)
        content = msgspec.structs.replace(message.content, header=twin)
        return ibft.Proposal(vote=vote, content=content, justification=message.justification)

    def _on_the_other_side(self, seat: Seat, height: int) -> bool:
        """Half of the others, which half turns with the height."""
        count = len(self._desk.tip.validators)
        return (seat - self._desk.seat) % count > (count - height % 2) // 2

    def _sign(self, vote: Vote, header_hash: Hash) -> Vote:
        """Another vote of ours, by our own keys and past our own guard."""
        desk = self._desk
        validators = desk.tip.validators
        return sign_again(
            msgspec.structs.replace(vote, header_hash=header_hash),
            chain_id=desk.chain_id,
            validators_hash=validators.hash,
            vote_key=desk.settings.vote_key,
            bls_key=validators[desk.seat].bls_key,
        )


class Equivocator(MachineRoom):
    """The computer of such a node."""

    node_class = TwoFacedNode
