"""What a seat notes of a height beside what it remembers: when, in which round of its own. Nothing depends on it."""

from dataclasses import dataclass, field
from typing import Final, TypeVar

from metanode.records.transcript import REFUSAL_TEXT_MAX, Arrival, LateWord, Notes, RoundEntered, TurnedDown
from metanode.records.vote import Vote

Key = TypeVar("Key")

ROUNDS_NOTED_MAX: Final = 128
"""The latest rounds entered: an hour at the longest timeout."""
TURNED_DOWN_MAX: Final = 64
"""The latest proposals found invalid: one a round."""


OVERDUE_MAX: Final = 64
"""Late words of a seat that are known, of the latest heights: some seconds of a chain in a hurry."""


@dataclass(slots=True)
class Overdue:
    """STALL-1. Words of heights that are over, by the link of their sender: the last of each seat, height and kind."""

    words: dict[tuple[int, int, int], LateWord] = field(default_factory=dict)

    def came(self, vote: Vote, now_ms: int) -> None:
        """A PROPOSAL or ROUND-CHANGE: votes of stragglers are too common to tell anything."""
        _note(self.words, (vote.seat, vote.height, vote.kind), vote, vote.round, now_ms)
        of_seat = sorted(key for key in self.words if key[0] == vote.seat)
        for key in of_seat[:-OVERDUE_MAX]:
            del self.words[key]


def _note(words: dict[Key, LateWord], key: Key, vote: Vote, own_round: int, now_ms: int) -> None:
    known = words.get(key)
    words[key] = LateWord(
        seat=vote.seat,
        kind=vote.kind,
        height=vote.height,
        round=vote.round,
        own_round=own_round,
        at_ms=now_ms,
        count=1 + (known.count if known is not None else 0),
    )


@dataclass(slots=True)
class Diary:
    """STALL-1. Of one height. `now_ms`: by the last event."""

    now_ms: int = 0
    began_ms: int = 0
    rounds: list[RoundEntered] = field(default_factory=list)
    arrivals: dict[tuple[int, int], dict[int, tuple[int, int]]] = field(default_factory=dict)
    late: dict[int, LateWord] = field(default_factory=dict)
    turned_down: list[TurnedDown] = field(default_factory=list)

    def arrived(self, vote: Vote, own_round: int) -> None:
        """A checked vote counts for the first time."""
        self.arrivals.setdefault((vote.kind, vote.round), {})[vote.seat] = (self.now_ms, own_round)

    def entered(self, round_: int) -> None:
        """A round begins here."""
        self.rounds.append(RoundEntered(round=round_, at_ms=self.now_ms))
        del self.rounds[:-ROUNDS_NOTED_MAX]

    def came_late(self, vote: Vote, own_round: int) -> None:
        """By the link of its own sender, too late to be looked at."""
        _note(self.late, vote.seat, vote, own_round, self.now_ms)

    def refused(self, seat: int, round_: int, header_hash: bytes, refusal: str) -> None:
        """A proposal of this seat was found invalid."""
        why = refusal[:REFUSAL_TEXT_MAX]
        self.turned_down.append(TurnedDown(seat=seat, round=round_, header_hash=header_hash, refusal=why))
        del self.turned_down[:-TURNED_DOWN_MAX]

    def notes(self) -> Notes:
        """All of it, as it is kept and shown."""
        arrivals = tuple(
            Arrival(kind=kind, round=round_, seat=seat, at_ms=at_ms, own_round=own_round)
            for (kind, round_), table in self.arrivals.items()
            for seat, (at_ms, own_round) in table.items()
        )
        late = tuple(self.late.values())
        return Notes(
            version=1,
            began_ms=self.began_ms,
            rounds=tuple(self.rounds),
            arrivals=arrivals,
            late=late,
            turned_down=tuple(self.turned_down),
        )
