"""What liars share that propose blocks which are not what they say: the header of each of their fresh blocks is bent,
for everybody in the same way, and they vote for it themselves."""

from collections.abc import Sequence
from typing import Any

import msgspec

from metanode.chain import ibft
from metanode.primitives.names import Seat
from metanode.records.header import Header, read_header
from metanode.sim.byzantine.speaker import LyingNode


class BendingNode(LyingNode):
    """Bends by `bend`, another way each time it leads."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._bent: dict[bytes, Header] = {}
        self._turn = 0

    def bend(self, header: Header, turn: int) -> Header:
        """The lie of this turn."""
        raise NotImplementedError

    def prepare(self, message: Any) -> None:
        """A block of ours that is proposed for the first time."""
        if isinstance(message, ibft.Proposal) and not message.justification.certificates:
            header = read_header(message.content.header)
            if header.hash not in self._bent and header.proposer == self._desk.seat:
                self._bent[header.hash] = self.bend(header, self._turn)
                self._turn += 1

    def face(self, seat: Seat, message: Any) -> Sequence[Any]:
        """The bent block, and our votes for it."""
        del seat
        if not isinstance(message, ibft.Proposal | ibft.Ballot) or message.vote.header_hash not in self._bent:
            return (message,)
        bent = self._bent[message.vote.header_hash]
        vote = self.sign(message.vote, header_hash=bent.hash)
        if isinstance(message, ibft.Ballot):
            return (ibft.Ballot(vote=vote),)
        content = msgspec.structs.replace(message.content, header=bent.encoded)
        return (ibft.Proposal(vote=vote, content=content, justification=message.justification),)
