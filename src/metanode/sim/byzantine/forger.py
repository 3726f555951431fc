"""A liar that speaks for others: with each of its votes it sends the votes of all other seats for a block of its own
choice, under signatures that cannot be good, and on its own link."""

from collections.abc import Sequence
from hashlib import sha256
from typing import Any

import msgspec

from metanode.chain import ibft
from metanode.primitives.names import Seat
from metanode.records.vote import seal_digest
from metanode.sim.byzantine.speaker import LyingNode
from metanode.sim.machine_room import MachineRoom


class ForgingNode(LyingNode):
    """Its own words, and everybody's."""

    def face(self, seat: Seat, message: Any) -> Sequence[Any]:
        """To one half the votes are for the block at hand, to the other for one that nobody has."""
        if not isinstance(message, ibft.Ballot):
            return (message,)
        vote = message.vote
        other = seat % 2 == 0
        header_hash = sha256(vote.header_hash).digest() if other else vote.header_hash
        forged = []
        for victim in range(len(self._desk.tip.validators)):
            if victim not in (seat, self._desk.seat):
                seal = bytes(96) if vote.seal else b""
                attachment = seal_digest(seal) if seal else vote.attachment
                forged.append(
                    ibft.Ballot(
                        vote=msgspec.structs.replace(
                            vote, seat=victim, header_hash=header_hash, seal=seal, attachment=attachment
                        )
                    )
                )
        return (message, *forged)


class Forger(MachineRoom):
    """The computer of such a node."""

    node_class = ForgingNode
