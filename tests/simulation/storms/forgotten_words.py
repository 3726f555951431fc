"""Forgotten words: f seats die soon after they have proposed, forget what they signed, and vote at once when they are
back. The honest ones hear them before they hear each other."""

from dataclasses import dataclass

import pytest
from tests.simulation.plan import Plan, one_convicted

from metanode.primitives.bitmap import faults
from metanode.sim.byzantine.amnesiac import Amnesiac
from metanode.sim.storm import Sky, Storm


@dataclass(slots=True)
class HonestLinksAreSlow(Storm):
    """A round among the honest takes so long that a liar can live twice in it."""

    liars: tuple[int, ...] = ()

    def delay_ms(self, sky: Sky, sender: int, receiver: int) -> int:
        """The liars' own cables are the short ones, until it heals."""
        slow = self.raging(sky) and sender not in self.liars and receiver not in self.liars
        return sky.random.randint(80, 110) if slow else sky.random.randint(1, 5)


PLAN = Plan(
    name="forgotten_words",
    storm=lambda count, _: HonestLinksAreSlow(
        "forgotten_words", heals_ms=6_000, bound_ms=8_000, liars=tuple(range(1, 1 + faults(count)))
    ),
    seeds={4: 4, 5: 1, 6: 1, 7: 1, 10: 1},
    most=True,
    liar=Amnesiac,
    also=one_convicted,
)


@pytest.mark.parametrize(("count", "seed"), PLAN.cases())
def test_who_forgets_what_it_signed_harms_nobody(count, seed):
    """With two liars or more one is convicted; with one it is chance whether both of its words are heard."""
    PLAN.play(count, seed)
