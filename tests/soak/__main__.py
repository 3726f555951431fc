"""The long run: storms with seeds nobody has played, properties and fuzz with other examples, journeys again.

    python -m tests.soak [--hours H] [--seeds N] [--jobs J] [--first-seed S] [--part NAME] [--twins FILE]

It goes round and round until the time is over or, without --hours, until every storm has had N seeds. What breaks is
printed at once with one line that repeats it; the exit status is 1 if anything did. The table at the end says how much
was played, how fast, what was found, and which rules and branches the pretend worlds walked through.
"""

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path

from tests.soak.parts import PARTS, TWINS_PROGRESS, Budget, Share
from tests.soak.table import show

ROUND_SEEDS = 4
"""Seeds of each storm before another part has its turn."""


def budget(options: argparse.Namespace) -> Budget:
    """What may be spent: seconds, seeds, processes. Without --first-seed no two nights play the same seeds."""
    first = options.first_seed if options.first_seed is not None else time.time_ns() // 1_000_000_000
    ends = time.monotonic() + options.hours * 3600 if options.hours else float("inf")
    return Budget(ends, first, options.seeds or ROUND_SEEDS, options.jobs, options.twins)


def soak(parts: dict[str, Callable[[Budget, Share], None]], spent: Budget, *, again: bool) -> dict[str, Share]:
    """Each part in turn; once, or until the time is over."""
    shares = {name: Share(name) for name in parts}
    while True:
        for name, part in parts.items():
            if spent.over():
                return shares
            with shares[name].timed():
                part(spent, shares[name])
        if not again:
            return shares
        spent = spent.next_round()


def main() -> int:
    """The command."""
    made = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__.splitlines()[0])
    made.add_argument("--hours", type=float, default=0.0, help="how long; 0: one round of everything")
    made.add_argument("--seeds", type=int, default=0, help=f"seeds of each storm a round (default {ROUND_SEEDS})")
    made.add_argument("--jobs", type=int, default=2, help="processes")
    made.add_argument("--first-seed", type=int, default=None, help="default: the clock")
    made.add_argument("--part", action="append", choices=sorted(PARTS), help="only these parts")
    made.add_argument("--twins", type=Path, default=TWINS_PROGRESS, help="where the Twins campaign stands")
    options = made.parse_args()
    chosen = {name: part for name, part in PARTS.items() if not options.part or name in options.part}
    spent = budget(options)
    print(
        f"first seed {spent.first_seed}, {spent.seeds} seeds of each storm a round, {spent.jobs} processes", flush=True
    )
    try:
        shares = soak(chosen, spent, again=bool(options.hours))
    except KeyboardInterrupt:
        print("stopped by hand; what was not finished is not counted")
        return 130
    show(list(shares.values()))
    return 1 if any(share.broken for share in shares.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
