"""Twins campaigns: every scenario of two machines with one key, counted, each one once, every honest seat held against
the oracle.

python -m tests.simulation.twins [--space NAME]... [--scenarios N] [--jobs N] [--progress FILE] [--blind]
python -m tests.simulation.twins --scenario ID [--blind]

A space is named by seats, rounds, sets a round, and 1 where one machine may hear COMMITs alone (4-2-2-1); a scenario of
it by its number, too (4-2-2-1-7). Scenarios have their turns in a fixed order that spreads any number of them evenly.
With --progress a campaign goes on where that file stands. --blind: without the oracle, only agreement and progress are
judged. Prints each scenario that breaks something; exit status 1 if any, 2 where the file is in doubt.
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from time import monotonic, process_time
from traceback import format_exception
from typing import Final

from tests.simulation.twins_progress import Doubtful, Tally, load, save

from metanode.sim.twins import Catalogue, Outcome, Space, Stage, read_name

GOALS: Final = {
    "4-3-2-0": 0,
    "4-2-2-1": 0,
    "4-3-3-1": 1_000,
    "5-2-2-1": 1_000,
    "6-2-2-1": 1_000,
    "7-2-2-1": 500,
    "7-3-2-1": 500,
}
"""The campaign: spaces, and how many scenarios of each; 0: all."""
SLICE: Final = {
    "4-3-2-0": 80,
    "4-2-2-1": 120,
    "4-3-3-1": 40,
    "5-2-2-1": 40,
    "6-2-2-1": 30,
    "7-2-2-1": 30,
    "7-3-2-1": 20,
}
"""The first turns of each space, in every `make test`."""
TURNS: Final = 32
"""Scenarios that a process plays before it tells: a second or two, so no more is lost by a kill."""


@lru_cache(maxsize=16)
def catalogue(space: Space) -> Catalogue:
    """Of a space; made once a process."""
    return Catalogue(space)


def spaces_of(names: Sequence[str]) -> list[Space]:
    """By their names."""
    return [read_name(f"{name}-0")[0] for name in names]


def play(name: str, *, watched: bool = True) -> Outcome:
    """One scenario. Raises `AssertionError`."""
    space, index = read_name(name)
    return Stage(catalogue(space).unrank(index), watched=watched).perform()


@dataclass(frozen=True)
class Played:
    """A few turns of a space: `told` is what broke, by name, and what was said of it."""

    tally: Tally
    told: tuple[tuple[str, str], ...]


def play_turns(space: Space, first: int, last: int, watched: bool) -> Played:
    """Some turns one after another."""
    began, tally, told = process_time(), Tally(space), []
    for turn in range(first, last):
        name = f"{space.name}-{catalogue(space).nth(turn)}"
        tally.played += 1
        try:
            outcome = play(name, watched=watched)
        except Exception as error:  # noqa: BLE001 - whatever it is, the scenario is what counts
            tally.break_on(name)
            told.append((name, "".join(format_exception(error, limit=-2))))
        else:
            tally.heights += outcome.height
            tally.early += outcome.early
            tally.round = max(tally.round, outcome.round)
            tally.messages += outcome.delivered
    tally.milliseconds = round((process_time() - began) * 1000)
    return Played(tally, tuple(told))


def add(tally: Tally, more: Tally) -> None:
    """Count the next turns."""
    tally.played += more.played
    tally.heights += more.heights
    tally.early += more.early
    tally.round = max(tally.round, more.round)
    tally.messages += more.messages
    tally.milliseconds += more.milliseconds
    for name in more.named:
        tally.break_on(name)


@dataclass(frozen=True)
class Campaign:
    """`goals`: how many scenarios of each space, at most all there are (0: all). `ends`: on the monotonic clock.
    `turns`: how many a process plays before it tells."""

    goals: dict[str, int]
    progress: Path | None = None
    jobs: int = 1
    watched: bool = True
    ends: float = float("inf")
    turns: int = TURNS

    def run(self) -> Iterator[tuple[list[Tally], Played]]:
        """Play on from where the file stands; after each few turns the file stands there, and they are told. Raises
        `Doubtful`."""
        tallies = load(self.progress, spaces_of(list(self.goals)))
        with ExitStack() as stack:
            pool = stack.enter_context(ProcessPoolExecutor(self.jobs)) if self.jobs > 1 else None
            for tally, goal in zip(tallies, self.goals.values(), strict=True):
                every = catalogue(tally.space).count
                last = min(goal or every, every)
                while tally.played < last and monotonic() < self.ends:
                    firsts = range(tally.played, last, self.turns)[: 4 * self.jobs]
                    asked = [(tally.space, first, min(first + self.turns, last), self.watched) for first in firsts]
                    columns = list(zip(*asked, strict=True))
                    for played in pool.map(play_turns, *columns) if pool else map(play_turns, *columns):
                        add(tally, played.tally)
                        save(self.progress, tallies)
                        yield tallies, played


def show(tallies: Sequence[Tally]) -> None:
    """The table."""
    print(f"{'space':<10}{'f':>3}{'in all':>16}{'canonical':>14}{'played':>8}{'heights':>9}{'early':>8}", end="")
    print(f"{'round':>7}{'messages':>12}{'seconds':>9}{'broken':>8}")
    for t in tallies:
        known = catalogue(t.space)
        print(f"{t.space.name:<10}{t.space.twins:>3}{known.all:>16}{known.count:>14}{t.played:>8}", end="")
        print(f"{t.heights:>9}{t.early:>8}{t.round:>7}{t.messages:>12}{t.milliseconds / 1000:>9.1f}{t.broken:>8}")
    played, canonical = sum(t.played for t in tallies), sum(catalogue(t.space).count for t in tallies)
    print(
        f"played {played} of {canonical} canonical scenarios of {sum(catalogue(t.space).all for t in tallies)} in all"
    )


def command(name: str, *, watched: bool = True) -> str:
    """What plays a scenario again."""
    return f"python -m tests.simulation.twins --scenario {name}{'' if watched else ' --blind'}"


def one(name: str, *, watched: bool) -> int:
    """Play one scenario and say what came of it."""
    space, index = read_name(name)
    print(f"{name}: {catalogue(space).unrank(index)}")
    try:
        print(play(name, watched=watched))
    except AssertionError as wrong:
        print("".join(format_exception(wrong, limit=-2)))
        return 1
    return 0


def main() -> int:
    """The command."""
    made = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--space", action="append", help="default: those of the campaign")
    made.add_argument("--scenarios", type=int, default=None, help="of each space; 0: all; default: the campaign's goal")
    made.add_argument("--slice", action="store_true", help="the turns that `make test` plays")
    made.add_argument("--jobs", type=int, default=1)
    made.add_argument("--progress", type=Path, default=None, help="go on where this file stands")
    made.add_argument("--seconds", type=float, default=float("inf"), help="begin nothing more after this")
    made.add_argument("--stop", action="store_true", help="at the first scenario that breaks")
    made.add_argument("--blind", action="store_true", help="without the oracle")
    made.add_argument("--scenario", default="", help="only this one")
    options = made.parse_args()
    if options.scenario:
        return one(options.scenario, watched=not options.blind)
    names = options.space or list(GOALS)
    given = dict.fromkeys(names, options.scenarios) if options.scenarios is not None else {}
    goals = given or {name: (SLICE if options.slice else GOALS).get(name, 0) for name in names}
    campaign = Campaign(goals, options.progress, options.jobs, not options.blind, monotonic() + options.seconds)
    try:
        tallies = load(campaign.progress, spaces_of(names))
        for stand, played in campaign.run():
            tallies = stand
            for name, said in played.told:
                print(f"BROKEN: {command(name, watched=campaign.watched)}\n{said}", flush=True)
            if options.stop and played.told:
                break
    except Doubtful as wrong:
        print(f"error: {wrong}")
        return 2
    show(tallies)
    return 1 if any(tally.broken for tally in tallies) else 0


if __name__ == "__main__":
    sys.exit(main())
