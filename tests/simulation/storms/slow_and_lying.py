"""Slow and lying: f honest seats are so slow that each word of theirs takes more than half a round, and f others lie;
every decision needs the slow ones."""

from dataclasses import dataclass

import pytest
from tests.simulation.plan import Plan

from metanode.primitives.bitmap import faults
from metanode.sim.byzantine.silent import Silent
from metanode.sim.storm import Sky, Storm

SLOW_MS = 250


@dataclass(slots=True)
class SlowSeats(Storm):
    """The last f seats hear and speak late, for ever."""

    slow: tuple[int, ...] = ()

    def delay_ms(self, sky: Sky, sender: int, receiver: int) -> int:
        """Either end of a slow cable."""
        late = SLOW_MS if sender in self.slow or receiver in self.slow else 0
        return late + sky.random.randint(self.delay_min_ms, self.delay_max_ms)


def _slow(count: int) -> Storm:
    slow = tuple(range(count - faults(count), count))
    return SlowSeats("slow_and_lying", slow=slow, heals_ms=6_000, bound_ms=16_000)


PLAN = Plan(
    name="slow_and_lying",
    storm=lambda count, _: _slow(count),
    seeds={4: 2, 5: 1, 6: 1, 7: 1, 10: 1},
    most=True,
    liar=Silent,
    every_ms=150,
)


@pytest.mark.parametrize(("count", "seed"), PLAN.cases())
def test_f_slow_and_f_lying_stop_nobody(count, seed):
    """Everybody who is honest, the slow ones too, has everything within the bound."""
    PLAN.play(count, seed)
