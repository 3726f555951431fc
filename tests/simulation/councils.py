"""Many seeds of councils: IBFT alone under drawn storms, every honest seat held against the oracle.

python -m tests.simulation.councils [--count N] [--seeds N|A-B] [--jobs N] [--stop]
Without --count the seed draws the number of chairs, too. Prints each seed that breaks something; exit status 1 if any.
"""

import argparse
import sys
from concurrent.futures import ProcessPoolExecutor
from itertools import repeat
from random import Random
from time import perf_counter
from traceback import format_exception

from metanode.sim.council import Council, Outcome, draw


def play(count: int, seed: int) -> Outcome:
    """One council of so many chairs (0: drawn). Raises `AssertionError`."""
    return Council(seed, draw(Random(f"{count}/{seed}"), count)).perform()


def attempt(count: int, seed: int) -> tuple[str, int]:
    """What went wrong (empty: nothing), and how many messages were delivered."""
    try:
        return "", play(count, seed).delivered
    except Exception as error:  # noqa: BLE001 - whatever it is, the seed is what counts
        return f"council {count} {seed}: {''.join(format_exception(error, limit=-2))}", 0


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=0)
    parser.add_argument("--seeds", default="100", help="how many, or first-last")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--stop", action="store_true", help="at the first seed that fails")
    options = parser.parse_args()
    first, dash, last = options.seeds.rpartition("-")
    seeds = range(int(first) if dash else 0, int(last) + bool(dash))
    started, delivered, failed = perf_counter(), 0, 0
    with ProcessPoolExecutor(options.jobs) as pool:
        run = map if options.jobs == 1 else pool.map
        for wrong, heard in run(attempt, repeat(options.count, len(seeds)), seeds):
            delivered += heard
            if wrong:
                failed += 1
                print(wrong, flush=True)
                if options.stop:
                    return 1
    spent = perf_counter() - started
    rate = f"{delivered} messages, {round(delivered / spent)} a second, {spent:.1f} s"
    print(f"{len(seeds)} councils, {failed} broken, {rate}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
