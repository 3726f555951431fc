"""Newcomers into a fleet, one after the other, with indices that are kept as long as they are used."""

from typing import Final

from metanode.docklock.scheduler.answers import Placed, Unplaced
from metanode.docklock.scheduler.candidates import Candidates, static_candidates
from metanode.docklock.scheduler.filters import Question
from metanode.docklock.scheduler.fleet import Fleet
from metanode.docklock.scheduler.values import SEED_BYTES, Newcomer
from metanode.records.demand import Demand

INDICES_MAX: Final = 16
"""Indices kept, one a workload and demand: replicas of one workload mostly come together. Each is some 300 bytes a
node."""


class Scheduler:
    """PLACE-4. Places by the index; `place_plainly` gives the same answers by the definition."""

    def __init__(self, fleet: Fleet, seed: bytes) -> None:
        assert len(seed) == SEED_BYTES
        self.fleet: Final = fleet
        self.seed: Final = seed
        self._indices: Final[dict[tuple[str, Demand, tuple[int, ...]], Candidates]] = {}

    def place(self, newcomer: Newcomer) -> Placed | Unplaced:
        """PLACE-4. The node for a newcomer, or why there is none. Who is placed is taken in by `fleet.take`."""
        question = Question(self.fleet, newcomer)
        held = tuple(self.fleet.held(volume) for volume in question.demand.volumes)
        key = question.replica.workload, question.demand, held
        index = self._indices.pop(key, None)
        if index is None:
            index = Candidates(question, *static_candidates(question, self.fleet.places))
            if len(self._indices) >= INDICES_MAX:
                del self._indices[next(iter(self._indices))]
        self._indices[key] = index
        return index.choose(question, self.seed)
