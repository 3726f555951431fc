"""A play in two acts: weather, in which what must never happen does not, and calm, in which all runs in good time."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, TypeAlias

from metanode.records.workload import WorkloadSpec
from metanode.sim.acts import Broken
from metanode.sim.docklock.chain import Chain, Sequencer
from metanode.sim.docklock.clock import Clock, Time
from metanode.sim.docklock.fleet import Fleet
from metanode.sim.docklock.node import Node
from metanode.sim.docklock.samples import service
from metanode.sim.founding import START_MS, Founding, found

LOOK_MS: Final = 200
"""How often the second act looks whether it is over."""
SETTLED_MS: Final = 4_000
"""The weather begins when all that was applied first has had time to start."""
CALM_MS: Final = 1_500
"""The second act lasts that long at least: what is over must stay over."""


@dataclass(slots=True)
class Weather:
    """What befalls the nodes, from `SETTLED_MS` until `heals_ms` after the start. `bound_ms`: how long after that all
    that is desired must run. A subclass plans it in `begin`, and mends all in `heal`."""

    name: str
    heals_ms: int = 20_000
    bound_ms: int = 12_000

    def make(self, number: int) -> type[Node]:
        """What kind of node the one of this number is."""
        del number
        return Node

    def workloads(self, count: int) -> list[tuple[WorkloadSpec, int]]:
        """What is applied first, and how many replicas of each."""
        return [(service("web"), count), (service("api", 800), count)]

    def begin(self, fleet: Fleet) -> None:
        """Plan the weather."""

    def heal(self, fleet: Fleet) -> None:
        """All is mended at once: every node lives, is linked, and its clock is what it is."""
        for node in fleet.nodes.values():
            node.linked = node.reachable = True
            node.boot()
        fleet.apart.clear()

    def also(self, fleet: Fleet) -> Iterator[str]:
        """What it demands in the end beside what all do: that nobody is doubted."""
        if fleet.oracle.doubts:
            yield f"doubted: {fleet.oracle.doubts}"

    def every(self, fleet: Fleet, most_ms: int, act: Callable[[], None]) -> None:
        """Something again and again, at random times, until it heals."""
        clock = fleet.clock

        def again() -> None:
            if clock.age_ms < self.heals_ms:
                act()
                clock.at(clock.random.randint(most_ms // 4, most_ms), again)

        clock.at(SETTLED_MS + clock.random.randrange(most_ms), again)


@dataclass(frozen=True, slots=True)
class Ending:
    """How it went. `healed_after_ms`: from the healing until everything ran."""

    fleet: Fleet
    healed_after_ms: int
    fingerprint: str
    steps: int


Ground: TypeAlias = Callable[[int], tuple[Time, Chain, Founding]]
"""What is under a pretend cluster, from a seed: a clock, a chain, and who founded it."""


def sequencer(seed: int) -> tuple[Time, Chain, Founding]:
    """Blocks at an even pace, without a committee."""
    clock, founding = Clock(seed, START_MS), found(1)
    return clock, Sequencer(clock, founding), founding


def perform(weather: Weather, count: int, seed: int, ground: Ground = sequencer) -> Ending:
    """Both acts. Raises `Broken` where anything does not hold."""
    clock, chain, founding = ground(seed)
    fleet = Fleet(clock, chain, founding)
    fleet.found(count, weather.make)
    for spec, replicas in weather.workloads(count):
        fleet.apply(spec, replicas)
    weather.begin(fleet)

    def demand(when: str, wrong: list[str]) -> None:
        if wrong:
            said = "\n  ".join(wrong[:12])
            raise Broken(f"{weather.name}, {count} nodes, seed {seed}, {when}:\n  {said}")

    def raging(until_ms: int) -> None:
        clock.run(until_ms, lambda: bool(fleet.oracle.wrong))
        demand("in the weather", fleet.oracle.wrong + [f"refused: {code}" for code in fleet.refused])

    raging(weather.heals_ms)
    weather.heal(fleet)
    until_ms, finished_ms = weather.heals_ms, 0
    while until_ms < weather.heals_ms + weather.bound_ms:
        until_ms += LOOK_MS
        raging(until_ms)
        assert fleet.state is not None, "blocks are made all the time"
        over = not any(fleet.oracle.unfinished(fleet.state))
        finished_ms = (finished_ms or until_ms) if over else 0
        if finished_ms and until_ms >= weather.heals_ms + CALM_MS:
            break
    assert fleet.state is not None, "blocks are made all the time"
    demand(f"{weather.bound_ms} ms after it", list(fleet.oracle.unfinished(fleet.state)))
    demand("in the end", list(weather.also(fleet)))
    return Ending(fleet, finished_ms - weather.heals_ms, clock.fingerprint, clock.steps)
