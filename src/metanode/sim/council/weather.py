"""What befalls a council: drawn from a seed, so that a hundred thousand seeds are a hundred thousand storms."""

from dataclasses import dataclass
from random import Random
from typing import Final

COUNTS: Final = (4, 5, 6, 7, 10)
"""Councils of so many chairs are drawn."""


@dataclass(frozen=True, slots=True)
class Weather:
    """One storm, in milliseconds and in percent of messages.

    `late_ms`: how much later than others a message may be, so that links overtake each other. `strike_ms`: about how
    often something happens to somebody, 0: never; of what kinds, say `cuts` (one way), `partitions` (both ways, between
    two halves) and `kills`. `traps`: how many chairs die at a write, drawn among their first `trap_span` ones, some of
    them twice. `skew`: how much in percent clocks differ. `early`: whether timers fire by chance. `liars`: the last so
    many chairs lie. `changes`: how often the set changes. `thinking_ms`: how long a block may be judged. In councils of
    more than `all_to_all_max` votes go by way of the leader.
    """

    count: int
    late_ms: int = 5
    loss: int = 0
    strike_ms: int = 0
    cuts: bool = False
    partitions: bool = False
    kills: bool = False
    traps: int = 0
    trap_span: int = 40
    skew: int = 0
    early: bool = False
    liars: int = 0
    changes: int = 0
    thinking_ms: int = 0
    all_to_all_max: int = 16
    storm_ms: int = 3_000
    bound_ms: int = 30_000


CALM: Final = Weather(4)
"""Nothing happens."""


def draw(random: Random, count: int = 0) -> Weather:
    """A storm for a council of so many chairs, or of a number that is drawn too."""
    seats = count or random.choice(COUNTS)
    strikes = random.randrange(4) > 0
    return Weather(
        count=seats,
        late_ms=random.choice((2, 10, 60, 400)),
        loss=random.choice((0, 0, 2, 10, 25)),
        strike_ms=random.choice((150, 400, 900)) if strikes else 0,
        cuts=random.randrange(2) > 0,
        partitions=random.randrange(2) > 0,
        kills=random.randrange(2) > 0,
        traps=random.choice((0, 0, 1, seats // 2, seats)),
        trap_span=random.choice((12, 40, 120)),
        skew=random.choice((0, 10, 40)),
        early=random.randrange(3) == 0,
        liars=random.choice((0, 0, 1, (seats - 1) // 3)),
        changes=random.choice((0, 0, 0, 3)),
        thinking_ms=random.choice((0, 0, 20)),
        all_to_all_max=random.choice((16, 16, 16, 3)),
        storm_ms=random.choice((1_500, 3_000, 5_000)),
    )
