"""Many seeds of the named storms, from the command line.

python -m tests.simulation.soak [--storm NAME] [--count N] [--seeds N|A-B] [--jobs N] [--core] [--stop]
Prints each seed that breaks something; exit status 1 if any did.
"""

import argparse
import sys
from concurrent.futures import ProcessPoolExecutor
from importlib import import_module
from pathlib import Path
from time import perf_counter
from traceback import format_exception

from tests.simulation.fleets import FleetPlan
from tests.simulation.plan import Plan

STORMS = Path(__file__).with_name("storms")


def storms() -> dict[str, Plan | FleetPlan]:
    """Every named storm, by its name: over validators, or over the nodes of a cluster."""
    modules = sorted(path.stem for path in STORMS.glob("[a-z]*_*.py"))
    found = [import_module(f"tests.simulation.storms.{stem}").PLAN for stem in modules]
    return {plan.name: plan for plan in found}


def plans() -> dict[str, Plan]:
    """Those over validators."""
    return {name: plan for name, plan in storms().items() if isinstance(plan, Plan)}


def fleets() -> dict[str, FleetPlan]:
    """Those over the nodes of a cluster."""
    return {name: plan for name, plan in storms().items() if isinstance(plan, FleetPlan)}


def play(name: str, count: int, seed: int, core: bool = False) -> tuple[str, int]:
    """What went wrong (empty: nothing), and how many steps it took."""
    try:
        ending = storms()[name].play(count, seed, core=core)
    except Exception as error:  # noqa: BLE001 - whatever it is, the seed is what counts
        lines = format_exception(error, limit=-3)
        return f"{name} {count} {seed}{' core' if core else ''}: {''.join(lines)}", 0
    return "", ending.steps


def _range(seeds: str) -> tuple[int, int]:
    """First and last of `N` or `A-B`."""
    first, dash, last = seeds.rpartition("-")
    return (int(first), int(last)) if dash else (0, int(last) - 1)


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--storm", action="append", choices=sorted(storms()))
    parser.add_argument("--count", action="append", type=int)
    parser.add_argument("--seeds", default="100", help="how many, or first-last")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--core", action="store_true", help="heal a core quorum only")
    parser.add_argument("--stop", action="store_true", help="at the first seed that fails")
    options = parser.parse_args()
    first, last = _range(options.seeds)
    chosen = [plan for name, plan in storms().items() if not options.storm or name in options.storm]
    started, steps, failed = perf_counter(), 0, 0
    cases = [
        (plan.name, count, seed, options.core)
        for plan in chosen
        for count in (options.count or plan.seeds)
        for seed in range(first, last + 1)
    ]
    with ProcessPoolExecutor(options.jobs) as pool:
        results = (
            map(play, *zip(*cases, strict=True)) if options.jobs == 1 else pool.map(play, *zip(*cases, strict=True))
        )
        for wrong, took in results:
            steps += took
            if wrong:
                failed += 1
                print(wrong, flush=True)
                if options.stop:
                    return 1
    print(f"{len(cases)} worlds, {failed} broken, {steps} steps, {perf_counter() - started:.1f} s")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
