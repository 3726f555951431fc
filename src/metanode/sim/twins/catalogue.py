"""The canonical scenarios of a space, numbered: from a number to its scenario and back, without walking.

Relabellings that change nobody's role (symmetry.py) give the same scenario again; of those only the least is played,
reading round after round. So the cut of round 0 is the least of its orbit under all relabellings, that of round 1 the
least of its orbit under those that leave round 0 as it is, and so on. How many scenarios begin with some cuts follows
from the relabellings S that they leave, by Burnside: for k rounds more, 1/|S| times the sum over S of (cuts that it
leaves as they are) ^ k.
"""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from math import comb, gcd
from typing import Final, TypeAlias

from metanode.sim.twins.scenario import EVERYBODY, Cut, Scenario, Space, machines
from metanode.sim.twins.symmetry import cut_under, group, partition_under, partitions, placements

Kept: TypeAlias = tuple[int, ...]
"""Relabellings, by their place in the group of a placement."""


@dataclass(frozen=True, slots=True)
class Branches:
    """How a scenario may go on: the least cuts of each orbit, what relabellings each leaves, and how many scenarios
    there are up to and with each."""

    cuts: tuple[int, ...]
    left: tuple[Kept, ...]
    ends: tuple[int, ...]


class Placement:
    """The scenarios of one placement of the twins. Cuts are numbered: by listener, then in order of the sets."""

    def __init__(self, space: Space, twins: tuple[int, ...]) -> None:
        self.twins: Final = twins
        self._space: Final = space
        self._group: Final = group(space, twins)
        self._partitions: Final = partitions(space.machines, space.sets)
        self._numbers: Final = {sets: number for number, sets in enumerate(self._partitions)}
        listeners = space.machines if space.lone else 0
        self._listeners: Final = range(EVERYBODY, listeners)
        self._moved: Final = [
            [self._numbers[partition_under(sets, new)] for sets in self._partitions] for new in self._group
        ]
        self._unmoved: Final = [
            sum(to == number for number, to in enumerate(moved))
            * sum(self._hears(new, one) == one for one in self._listeners)
            for new, moved in zip(self._group, self._moved, strict=True)
        ]
        self._branches: Final[dict[tuple[Kept, int], Branches]] = {}
        self.all: Final = tuple(range(len(self._group)))
        self.count: Final = self._count(self.all, space.rounds)

    def _hears(self, new: tuple[int, ...], listener: int) -> int:
        return listener if listener == EVERYBODY else new[listener]

    def cut(self, number: int) -> Cut:
        """The cut of a number."""
        listener, sets = divmod(number, len(self._partitions))
        return Cut(self._partitions[sets], listener + EVERYBODY)

    def number(self, cut: Cut) -> int:
        """The number of a cut. Raises `KeyError` if this space has none such."""
        return (cut.listener - EVERYBODY) * len(self._partitions) + self._numbers[cut.sets]

    def _image(self, which: int, number: int) -> int:
        """What a relabelling makes of a cut, by numbers."""
        listener, sets = divmod(number, len(self._partitions))
        heard = self._hears(self._group[which], listener + EVERYBODY) - EVERYBODY
        return heard * len(self._partitions) + self._moved[which][sets]

    def _count(self, kept: Kept, rounds: int) -> int:
        """Burnside: orbits of so many cuts one after another under these relabellings."""
        unmoved: int = sum(pow(self._unmoved[which], rounds) for which in kept)
        orbits, rest = divmod(unmoved, len(kept))
        assert rest == 0, "relabellings that are no group"
        return orbits

    def branches(self, kept: Kept, rounds: int) -> Branches:
        """The least cuts, where so many rounds follow."""
        known = self._branches.get((kept, rounds))
        if known is not None:
            return known
        cuts, left = [], []
        for number in range(len(self._listeners) * len(self._partitions)):
            images = [self._image(which, number) for which in kept]
            if min(images) == number:
                cuts.append(number)
                left.append(tuple(which for which, image in zip(kept, images, strict=True) if image == number))
        ends = tuple(accumulate(self._count(stays, rounds) for stays in left))
        found = self._branches[kept, rounds] = Branches(tuple(cuts), tuple(left), ends)
        return found

    def unrank(self, index: int) -> tuple[Cut, ...]:
        """The cuts of a scenario."""
        kept, cuts = self.all, []
        for rounds in reversed(range(self._space.rounds)):
            branches = self.branches(kept, rounds)
            place = bisect_right(branches.ends, index)
            index -= branches.ends[place - 1] if place else 0
            cuts.append(self.cut(branches.cuts[place]))
            kept = branches.left[place]
        return tuple(cuts)

    def rank(self, cuts: Sequence[Cut]) -> int:
        """The number of a scenario, whichever of its relabellings this is."""
        kept, index, cuts = self.all, 0, list(cuts)
        for at, rounds in enumerate(reversed(range(self._space.rounds))):
            number = self.number(cuts[at])
            least, which = min((self._image(which, number), which) for which in kept)
            cuts = [cut_under(cut, self._group[which]) for cut in cuts]
            branches = self.branches(kept, rounds)
            place = branches.cuts.index(least)
            index += branches.ends[place - 1] if place else 0
            kept = branches.left[place]
        return index


class Catalogue:
    """`all`: scenarios of a space as they can be written down; `count`: those that differ."""

    def __init__(self, space: Space) -> None:
        self.space: Final = space
        self._placements: Final = [Placement(space, twins) for twins in placements(space)]
        self._ends: Final = tuple(accumulate(placement.count for placement in self._placements))
        cuts = len(partitions(space.machines, space.sets)) * (1 + space.machines * space.lone)
        self.all: Final = comb(space.seats, space.twins) * cuts**space.rounds
        self.count: Final = self._ends[-1]
        golden = self.count * 618_034 // 1_000_000
        self._stride: Final = next(step for step in range(golden, 2 * self.count + 2) if gcd(step, self.count) == 1)

    def unrank(self, index: int) -> Scenario:
        """The scenario of a number below `count`."""
        if not 0 <= index < self.count:
            raise ValueError(f"{self.space.name} has scenarios 0 to {self.count - 1}")
        place = bisect_right(self._ends, index)
        placement = self._placements[place]
        cuts = placement.unrank(index - (self._ends[place - 1] if place else 0))
        return Scenario(self.space, index, placement.twins, cuts)

    def rank(self, twins: tuple[int, ...], cuts: Sequence[Cut]) -> int:
        """The number of a scenario, however its seats and twins were named."""
        first, space = self.space.leading, self.space
        rest = range(first, space.seats)
        order = [*range(first), *(s for s in rest if s in twins), *(s for s in rest if s not in twins)]
        canonical = tuple(new for new, seat in enumerate(order) if seat in twins)
        old, new = machines(space.seats, twins), machines(space.seats, canonical)
        moved = tuple(new.index(order.index(seat)) + (at - old.index(seat)) for at, seat in enumerate(old))
        place = next(at for at, one in enumerate(self._placements) if one.twins == canonical)
        before = self._ends[place - 1] if place else 0
        return before + self._placements[place].rank([cut_under(cut, moved) for cut in cuts])

    def nth(self, turn: int) -> int:
        """The number that has its turn: each number once, and every beginning of the row spread evenly over all."""
        return turn * self._stride % self.count
