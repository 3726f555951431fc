"""A play in two acts: safe in the storm, live after it."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from metanode.primitives.bitmap import quorum
from metanode.records.parameters import Parameters
from metanode.sim.checkers import SAFETY, Scene, caught_up, steady
from metanode.sim.founding import FUNDS, START_MS, Founding, computer, found
from metanode.sim.load import Load
from metanode.sim.machine_room import MachineRoom
from metanode.sim.oracle import Difference, Jury
from metanode.sim.oracle.books import Books
from metanode.sim.seals import STAND_INS, Seals
from metanode.sim.storm import Storm
from metanode.sim.world import World

LOOK_MS: Final = 100
"""How often the second act looks whether it is over."""
HEIGHTS_DUE: Final = 2
"""So many blocks more than at the healing, on every node, and everything that clients wait for."""
LOAD_AFTER_MS: Final = 500
"""Clients go on for so long after the healing: the chain must work, not only finish."""
PARAMETERS: Final = Parameters(
    block_period_ms=100, empty_block_period_ms=1_500, round_timeout_ms=400, block_work_max=120_000
)
"""Of pretend chains: short enough that a storm of ten seconds holds a hundred heights."""


class Broken(AssertionError):
    """A world in which something did not hold; the message says what, and how to see it again."""


@dataclass(frozen=True, slots=True)
class Play:
    """What is played: a storm over so many validators (which it is told) with this seed.

    `liars`: seats that break the rules, their computers made by `room_of_liar`. `forgetful`: whose disk may be wiped;
    `set_back`: or replaced by an older one; `weak`: who may have to keep silent at a height, so that a core must do
    without it. `twins`: seats that run on a second computer too, with the same keys in one
    signer, behind the others' numbers.
    `doubles`: liars that run on a second computer with the same keys and a guard of its own. `seals`: whose arithmetic.
    `oracle`: whether every honest node is held against the rules, in lock-step.
    `core`: only so many honest nodes as a quorum needs are healed, beside the liars; the others stay cut off for ever.
    """

    storm: Callable[[int], Storm]
    count: int
    seed: int
    parameters: Parameters = PARAMETERS
    every_ms: int = 60
    liars: tuple[int, ...] = ()
    room_of_liar: Callable[..., MachineRoom] = MachineRoom
    forgetful: tuple[int, ...] = ()
    set_back: tuple[int, ...] = ()
    weak: tuple[int, ...] = ()
    twins: tuple[int, ...] = ()
    doubles: tuple[int, ...] = ()
    seals: Seals = STAND_INS
    core: bool = False
    oracle: bool = True

    @property
    def everywhere(self) -> tuple[int, ...]:
        """The computers of liars: those of their seats, and their second ones."""
        first = self.count + len(self.twins)
        return (*self.liars, *range(first, first + len(self.doubles)))


@dataclass(frozen=True, slots=True)
class Ending:
    """How it went. `healed_after_ms`: from the healing until everybody had everything."""

    scene: Scene
    healed_after_ms: int
    fingerprint: str
    steps: int


def stage(play: Play) -> Scene:
    """A world, not yet started."""
    founding = found(play.count, parameters=play.parameters, seals=play.seals)
    storm = play.storm(play.count)
    rooms = [_room(play, founding, index) for index in range(play.count)]
    for seat in play.twins:
        rooms.append(computer(founding, len(rooms), founding.validators[seat], founding.validators))
        rooms[-1].share_signer(rooms[seat])
    for seat in play.doubles:
        second = founding.validators[seat]
        rooms.append(computer(founding, len(rooms), second, founding.validators, play.room_of_liar))
    world = World(play.seed, rooms, storm, START_MS)
    if play.oracle:
        _call_jury(play, founding, rooms)
    load = Load(world, founding, play.every_ms, storm.heals_ms + LOAD_AFTER_MS)
    return Scene(world, founding, load, play.everywhere, play.forgetful, set_back=play.set_back)


def _call_jury(play: Play, founding: Founding, rooms: list[MachineRoom]) -> None:
    """Every honest node has a witness, and its books are looked at with every block."""
    honest = [room for room in rooms if room.index not in play.everywhere]
    set_back = [rooms[index].settings.vote_key for index in play.set_back]
    jury = Jury(founding.chain_id, (room.settings.vote_key for room in honest), play.seals, set_back)
    books = Books("USD", FUNDS * len(founding.clients))
    for room in honest:
        room.jury = jury
        room.listeners.append(lambda index, final: books.close(f"node {index}", rooms[index].disk.rows, final))


def _room(play: Play, founding: Founding, index: int) -> MachineRoom:
    kind = play.room_of_liar if index in play.liars else MachineRoom
    return computer(founding, index, founding.validators[index], founding.validators, kind)


def perform(play: Play) -> Ending:
    """Both acts. Raises `Broken` where anything does not hold."""
    scene = stage(play)
    try:
        return _perform(play, scene)
    except Difference as wrong:
        _demand(play, f"step {scene.world.steps}", [str(wrong)])
        raise


def _perform(play: Play, scene: Scene) -> Ending:
    world, storm = scene.world, scene.world.storm
    world.start()
    world.run(storm.heals_ms)
    _demand(play, "in the storm", [why for check in SAFETY for why in check(scene)])
    _demand(play, "in the storm", list(steady(scene)))
    due = max(room.watch.height for room in scene.honest) + HEIGHTS_DUE
    bound_ms = storm.bound_ms
    if play.core:
        scene = _core(play, scene)
        bound_ms = storm.core_bound_ms or 3 * storm.bound_ms
    until_ms = storm.heals_ms
    while until_ms < storm.heals_ms + bound_ms:
        until_ms += LOOK_MS
        world.run(until_ms)
        if until_ms > storm.heals_ms + LOAD_AFTER_MS and not any(caught_up(scene, due)):
            break
    _demand(play, "in the storm and after it", [why for check in SAFETY for why in check(scene)])
    late = f"{bound_ms} ms after the healing" + (f" of {scene.core} alone" if play.core else "")
    _demand(play, late, list(caught_up(scene, due)))
    return Ending(scene, until_ms - storm.heals_ms, world.fingerprint, world.steps)


def _core(play: Play, scene: Scene) -> Scene:
    """Cut off all honest nodes but a quorum, by lot, and whoever has seen the head: no more can be asked of the rest
    than what one of them knows. The liars stay connected."""
    world = scene.world
    honest = [room.index for room in scene.honest if room.index < play.count and room.index not in play.weak]
    chosen = sorted(world.random.sample(honest, quorum(play.count)))
    world.cables.isolate(tuple(room.index for room in scene.honest if room.index not in chosen))
    return replace(scene, core=tuple(chosen))


def _demand(play: Play, when: str, wrong: list[str]) -> None:
    if wrong:
        raise Broken(
            f"{play.storm(play.count).name}, {play.count} validators, seed {play.seed}, {when}:\n  "
            + "\n  ".join(wrong[:12])
        )
