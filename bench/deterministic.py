"""What the cage of a deterministic job costs: the same job of Python with it and without it, side by side.

    python -m bench.deterministic [--rounds 10] [--calls 100000] [--json FILE]

One shim; each job from `create` to its end, in turn caged and not, median of the rounds, from the host's /usr with
whole processors and 256 MiB. *Starts* is an interpreter that does nothing. *Computes* adds up numbers and asks nobody.
*Asks for the time* and *asks for a file* make so many calls; the start is taken off before it is divided by them. An
asked-for time is answered by the supervisor; a file is asked of the kernel, and its answer corrected.
"""

import asyncio
import os
import tempfile
import time
from pathlib import Path
from typing import Any

from bench.kit.report import Report, parser, quantile

from metanode.host.runtimes.caging import Cage
from metanode.host.runtimes.driver import ContainerState, Works
from metanode.host.runtimes.link import ShimPlace, open_link
from metanode.host.runtimes.plan import HOST_USR, ContainerPlan, Limits
from metanode.host.runtimes.shim_driver import ShimDriver
from metanode.host.runtimes.states import Phase

LIMITS = Limits(memory_bytes=256 << 20, cpu_millicores=2_000, pids=8)
STARTS = "pass"
COMPUTES = "n = 0\nfor i in range(8_000_000): n += i * i"
TIMES = "import time\nfor _ in range({calls}): time.time()"
FILES = "import os\nfor _ in range({calls}): os.stat('/usr')"


async def ran(driver: ShimDriver, number: int, program: str, *, caged: bool) -> tuple[float, ContainerState]:
    """Milliseconds from `create` to the end, and how it ended."""
    plan = ContainerPlan(
        f"bench.d.{number}.1",
        HOST_USR,
        ("/usr/bin/python3", "-I", "-S", "-c", program),
        LIMITS,
        cage=Cage(bytes(32)) if caged else None,
    )
    began = time.perf_counter()
    await driver.create(plan)
    await driver.start(plan.id)
    while True:
        state = await driver.inspect(plan.id)
        if state.phase is Phase.EXITED:
            break
        await asyncio.sleep(0.001)
    took = (time.perf_counter() - began) * 1e3
    assert state.exit is not None, state
    assert state.exit.code == 0, state
    await driver.remove(plan.id)
    return took, state


async def measure(report: Report, rounds: int, calls: int) -> None:
    """Every job, with and without."""
    jobs = {
        "starts": (STARTS, 0),
        "computes": (COMPUTES, 0),
        "asks for the time": (TIMES.format(calls=calls), calls),
        "asks for a file": (FILES.format(calls=calls // 10), calls // 10),
    }
    with tempfile.TemporaryDirectory(prefix="mn-bench-") as folder:
        link = await open_link(ShimPlace(Path(folder)))
        driver = ShimDriver(link)
        works = await driver.probe()
        if not isinstance(works, Works) or works.cage:
            raise SystemExit(f"no deterministic jobs here: {works}")
        for note in works.notes:
            report.remark(note)
        rows: list[dict[str, Any]] = []
        starts, number = {True: 0.0, False: 0.0}, 0
        for name, (program, count) in jobs.items():
            took: dict[bool, list[float]] = {True: [], False: []}
            witnesses = set()
            for _ in range(rounds if not count else max(3, rounds // 3)):
                for caged in (False, True):
                    number += 1
                    one, state = await ran(driver, number, program, caged=caged)
                    took[caged].append(one)
                    if state.witness is not None:
                        witnesses.add((state.witness.count, state.witness.chain))
            assert len(witnesses) == 1, "every run of it saw the same"
            medians = {caged: quantile(found, 0.5) for caged, found in took.items()}
            starts = starts if count or name != "starts" else medians
            each = {caged: (medians[caged] - starts[caged]) * 1e3 / count if count else 0.0 for caged in medians}
            rows.append(
                {
                    "job": name,
                    "n": len(took[True]),
                    "calls": count,
                    "plain p50 ms": medians[False],
                    "caged p50 ms": medians[True],
                    "ratio": medians[True] / medians[False],
                    "plain us a call": each[False],
                    "caged us a call": each[True],
                    "observations": next(iter(witnesses))[0],
                }
            )
        report.table("Deterministic jobs", rows)
        await link.end_shim()


def main() -> None:
    """Run it."""
    arguments = parser(__doc__)
    arguments.add_argument("--rounds", type=int, default=10)
    arguments.add_argument("--calls", type=int, default=100_000)
    options = arguments.parse_args()
    report = Report("deterministic", options.json)
    if os.geteuid() != 0:
        report.remark("not root: without control groups")
    asyncio.run(measure(report, options.rounds, options.calls))
    report.finish()


if __name__ == "__main__":
    main()
