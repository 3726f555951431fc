"""A named storm as a test: what rages, over how many validators, with which seeds."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from metanode.ledger.governance.state import CONVICTION
from metanode.node.rows import STATE
from metanode.sim.acts import Broken, Ending, Play, perform
from metanode.sim.checkers import Scene
from metanode.sim.machine_room import MachineRoom
from metanode.sim.storm import Storm

SEEDS = Path(__file__).with_name("seeds.txt")


@dataclass(frozen=True)
class Plan:
    """One named storm. `seeds`: how many seeds `make test` plays, by number of validators; `also`: what it demands
    beside what all do."""

    name: str
    storm: Callable[[int, int], Storm]
    seeds: Mapping[int, int]
    liars: tuple[int, ...] = ()
    liar: Callable[..., MachineRoom] = MachineRoom
    forgetful: tuple[int, ...] = ()
    twins: tuple[int, ...] = ()
    every_ms: int = 60
    also: Callable[[Scene], Iterator[str]] = lambda _: iter(())

    def cases(self) -> list[tuple[int, int]]:
        """(validators, seed): those of every run, and those that once failed."""
        plain = [(count, seed) for count, seeds in self.seeds.items() for seed in range(seeds)]
        return plain + [case for case in self.once_failed() if case not in plain]

    def once_failed(self) -> list[tuple[int, int]]:
        """What seeds.txt holds of this storm."""
        lines = [line.split("#")[0].split() for line in SEEDS.read_text().splitlines()]
        return [(int(line[1]), int(line[2])) for line in lines if line and line[0] == self.name]

    def play(self, count: int, seed: int) -> Ending:
        """Both acts, and what this storm demands beside. Raises where anything does not hold."""
        ending = perform(
            Play(
                storm=lambda n: self.storm(n, seed),
                count=count,
                seed=seed,
                every_ms=self.every_ms,
                liars=self.liars,
                room_of_liar=self.liar,
                forgetful=self.forgetful,
                twins=self.twins,
            )
        )
        if wrong := list(self.also(ending.scene)):
            raise Broken(f"{self.name}, {count} validators, seed {seed}: {wrong}")
        return ending


def convicted(scene: Scene) -> Iterator[str]:
    """Every liar is named by evidence in a block, on every honest node."""
    for liar in scene.liars:
        key = STATE + CONVICTION + scene.founding.validators[liar].vote_key
        yield from (
            f"seat {liar} is not convicted on node {room.index}"
            for room in scene.honest
            if room.disk.rows.get(key) is None
        )
