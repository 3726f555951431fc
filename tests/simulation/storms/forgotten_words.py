"""Forgotten words: f seats die soon after they have proposed, forget what they signed, and vote at once when they are
back. The honest ones hear them before they hear each other."""

from dataclasses import dataclass

import msgspec
import pytest
from tests.simulation.plan import Plan, one_convicted

from metanode.primitives.bitmap import faults
from metanode.records.vote import VoteKind
from metanode.sim.acts import PARAMETERS
from metanode.sim.byzantine.amnesiac import Amnesiac
from metanode.sim.storm import Sky, Storm

LOOK_MS = 4
"""How often a storm looks whether somebody has spoken."""


@dataclass(slots=True)
class HonestLinksAreSlow(Storm):
    """A round among the others takes so long that these can live twice in it."""

    liars: tuple[int, ...] = ()
    slow_min_ms: int = 80
    slow_max_ms: int = 110

    def delay_ms(self, sky: Sky, sender: int, receiver: int) -> int:
        """Their own cables are the short ones, until it heals."""
        slow = self.raging(sky) and sender not in self.liars and receiver not in self.liars
        return sky.random.randint(self.slow_min_ms, self.slow_max_ms) if slow else sky.random.randint(1, 5)


def first_seats(count: int) -> tuple[int, ...]:
    """f of them, from the second on."""
    return tuple(range(1, 1 + faults(count)))


def has_spoken(sky: Sky, index: int) -> bool:
    """Whether a node has just committed, or proposed, in a height that it has not decided."""
    room = sky.rooms[index]
    kinds = [vote.kind for vote in room.watch.signed[-2:] if vote.height > room.watch.height]
    return room.alive and (VoteKind.COMMIT in kinds or VoteKind.PROPOSAL in kinds)


LONG_ROUNDS = msgspec.structs.replace(PARAMETERS, round_timeout_ms=2_000)
"""Longer than a machine needs to start, find its peers and ask them what it said."""

PLAN = Plan(
    name="forgotten_words",
    storm=lambda count, _: HonestLinksAreSlow(
        "forgotten_words", heals_ms=6_000, bound_ms=8_000, liars=first_seats(count)
    ),
    seeds={4: 2, 5: 1, 6: 1, 7: 1, 10: 1},
    most=True,
    liar=Amnesiac,
    also=one_convicted,
)


@pytest.mark.parametrize(("count", "seed"), PLAN.cases())
def test_who_forgets_what_it_signed_harms_nobody(count, seed):
    """With two liars or more one is convicted; with one it is chance whether both of its words are heard."""
    PLAN.play(count, seed)
