"""The first decider vanishes: COMMITs get lost, one node decides, and is cut off before it can tell anybody."""

from dataclasses import dataclass, field

import pytest
from tests.simulation.plan import Plan

from metanode.node.effects import PublishFinal
from metanode.records.vote import VoteKind
from metanode.sim.storm import Sky, Storm


@dataclass(slots=True)
class FirstDeciderVanishes(Storm):
    """Of each COMMIT it is drawn anew on which links it breaks. Whoever decides first, every other height, is away."""

    loss_percent: int = 45
    drawn: dict[tuple[int, int, int, int], bool] = field(default_factory=dict)
    away: dict[int, int] = field(default_factory=dict)
    seen: dict[int, bool] = field(default_factory=dict)

    def begin(self, sky: Sky) -> None:
        """Wait for the first to decide."""

        def hear(index: int, final: PublishFinal) -> None:
            first = final.height not in self.seen
            self.seen[final.height] = True
            if first and self.raging(sky) and final.height % 2 and not self._is_away(sky, *range(len(sky.rooms))):
                self.away[index] = sky.now_ms + sky.random.randint(1_000, 2_500)
                sky.break_links(index)

        for room in sky.rooms:
            room.listeners.append(hear)

    def _is_away(self, sky: Sky, *nodes: int) -> bool:
        return any(sky.now_ms < self.away.get(node, 0) for node in nodes)

    def cut(self, sky: Sky, sender: int, receiver: int) -> bool:
        """Whoever is away hears and says nothing."""
        return self._is_away(sky, sender, receiver)

    def breaks(self, sky: Sky, sender: int, receiver: int) -> bool:
        """The first words of a node after it has signed a COMMIT are, likely, the COMMIT."""
        signed = sky.rooms[sender].watch.signed
        if not self.raging(sky) or not signed or signed[-1].kind != VoteKind.COMMIT:
            return False
        key = (signed[-1].height, signed[-1].round, sender, receiver)
        if key in self.drawn:
            return False
        self.drawn[key] = sky.random.randrange(100) < self.loss_percent
        return self.drawn[key]


PLAN = Plan(
    name="first_decider_vanishes",
    storm=lambda _, __: FirstDeciderVanishes("first_decider_vanishes", heals_ms=10_000, bound_ms=12_000),
    seeds={4: 14, 5: 2, 6: 2, 7: 4, 10: 1},
)


@pytest.mark.parametrize(("count", "seed"), PLAN.cases())
def test_what_one_decided_all_decide(count, seed):
    PLAN.play(count, seed)
