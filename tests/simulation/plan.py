"""A named storm as a test: what rages, over how many validators, with which seeds."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from metanode.ledger.governance.state import CONVICTION
from metanode.node.rows import STATE
from metanode.primitives.bitmap import faults
from metanode.primitives.refusal import Refusal
from metanode.records.parameters import Parameters
from metanode.sim.acts import PARAMETERS, Broken, Ending, Play, perform
from metanode.sim.checkers import Scene
from metanode.sim.machine_room import MachineRoom
from metanode.sim.seals import STAND_INS, Seals
from metanode.sim.storm import Storm

SEEDS = Path(__file__).with_name("seeds.txt")


@dataclass(frozen=True)
class Plan:
    """One named storm. `seeds`: how many seeds `make test` plays, by number of validators; `most`: f seats lie, from
    the second on, instead of those in `liars`; `also`: what it demands beside what all do."""

    name: str
    storm: Callable[[int, int], Storm]
    seeds: Mapping[int, int]
    liars: tuple[int, ...] = ()
    most: bool = False
    liar: Callable[..., MachineRoom] = MachineRoom
    forgetful: tuple[int, ...] = ()
    set_back: Callable[[int], tuple[int, ...]] = lambda _: ()
    weak: Callable[[int], tuple[int, ...]] = lambda _: ()
    twins: tuple[int, ...] = ()
    doubled: bool = False
    seals: Callable[[], Seals] = lambda: STAND_INS
    every_ms: int = 60
    parameters: Parameters = PARAMETERS
    also: Callable[[Scene], Iterator[str]] = lambda _: iter(())

    def cases(self) -> list[tuple[int, int]]:
        """(validators, seed): those of every run, and those that once failed."""
        plain = [(count, seed) for count, seeds in self.seeds.items() for seed in range(seeds)]
        return plain + [case for case in once_failed(self.name) if case not in plain]

    def play(self, count: int, seed: int, *, core: bool = False) -> Ending:
        """Both acts, and what this storm demands beside. Raises where anything does not hold."""
        liars = tuple(range(1, 1 + faults(count))) if self.most else self.liars
        ending = perform(
            Play(
                storm=lambda n: self.storm(n, seed),
                count=count,
                seed=seed,
                parameters=self.parameters,
                every_ms=self.every_ms,
                liars=liars,
                room_of_liar=self.liar,
                forgetful=self.forgetful,
                set_back=self.set_back(count),
                weak=self.weak(count),
                twins=self.twins,
                doubles=liars if self.doubled else (),
                seals=self.seals(),
                core=core,
            )
        )
        if wrong := [] if core else list(self.also(ending.scene)):
            raise Broken(f"{self.name}, {count} validators, seed {seed}: {wrong}")
        return ending


def once_failed(storm: str) -> list[tuple[int, int]]:
    """What seeds.txt holds of a storm: (validators or nodes, seed)."""
    lines = [line.split("#")[0].split() for line in SEEDS.read_text().splitlines()]
    return [(int(line[1]), int(line[2])) for line in lines if line and line[0] == storm]


def named(*reasons: Refusal, all_of_them: bool = True) -> Callable[[Scene], Iterator[str]]:
    """Every liar was blamed for one of these by somebody honest, by its name; nobody else was. Not `all_of_them`: it
    is chance whether anybody asks them, so that nobody need be."""
    codes = [reason.value for reason in reasons]

    def also(scene: Scene) -> Iterator[str]:
        blamed = [who for room in scene.honest for who, reason in room.watch.blamed if reason in codes]
        found = []
        for seat, one in enumerate(scene.founding.validators):
            if one.name in blamed or one.transport_key.hex()[:16] in blamed:
                found.append(seat)
        guilty = liars_of(scene)
        enough = found == guilty or not all_of_them
        if not enough or any(seat not in guilty for seat in found):
            yield f"seats {guilty} lie, {found} are blamed for one of {codes}"

    return also


def liars_of(scene: Scene) -> list[int]:
    """The seats of the liars: each once, whatever number of computers it has."""
    return [liar for liar in scene.liars if liar < len(scene.founding.validators)]


def convicted(scene: Scene) -> Iterator[str]:
    """Every liar is named by evidence in a block, on every honest node."""
    for liar in liars_of(scene):
        key = STATE + CONVICTION + scene.founding.validators[liar].vote_key
        yield from (
            f"seat {liar} is not convicted on node {room.index}"
            for room in scene.honest
            if room.disk.rows.get(key) is None
        )


def one_convicted(scene: Scene) -> Iterator[str]:
    """At least one liar is named by evidence in a block, where there are two or more: of which seat two words are heard
    together is chance."""
    if len(liars_of(scene)) < 2:
        return
    wrong = list(convicted(scene))
    if len(wrong) == len(liars_of(scene)) * len(scene.honest):
        yield "nobody is convicted"
