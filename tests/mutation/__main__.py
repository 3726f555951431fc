"""Mutation testing: small faults by rule, each of which a test of its room has to notice.

    python -m tests.mutation [--room NAME] [--sample N] [--seed S] [--jobs J] [--minutes M] [--match TEXT]
                             [--tests PATH] [--results FILE]

Tests are collected once; each fault lives in a forked child, and no file is touched. With --results what was found is
kept, and a second run goes on from there: tried again is what was noticed of a source that has changed, and what was
not noticed by tests that have changed. Prints every survivor that judged.toml does not know; exit status 1 if there is
any, or if one that stands there is noticed.
"""

import argparse
import os
import sys
import time
from dataclasses import replace
from pathlib import Path
from random import Random

from tests.mutation.rooms import ROOMS
from tests.mutation.trial import Results, Trial, judged


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutation", description=__doc__.splitlines()[0])
    parser.add_argument("--room", action="append", choices=sorted(ROOMS), help="default: all")
    parser.add_argument(
        "--sample", type=int, default=0, help="so many of each room, the first in the order of the seed"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    parser.add_argument("--minutes", type=float, default=0, help="begin no room and no mutant after so long")
    parser.add_argument("--match", default="", help="only mutants whose names contain this")
    parser.add_argument("--tests", action="append", help="these tests instead of the room's")
    parser.add_argument("--results", type=Path, default=None, help="a file to keep what was found, and to go on from")
    parser.add_argument("--verbose", action="store_true", help="say who noticed what")
    options = parser.parse_args()
    os.environ["HYPOTHESIS_PROFILE"] = "ci"
    ends = time.monotonic() + options.minutes * 60 if options.minutes else float("inf")
    known, wrong = judged(), 0
    for name in options.room or ROOMS:
        room = ROOMS[name] if not options.tests else replace(ROOMS[name], tests=tuple(options.tests))
        chosen = [mutant for mutant in room.mutants() if options.match in mutant.key]
        if options.sample:
            chosen = Random(options.seed).sample(chosen, len(chosen))[: options.sample]
        if time.monotonic() >= ends or not chosen:
            continue
        trial = Trial(room, options.jobs, ends, Results(options.results, room), verbose=options.verbose)
        began = time.monotonic()
        trial.hold(chosen)
        wrong += trial.tell(name, chosen, known, time.monotonic() - began)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
