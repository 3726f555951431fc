"""Two of four are wiped: their disks are replaced by empty ones while the keys stay. They sync, ask for their own last
words, and vote again without contradicting them.

They are wiped at an instant at which nobody has voted in the height at hand. Otherwise the two, who from then on keep
silent at that height, are more than the f that may fail, and an operator has to vouch for one of them.
"""

from dataclasses import dataclass

import pytest
from tests.simulation.plan import Plan

from metanode.sim.storm import Sky, Storm

WIPED = (0, 2)
LOOK_MS = 3


@dataclass(slots=True)
class Wiped(Storm):
    """One a while after the other, or both at once."""

    def begin(self, sky: Sky) -> None:
        """When, and for how long they are away."""
        first = sky.random.randint(300, 1_500)
        if sky.random.randrange(2):
            sky.at(first, lambda: self._wipe_when_quiet(sky, WIPED))
        else:
            sky.at(first, lambda: self._wipe_when_quiet(sky, WIPED[:1]))
            sky.at(first + 1_300, lambda: self._wipe_when_quiet(sky, WIPED[1:]))

    def _wipe_when_quiet(self, sky: Sky, victims: tuple[int, ...]) -> None:
        heights = {room.watch.height for room in sky.rooms}
        words = [room.watch.signed[-1].height for room in sky.rooms if room.watch.signed]
        if len(heights) > 1 or max(words, default=0) > max(heights):
            sky.at(LOOK_MS, lambda: self._wipe_when_quiet(sky, victims))
            return
        for index in victims:
            sky.crash(index)
            sky.rooms[index].wipe()
            sky.at(sky.random.randint(50, 1_000), lambda index=index: sky.boot(index))  # type: ignore[misc]


PLAN = Plan(
    name="two_of_four_wiped",
    storm=lambda _, __: Wiped("two_of_four_wiped", heals_ms=4_000, bound_ms=8_000),
    seeds={4: 12, 5: 2, 6: 1, 7: 2, 10: 1},
    forgetful=WIPED,
    every_ms=40,
)


@pytest.mark.parametrize(("count", "seed"), PLAN.cases())
def test_the_wiped_come_back_and_contradict_nobody(count, seed):
    PLAN.play(count, seed)
