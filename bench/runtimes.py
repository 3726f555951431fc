"""How long until a container says its first word, by engine, and what a shim of 50 containers costs.

    python -m bench.runtimes [--rounds 50] [--json FILE]

One shim; for each engine, container after container: created, started, first output, killed, removed. *First output* is
the time the shim read it, from the moment the agent asked for `create`: both clocks are the machine's. The command is
`sh -c 'echo up; exec sleep 60'` from the host's /usr, 64 MiB, 32 processes, a fifth of a processor, as in every row.
Ratios are of one run. Then 50 containers at once: how long from the first `create` to the last first output, and the
memory of the shim and its watcher (resident, and proportional: a shared page counts in parts), and of the containers'
own control groups.
"""

import asyncio
import os
import tempfile
import time
from pathlib import Path
from typing import Any

from bench.kit.report import Report, parser, quantile

from metanode.host.runtimes.driver import Works
from metanode.host.runtimes.link import ShimPlace, open_link
from metanode.host.runtimes.plan import HOST_USR, ContainerPlan, Limits
from metanode.host.runtimes.shim_driver import ShimDriver

ENGINES = ("sandbox", "crun", "runc")
AT_ONCE = 50
LIMITS = Limits(memory_bytes=64 << 20, cpu_millicores=200, pids=32)
FIRST_GOAL_MS = 80.0
ALL_GOAL_S = 5.0


def plan(number: int) -> ContainerPlan:
    """What every row runs."""
    return ContainerPlan(f"bench.c.{number}.1", HOST_USR, ("sh", "-c", "echo up; exec sleep 60"), LIMITS)


async def first_output_ns(driver: ShimDriver, name: str) -> int:
    """When the shim read its first word."""
    async for record in driver.logs(name, follow=True):
        return record.time_ns
    raise SystemExit(f"{name} said nothing")


async def one(driver: ShimDriver, number: int) -> tuple[float, float]:
    """Milliseconds to the first output, and from kill to removed."""
    wanted = plan(number)
    began = time.time_ns()
    await driver.create(wanted)
    await driver.start(wanted.id)
    first = await first_output_ns(driver, wanted.id)
    ending = time.time_ns()
    await driver.kill(wanted.id)
    await driver.remove(wanted.id)
    return (first - began) / 1e6, (time.time_ns() - ending) / 1e6


def memory_kib(pid: int) -> tuple[int, int]:
    """Resident and proportional memory of a process."""
    rows = dict(line.split(":") for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:])
    return int(rows["Rss"].split()[0]), int(rows["Pss"].split()[0])


def watcher_of(shim: int) -> int:
    """The shim's child that runs the same program."""
    words = Path(f"/proc/{shim}/cmdline").read_bytes()
    for child in Path(f"/proc/{shim}/task/{shim}/children").read_text().split():
        if Path(f"/proc/{child}/cmdline").read_bytes() == words:
            return int(child)
    raise SystemExit("the shim has no watcher")


async def at_once(driver: ShimDriver, shim: int) -> dict[str, Any]:
    """Many containers together."""
    before = memory_kib(shim)
    began = time.time_ns()
    plans = [plan(10_000 + number) for number in range(AT_ONCE)]

    async def begin(wanted: ContainerPlan) -> int:
        await driver.create(wanted)
        await driver.start(wanted.id)
        return await first_output_ns(driver, wanted.id)

    last = max(await asyncio.gather(*map(begin, plans)))
    rss, pss = memory_kib(shim)
    watcher = memory_kib(watcher_of(shim))
    own = [(await driver.stats(wanted.id)).memory_bytes for wanted in plans]
    for wanted in plans:
        await driver.kill(wanted.id)
        await driver.remove(wanted.id)
    return {
        "containers": AT_ONCE,
        "all running s": (last - began) / 1e9,
        "goal s": ALL_GOAL_S,
        "shim RSS MiB, none": before[0] / 1024,
        "shim RSS MiB": rss / 1024,
        "shim PSS MiB": pss / 1024,
        "watcher PSS MiB": watcher[1] / 1024,
        "a container MiB": sum(own) / len(own) / (1 << 20),
    }


async def measure(report: Report, rounds: int) -> None:
    """Every engine that works here."""
    with tempfile.TemporaryDirectory(prefix="mn-bench-") as folder:
        link = await open_link(ShimPlace(Path(folder)))
        rows: list[dict[str, Any]] = []
        medians: dict[str, float] = {}
        together: list[dict[str, Any]] = []
        for engine in ENGINES:
            driver = ShimDriver(link, engine)
            if not isinstance(capability := await driver.probe(), Works):
                rows.append({"engine": engine, "n": 0, "note": capability.reason})
                continue
            times = [await one(driver, number) for number in range(rounds)]
            firsts, ends = [first for first, _ in times], [end for _, end in times]
            medians[engine] = quantile(firsts, 0.5)
            rows.append(
                {
                    "engine": engine,
                    "n": rounds,
                    "first output p50 ms": medians[engine],
                    "p95 ms": quantile(firsts, 0.95),
                    "ratio to sandbox": medians[engine] / medians["sandbox"],
                    "goal ms": FIRST_GOAL_MS,
                    "kill to removed p50 ms": quantile(ends, 0.5),
                }
            )
            together.append({"engine": engine, **await at_once(driver, int(link.facts["pid"]))})
        report.table("First output", rows)
        report.table("Fifty at once", together)
        await link.end_shim()


def main() -> None:
    """Run it."""
    arguments = parser(__doc__)
    arguments.add_argument("--rounds", type=int, default=50)
    options = arguments.parse_args()
    report = Report("runtimes", options.json)
    if os.geteuid() != 0:
        report.remark("not root: only the sandbox, without control groups")
    asyncio.run(measure(report, options.rounds))
    report.finish()


if __name__ == "__main__":
    main()
