"""What a seat that has decided says to those who have not."""

from dataclasses import dataclass, field
from typing import Final

from metanode.chain.guard import LastWord
from metanode.chain.ibft.events import NO_SEAT, Decide, Effect, SendTo
from metanode.chain.ibft.messages import Ballot, Content, Decided, Message, Proposal, RoundChange, Wanted
from metanode.primitives.names import NO_HASH, Seat
from metanode.records.proposal import ProposalContent

DECIDED_RESENDS_MAX: Final = 16
"""Decisions sent to one peer while one height lasts; who needs more asks for blocks by sync (IBFT-M3)."""
DECIDED_INTERVAL_MS: Final = 200
"""Least time between two to one peer, unless it speaks of a higher round (IBFT-M3)."""
STRAGGLER_MS: Final = 300
"""A vote that comes so soon after the decision is merely late; only a ROUND-CHANGE is answered at once."""
CONTENTS_SENT_MAX: Final = 8
"""Contents sent to one peer while one height lasts."""

WORDS_SENT_MAX: Final = 64
"""Answers to the start-up question sent to one peer while one height lasts: 16 seconds of asking."""


@dataclass(slots=True)
class _Said:
    """To one peer, since the last decision."""

    decided: int = 0
    round: int = -1
    at_ms: int = 0
    contents: int = 0
    words: int = 0


@dataclass(slots=True)
class Answers:
    """IBFT-M3, V5. The last decision, and to whom it was said how often."""

    decision: Decided | None = None
    content: ProposalContent | None = None
    decided_at_ms: int = 0
    _said: dict[Seat, _Said] = field(default_factory=dict)

    def decided(self, decide: Decide, now_ms: int) -> None:
        """A new decision: everybody may hear it."""
        self.decision = Decided(commit=decide.commit, header=decide.content.header)
        self.content = decide.content
        self.decided_at_ms = now_ms
        self._said.clear()

    def forget_peers(self) -> None:
        """IBFT-M3. Of another set each number is another peer, to whom nothing was said."""
        self._said.clear()

    def to_late(self, message: Message, origin: Seat, now_ms: int) -> list[Effect]:
        """IBFT-M3. A seat still speaks of what is decided: it hears the decision, bounded by peer, round and time."""
        if origin == NO_SEAT or self.decision is None or not isinstance(message, Proposal | Ballot | RoundChange):
            return []
        if not isinstance(message, RoundChange) and now_ms - self.decided_at_ms < STRAGGLER_MS:
            return []
        said = self._said.setdefault(origin, _Said())
        soon = message.vote.round <= said.round and now_ms - said.at_ms < DECIDED_INTERVAL_MS
        if soon or said.decided >= DECIDED_RESENDS_MAX:
            return []
        said.decided += 1
        said.round, said.at_ms = max(said.round, message.vote.round), now_ms
        return [SendTo(origin, self.decision)]

    def to_wanted(self, message: Wanted, origin: Seat, contents: dict[bytes, ProposalContent]) -> list[Effect]:
        """IBFT-C1. A content for the seat that asks, if we hold it: of this height, or the one decided last."""
        if message.header_hash == NO_HASH:
            return self._to_observer(message.height, origin)
        content, decision = contents.get(message.header_hash), self.decision
        if decision is not None and decision.commit.header_hash == message.header_hash:
            content = self.content
        if content is None or origin == NO_SEAT:
            return []
        said = self._said.setdefault(origin, _Said())
        if said.contents >= CONTENTS_SENT_MAX:
            return []
        said.contents += 1
        return [SendTo(origin, Content(height=message.height, content=content))]

    def _to_observer(self, height: int, origin: Seat) -> list[Effect]:
        """IBFT-V5. Who only watches asks what was decided."""
        said, decision = self._said.setdefault(origin, _Said()), self.decision
        if decision is None or decision.commit.height < height or origin == NO_SEAT:
            return []
        if said.decided >= DECIDED_RESENDS_MAX:
            return []
        said.decided += 1
        return [SendTo(origin, decision)]

    def to_asked(self, word: LastWord, origin: Seat) -> list[Effect]:
        """GUARD-8. What we heard of a key, for whoever starts with it; as often as contents, and as small as a vote."""
        said = self._said.setdefault(origin, _Said())
        if origin == NO_SEAT or said.words >= WORDS_SENT_MAX:
            return []
        said.words += 1
        return [SendTo(origin, word)]
