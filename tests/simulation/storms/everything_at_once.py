"""Everything at once: cables cut one way or both, links that break, late words, kills and power cuts, at random."""

from dataclasses import dataclass, field

import pytest
from tests.simulation.plan import Plan

from metanode.sim.storm import Sky, Storm


@dataclass(slots=True)
class EverythingAtOnce(Storm):
    """Every 100 to 700 ms something happens to somebody."""

    dead_until: dict[tuple[int, int], int] = field(default_factory=dict)

    def begin(self, sky: Sky) -> None:
        """The first blow."""
        sky.at(200, lambda: self._strike(sky))

    def _strike(self, sky: Sky) -> None:
        if not self.raging(sky):
            return
        random, everybody = sky.random, range(len(sky.rooms))
        one, other = random.sample(everybody, 2)
        match random.randrange(6):
            case 0:
                sky.crash(one)
            case 1:
                sky.cut_power(one)
            case 2:
                sky.break_links(one)
            case 3:
                self._cut(sky, one, other)
            case 4:
                self._cut(sky, one, other)
                self._cut(sky, other, one)
            case _:
                for receiver in everybody:
                    self._cut(sky, one, receiver)
        if not sky.rooms[one].alive:
            sky.at(random.randint(50, 1_500), lambda: sky.boot(one))
        sky.at(random.randint(100, 700), lambda: self._strike(sky))

    def _cut(self, sky: Sky, sender: int, receiver: int) -> None:
        self.dead_until[sender, receiver] = sky.now_ms + sky.random.randint(200, 2_000)

    def cut(self, sky: Sky, sender: int, receiver: int) -> bool:
        """Until it is mended."""
        return self.raging(sky) and sky.now_ms < self.dead_until.get((sender, receiver), 0)


PLAN = Plan(
    name="everything_at_once",
    storm=lambda _, __: EverythingAtOnce(
        "everything_at_once", slow_ppm=30_000, slow_ms=500, break_ppm=1_500, heals_ms=10_000, bound_ms=20_000
    ),
    seeds={4: 14, 5: 3, 6: 3, 7: 4, 10: 1},
)


@pytest.mark.parametrize(("count", "seed"), PLAN.cases())
def test_whatever_happens(count, seed):
    PLAN.play(count, seed)
