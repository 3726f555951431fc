"""How fast the rules of IBFT are tried: councils under drawn storms with the oracle and without, and whole nodes.

Messages delivered a second of one core. The councils' storms are those of `tests.simulation.councils`; of whole nodes,
some named storms.
"""

from functools import partial
from random import Random
from time import process_time
from typing import Any

from bench.kit.report import Report, parser
from tests.simulation.plan import Plan
from tests.simulation.soak import plans

from metanode.sim.acts import Play, perform
from metanode.sim.council import COUNTS, Council, draw
from metanode.sim.storm import Storm

STORMS = ("message_loss", "crash_at_every_boundary", "everything_at_once")


def councils(count: int, seeds: int, *, watched: bool) -> dict[str, Any]:
    """So many seeds of councils of one size."""
    began, delivered, steps = process_time(), 0, 0
    for seed in range(seeds):
        outcome = Council(seed, draw(Random(f"{count}/{seed}"), count), watched=watched).perform()
        delivered += outcome.delivered
        steps += outcome.steps
    spent = process_time() - began
    return {
        "n": count or "drawn",
        "oracle": watched,
        "seeds": seeds,
        "delivered": delivered,
        "CPU s": round(spent, 2),
        "delivered/s": round(delivered / spent),
        "events/s": round(steps / spent),
        "seeds in 8 h a core": round(8 * 3600 * seeds / spent),
    }


def nodes(name: str, count: int, seeds: int, *, oracle: bool) -> dict[str, Any]:
    """The same of whole nodes: frames, transport, pool, ledger and checkers included."""
    plan, began, delivered = plans()[name], process_time(), 0
    for seed in range(seeds):
        storm = partial(_of_seed, plan, seed)
        play = Play(storm, count, seed, every_ms=plan.every_ms, oracle=oracle)
        delivered += perform(play).scene.world.delivered
    spent = process_time() - began
    return {
        "storm": name,
        "n": count,
        "oracle": oracle,
        "seeds": seeds,
        "heard by nodes": delivered,
        "CPU s": round(spent, 2),
        "heard/s": round(delivered / spent),
    }


def _of_seed(plan: Plan, seed: int, count: int) -> Storm:
    return plan.storm(count, seed)


def main() -> None:
    """The command."""
    arguments = parser(__doc__)
    arguments.add_argument("--seeds", type=int, default=40)
    options = arguments.parse_args()
    report = Report("ibft_storm", options.json)
    councils(4, 2, watched=True)  # imports and caches
    rows = [councils(n, options.seeds, watched=on) for n in (0, *COUNTS) for on in (True, False)]
    report.table("councils: IBFT alone", rows)
    few = max(1, options.seeds // 10)
    report.table("whole nodes", [nodes(name, 4, few, oracle=on) for name in STORMS for on in (True, False)])
    report.finish()


if __name__ == "__main__":
    main()
