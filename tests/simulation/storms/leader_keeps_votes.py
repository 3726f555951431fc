"""Votes go by way of the leader, and leaders keep what they heard: it costs half a timeout, and no round."""

from dataclasses import dataclass, field

import msgspec
import pytest
from tests.simulation.plan import Plan

from metanode.records.vote import VoteKind
from metanode.sim.acts import PARAMETERS
from metanode.sim.storm import Sky, Storm

BY_LEADER = msgspec.structs.replace(PARAMETERS, all_to_all_max=1)
"""In small sets, too."""


HEARD_MS = 8
"""Its proposal still reaches everybody."""
UNHEARD_MS = 450
"""More than a round takes."""


@dataclass(slots=True)
class LeaderKeepsVotes(Storm):
    """Of two heights in three nobody hears the leader for a while once it has proposed; it hears everybody. Never two
    at once: where f is one they would be too many."""

    mute: dict[tuple[int, int], tuple[int, int]] = field(default_factory=dict)

    def cut(self, sky: Sky, sender: int, receiver: int) -> bool:
        """From when its proposal has left."""
        del receiver
        proposals = [vote.height for vote in sky.rooms[sender].watch.signed[-4:] if vote.kind == VoteKind.PROPOSAL]
        if not self.raging(sky) or not proposals:
            return False
        key = (sender, proposals[-1])
        if key not in self.mute:
            starts = sky.now_ms + HEARD_MS
            unheard = sky.random.randrange(3) > 0 and all(ends <= starts for _, ends in self.mute.values())
            self.mute[key] = (starts, starts + UNHEARD_MS * unheard)
        starts, ends = self.mute[key]
        return starts <= sky.now_ms < ends


PLAN = Plan(
    name="leader_keeps_votes",
    storm=lambda _, __: LeaderKeepsVotes("leader_keeps_votes", heals_ms=8_000, bound_ms=6_000, gap_ms=580),
    seeds={4: 4, 5: 1, 6: 1, 7: 2, 10: 1},
    parameters=BY_LEADER,
)


@pytest.mark.parametrize(("count", "seed"), PLAN.cases())
def test_the_others_fall_back_on_each_other(count, seed):
    PLAN.play(count, seed)
