"""A named storm over a pretend cluster as a test: how many nodes, with which seeds."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from tests.simulation.plan import once_failed

from metanode.sim.docklock.acts import Ending, Weather, perform


@dataclass(frozen=True)
class FleetPlan:
    """One named storm. `seeds`: how many seeds `make test` plays, by number of nodes."""

    name: str
    weather: Callable[[int], Weather]
    seeds: Mapping[int, int]

    def cases(self) -> list[tuple[int, int]]:
        """(nodes, seed): those of every run, and those that once failed."""
        plain = [(count, seed) for count, seeds in self.seeds.items() for seed in range(seeds)]
        return plain + [case for case in once_failed(self.name) if case not in plain]

    def play(self, count: int, seed: int, *, core: bool = False) -> Ending:
        """Both acts. Raises where anything does not hold. Nothing is like a core here."""
        assert not core, "a storm over nodes has no core"
        return perform(self.weather(seed), count, seed)
