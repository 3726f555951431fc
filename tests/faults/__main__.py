"""Fault schedules drawn from seeds, against real validators under load.

    python -m tests.faults --seed N [--count N] [--ms MS]     the schedule of a seed
    python -m tests.faults --seeds A-B                        of many, one after another
    python -m tests.faults --schedule LINE                    one written by hand, or shortened
    python -m tests.faults --kept                             those of seeds.txt
    python -m tests.faults --planted [NAME]                   faults planted in the node: each must be noticed

It prints each schedule, what came of it, and one line that repeats what broke. Exit status 1 if anything did. The
schedule of a seed is always the same; what real processes make of it is not quite.
"""

import argparse
import shlex
import signal
import sys
import tempfile
from pathlib import Path

from tests.faults.kept import kept
from tests.faults.planted import PLANTED, notice
from tests.faults.play import play
from tests.faults.schedule import Schedule, decode, draw

SHOWN_MAX = 20
"""Of what broke in one run."""


def run(schedule: Schedule, seed: int, keep: str = "") -> bool:
    """Play one and tell. Whether all was well. `keep`: the folder for what the nodes wrote."""
    print(f"seed {seed}: {schedule.encoded()}\n{schedule.table()}", flush=True)
    with tempfile.TemporaryDirectory(prefix="faults-") as folder:
        if keep:
            Path(keep, str(seed)).mkdir(parents=True)
        report = play(schedule, Path(keep, str(seed)) if keep else Path(folder), seed)
    print(f"played seed {seed}: {report.line()}", flush=True)
    for line in report.broken[:SHOWN_MAX]:
        print(f"BROKEN {line}")
    if report.broken:
        words = ["python", "-m", "tests.faults", "--seed", str(seed), "--schedule", schedule.encoded()]
        print(f"to repeat: {shlex.join(words)}", flush=True)
    return not report.broken


def main() -> int:
    """The command."""
    made = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__.splitlines()[0])
    made.add_argument("--seed", type=int, default=0, help="of the schedule, and of the clients' choices")
    made.add_argument("--seeds", default="", help="FIRST-LAST: many seeds")
    made.add_argument("--schedule", default="", help="a line as it is printed, instead of the seed's")
    made.add_argument("--count", type=int, default=0, help="validators (default: drawn)")
    made.add_argument("--ms", type=int, default=0, help="how long faults are played (default: drawn)")
    made.add_argument("--keep", default="", help="a new folder for the logs of the nodes (default: thrown away)")
    made.add_argument("--kept", action="store_true", help="the schedules that once found something")
    made.add_argument("--planted", nargs="?", const="all", default="", help="plant faults in copies of the node")
    options = made.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that all is taken away
    if options.planted:
        chosen = [plant for plant in PLANTED if options.planted in ("all", plant.name)]
        noticed = [notice(plant) for plant in chosen]
        return 0 if noticed and all(noticed) else 1
    if options.kept:
        went_well = [run(schedule, seed) for seed, schedule in kept()]
        return 0 if all(went_well) else 1
    if options.schedule:
        return 0 if run(decode(options.schedule), options.seed, options.keep) else 1
    first, _, last = (options.seeds or f"{options.seed}-{options.seed}").partition("-")
    seeds = range(int(first), int(last or first) + 1)
    went_well = [run(draw(seed, options.count, options.ms), seed, options.keep) for seed in seeds]
    return 0 if all(went_well) else 1


if __name__ == "__main__":
    sys.exit(main())
