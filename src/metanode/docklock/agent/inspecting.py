"""What a node is to look at elsewhere: each duty a few looks, then one word."""

from dataclasses import dataclass
from typing import Final

from metanode.docklock.agent.events import Inspect, Inspected
from metanode.docklock.agent.state import NEVER
from metanode.docklock.cluster.state import Duty
from metanode.records.cluster import SIGHTINGS_MAX, SIGHTS, Sighting

LOOKS: Final = 3
"""Looks before a prober says anything but `seen`: one lost connection is no finding."""
LOOKS_APART: Final = 8
"""An eighth of the timeout lies between two looks: three are over in good time before the inspection is."""
NO_STATEMENT: Final = bytes(32)
"""Stands for the digest of a statement where there is none."""


@dataclass(slots=True)
class _Look:
    """A duty under way. `best`: the best sight so far; `word`: settled, to be said; `said`: the chain has it."""

    looks: int = 0
    looking: bool = False
    next_ms: int = 0
    best: str = SIGHTS[-1]
    statement: bytes = NO_STATEMENT
    word: bool = False
    said: bool = False


class Prober:
    """PROBE-4. The duties of one node."""

    def __init__(self) -> None:
        self._looks: dict[Duty, _Look] = {}
        self._under_way: tuple[Duty, ...] = ()

    def follow(self, now_ms: int, duties: tuple[Duty, ...]) -> None:
        """PROBE-3. What the share names is looked at; what it does not name any more is forgotten."""
        self._looks = {duty: self._looks.get(duty) or _Look(next_ms=now_ms) for duty in duties}

    def heard(self, event: Inspected, timeout_ms: int) -> None:
        """PROBE-4. What one look found: `seen` is enough, anything else is looked at again, and the best counts."""
        look = self._looks.get(event.duty)
        if look is None or look.word:
            return
        look.looking = False
        look.looks += 1
        if look.looks == 1 or SIGHTS.index(event.sight) < SIGHTS.index(look.best):
            look.best, look.statement = event.sight, event.statement
        look.word = look.best == SIGHTS[0] or look.looks >= LOOKS
        look.next_ms = NEVER if look.word else event.now_ms + max(timeout_ms // LOOKS_APART, 1)

    def due(self, now_ms: int) -> list[Inspect]:
        """The looks that are due now."""
        found = []
        for duty, look in self._looks.items():
            if look.next_ms <= now_ms and not look.looking:
                look.looking, look.next_ms = True, NEVER
                found.append(Inspect(duty))
        return found

    def set_back(self, by_ms: int) -> None:
        """AGENT-17. The clock was set back."""
        for look in self._looks.values():
            look.next_ms -= by_ms if look.next_ms < NEVER else 0

    @property
    def next_ms(self) -> int:
        """When the next look is due."""
        return min((look.next_ms for look in self._looks.values()), default=NEVER)

    @property
    def has_news(self) -> bool:
        """Whether there is a word to be said."""
        return any(look.word and not look.said for look in self._looks.values())

    def speak(self) -> tuple[Sighting, ...]:
        """PROBE-4. The words for the report that is about to be sent."""
        due = [duty for duty, look in self._looks.items() if look.word and not look.said]
        self._under_way = tuple(due[:SIGHTINGS_MAX])
        return tuple(
            Sighting(
                node=duty.node,
                workload=duty.workload,
                index=duty.index,
                attempt=duty.attempt,
                sight=self._looks[duty].best,
                statement=self._looks[duty].statement,
            )
            for duty in self._under_way
        )

    def reported(self, *, final: bool) -> None:
        """AGENT-8. What became of the report: what is not final is said again."""
        for duty in self._under_way if final else ():
            if duty in self._looks:
                self._looks[duty].said = True
        self._under_way = ()
