"""A named storm as a test: what rages, over how many validators, with which seeds."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from metanode.sim.acts import Ending, Play, perform
from metanode.sim.machine_room import MachineRoom
from metanode.sim.storm import Storm

SEEDS = Path(__file__).with_name("seeds.txt")


@dataclass(frozen=True)
class Plan:
    """One named storm. `seeds`: how many seeds `make test` plays, by number of validators."""

    name: str
    storm: Callable[[int, int], Storm]
    seeds: Mapping[int, int]
    liars: tuple[int, ...] = ()
    liar: Callable[..., MachineRoom] = MachineRoom
    forgetful: tuple[int, ...] = ()
    every_ms: int = 60

    def cases(self) -> list[tuple[int, int]]:
        """(validators, seed): those of every run, and those that once failed."""
        plain = [(count, seed) for count, seeds in self.seeds.items() for seed in range(seeds)]
        return plain + [case for case in self.once_failed() if case not in plain]

    def once_failed(self) -> list[tuple[int, int]]:
        """What seeds.txt holds of this storm."""
        lines = [line.split("#")[0].split() for line in SEEDS.read_text().splitlines()]
        return [(int(line[1]), int(line[2])) for line in lines if line and line[0] == self.name]

    def play(self, count: int, seed: int) -> Ending:
        """Both acts. Raises where anything does not hold."""
        return perform(
            Play(
                storm=lambda n: self.storm(n, seed),
                count=count,
                seed=seed,
                every_ms=self.every_ms,
                liars=self.liars,
                room_of_liar=self.liar,
                forgetful=self.forgetful,
            )
        )
