"""The leader dies: whoever is about to propose is killed, and comes back a second or two later."""

from dataclasses import dataclass, field

import pytest
from tests.simulation.plan import Plan

from metanode.node.effects import PublishFinal
from metanode.records.header import read_header
from metanode.sim.storm import Sky, Storm


@dataclass(slots=True)
class LeaderDies(Storm):
    """Once in three heights; never two at a time."""

    seen: dict[int, bool] = field(default_factory=dict)

    def begin(self, sky: Sky) -> None:
        """Wait for blocks."""

        def hear(_: int, final: PublishFinal) -> None:
            if final.height in self.seen or not self.raging(sky):
                return
            self.seen[final.height] = True
            leader = (read_header(final.header).proposer + 1) % len(sky.rooms)
            if sky.random.randrange(3) == 0 and all(room.alive for room in sky.rooms):
                sky.at(sky.random.randrange(150), lambda: self._kill(sky, leader))

        for room in sky.rooms:
            room.listeners.append(hear)

    def _kill(self, sky: Sky, leader: int) -> None:
        if all(room.alive for room in sky.rooms):
            sky.crash(leader)
            sky.at(sky.random.randint(500, 2_500), lambda: sky.boot(leader))


PLAN = Plan(
    name="leader_dies",
    storm=lambda _, __: LeaderDies("leader_dies", heals_ms=10_000, bound_ms=12_000, gap_ms=3_000),
    seeds={4: 10, 5: 2, 6: 2, 7: 2, 10: 1},
)


@pytest.mark.parametrize(("count", "seed"), PLAN.cases())
def test_another_leader_takes_over(count, seed):
    PLAN.play(count, seed)
