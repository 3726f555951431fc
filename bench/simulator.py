"""How fast the pretend world is: storms of the tests, by number of validators.

python -m bench.simulator [--seeds N] [--storm NAME …] [--json FILE]   (default: 10 seeds of four storms, n = 4 and 7)

An event is one happening of the world's heap: bytes that arrive, a timer, a pulse. Stand-ins take the place of
signatures and pairings; everything else is the code that real machines run. One process, one core.
"""

from time import perf_counter, process_time
from typing import Any

from bench.kit.report import Report, parser, quantile
from tests.simulation.soak import plans

STORMS = ("message_loss", "links_overtake", "crash_at_every_boundary", "everything_at_once")
COUNTS = (4, 7)


def measure(name: str, count: int, seeds: int) -> dict[str, Any]:
    """Worlds of one storm: checked as in the tests, the checkers' time included and shown."""
    plan = plans()[name]
    steps = delivered = blocks = 0
    simulated_ms = 0
    spent, walls = process_time(), []
    for seed in range(seeds):
        started = perf_counter()
        ending = plan.play(count, seed)
        walls.append(perf_counter() - started)
        world = ending.scene.world
        steps += ending.steps
        delivered += world.delivered
        simulated_ms += world.now_ms - world.start_ms
        blocks += max(room.watch.height for room in world.rooms)
    spent = process_time() - spent
    return {
        "storm": name,
        "n": count,
        "seeds": seeds,
        "events": steps,
        "heard by nodes": delivered,
        "blocks": blocks,
        "CPU s": round(spent, 2),
        "events/s": round(steps / spent),
        "worlds/s": round(seeds / spent, 2),
        "simulated s per s": round(simulated_ms / 1000 / spent, 1),
        "world p50 ms": round(quantile(walls, 0.5) * 1000),
        "world max ms": round(max(walls) * 1000),
    }


def main() -> None:
    """The command."""
    arguments = parser(__doc__)
    arguments.add_argument("--seeds", type=int, default=10)
    arguments.add_argument("--storm", action="append", choices=sorted(plans()))
    options = arguments.parse_args()
    report = Report("simulator", options.json)
    measure("message_loss", 4, 1)  # imports and caches
    cases = [(name, count) for name in options.storm or STORMS for count in COUNTS]
    report.table("storms", [measure(name, count, options.seeds) for name, count in cases])
    report.remark("checkers included: every block executed anew, every disk compared, after each act")
    report.finish()


if __name__ == "__main__":
    main()
