"""A liar that shows two faces: to one part of its peers a block and its votes for it, to the rest a twin of it."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import msgspec

from metanode.chain import ibft
from metanode.primitives.names import Millis, Seat
from metanode.records.header import read_header
from metanode.sim.byzantine.speaker import LyingNode
from metanode.sim.machine_room import MachineRoom


class TwoFacedNode(LyingNode):
    """Doubles its own proposals, and its votes for them."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._twins: dict[bytes, bytes] = {}

    def prepare(self, message: Any) -> None:
        """Give a block of ours that is proposed for the first time a twin: the same, a millisecond younger."""
        if isinstance(message, ibft.Proposal) and not message.justification.certificates:
            header = read_header(message.content.header)
            twin = replace(header, timestamp_ms=Millis(header.timestamp_ms + 1))
            self._twins.setdefault(header.hash, twin.encoded)

    def face(self, seat: Seat, message: Any) -> Sequence[Any]:
        """One half of the others sees the twin; which half turns with the height."""
        if not isinstance(message, ibft.Proposal | ibft.Ballot) or message.vote.header_hash not in self._twins:
            return (message,)
        count = len(self._desk.tip.validators)
        if (seat - self._desk.seat) % count <= (count - message.vote.height % 2) // 2:
            return (message,)
        twin = self._twins[message.vote.header_hash]
        vote = self.sign(message.vote, header_hash=read_header(twin).hash)
        if isinstance(message, ibft.Ballot):
            return (ibft.Ballot(vote=vote),)
        content = msgspec.structs.replace(message.content, header=twin)
        return (ibft.Proposal(vote=vote, content=content, justification=message.justification),)


class Equivocator(MachineRoom):
    """The computer of such a node."""

    node_class = TwoFacedNode
