"""The same key-value load against three etcd, four CometBFT with its `kvstore`, and four validators of ours.

    python -m bench.peers [--systems metanode,etcd,cometbft] [--cometbft PROGRAM] [--json FILE]

One write is a key of 20 and a value of 100 bytes, never the same key twice. Ours is signed by one of 10,000 senders and
checked by everybody (a coin for the key, the value as its memo); theirs is not signed. An open loop: two processes
send at the same rates, to all nodes in turn, whatever they answer. A write counts when it is final and executed:
as one validator's events say it (ours, CometBFT), or as the answer says it (etcd). All in one run, one after another,
on the same disk, all with the durability of their defaults. *Unloaded*: one write a request, a few a second. *The
climb*: batches, up to the first rate that is not sustained (nothing refused or lost, the last final no more than
`SLACK_S` later than what the system takes unloaded, its p99). Then half of the last that was, for the latency under
load.

A system that cannot be had is named with the reason, and has no figures and no ratios.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from bench.kit.load import Load, Measured, Target, audit, running_load
from bench.kit.network import BASE_PORT, Network, running_network
from bench.kit.peers import (
    BATCH_MAX,
    POOL_WRITES,
    Comet,
    Etcd,
    Missing,
    comet_version,
    etcd_version,
    find_comet,
    find_etcd,
    running_comet,
    running_etcd,
)
from bench.kit.report import Report, parser, quantile

from metanode.records.parameters import Parameters

RATES = (500, 1000, 1500, 2000, 2500, 3000, 4000, 6000, 8000, 12_000, 16_000, 24_000, 32_000)
VALUE_BYTES = 100
SLACK_S = 0.75
"""More backlog than that after a step is a queue that grows; what a system's own period takes is no backlog."""
PERIOD_MS = Parameters().block_period_ms
SYSTEMS = {
    "metanode": ("ours", f"period {PERIOD_MS} ms", str(PERIOD_MS)),
    "metanode-0": ("ours", "period 0", "0"),
    "etcd": ("etcd", "defaults", ""),
    "cometbft": ("CometBFT", "timeout_commit 1 s", ""),
    "cometbft-period": ("CometBFT", f"timeout_commit {PERIOD_MS} ms", f"{PERIOD_MS}ms"),
    "cometbft-0": ("CometBFT", "timeout_commit 0", "0s"),
}
"""Name on the command line: the system, the setting as shown, the setting as given."""
PAIRS = (
    ("metanode", "etcd"),
    ("metanode", "cometbft"),
    ("metanode", "cometbft-period"),
    ("metanode-0", "etcd"),
    ("metanode-0", "cometbft-0"),
)


@dataclass(frozen=True, slots=True)
class Found:
    """What one system did."""

    unloaded: Measured
    best: Measured
    half: Measured


class Options:
    """What was asked for."""

    def __init__(self) -> None:
        made = parser(__doc__)
        made.add_argument("--systems", default=",".join(SYSTEMS), help="of " + ", ".join(SYSTEMS))
        made.add_argument("--rates", default=",".join(map(str, RATES)))
        made.add_argument("--step-seconds", type=float, default=6.0)
        made.add_argument("--half-seconds", type=float, default=10.0)
        made.add_argument("--unloaded-seconds", type=float, default=15.0)
        made.add_argument("--unloaded-rate", type=float, default=7.0, help="writes a second")
        made.add_argument("--batch", type=int, default=50, help="writes of one request, at most 128")
        made.add_argument("--loaders", type=int, default=2, help="processes that make load")
        made.add_argument("--cometbft", default="", help="the program; else on the path, else built with Go")
        made.add_argument("--base-port", type=int, default=BASE_PORT)
        asked = made.parse_args()
        self.json: str = asked.json
        self.systems: list[str] = asked.systems.split(",")
        for name in self.systems:
            if name not in SYSTEMS:
                made.error(f"no system {name}")
        if not 1 <= asked.batch <= BATCH_MAX:
            made.error(f"--batch: 1 … {BATCH_MAX}")
        self.rates = tuple(int(text) for text in asked.rates.split(","))
        self.step_seconds: float = asked.step_seconds
        self.half_seconds: float = asked.half_seconds
        self.unloaded_seconds: float = asked.unloaded_seconds
        self.unloaded_rate: float = asked.unloaded_rate
        self.batch: int = asked.batch
        self.loaders: int = asked.loaders
        self.cometbft: str = asked.cometbft
        self.base_port: int = asked.base_port


@contextmanager
def running(name: str, options: Options, report: Report) -> Iterator[Target]:
    """The system of this name. Raises `Missing`."""
    kind, _, setting = SYSTEMS[name]
    if kind == "ours":
        with running_network(4, Parameters(block_period_ms=int(setting)), options.base_port) as network:
            yield network
    elif kind == "etcd":
        program = find_etcd()
        report.remark(f"etcd {etcd_version(program)}, 3 members, defaults (fsync on), no TLS, its JSON gateway")
        with running_etcd(program, options.base_port) as etcd:
            yield etcd
    else:
        program = find_comet(options.cometbft)
        version = comet_version(program)
        wait = setting or "1 s, the default"
        report.remark(
            f"CometBFT {version}, 4 validators, kvstore in the process, timeout_commit {wait}; "
            f"changed: mempool.size {POOL_WRITES:,}, mempool.cache_size, rpc.max_request_batch_size {BATCH_MAX}"
        )
        with running_comet(program, options.base_port, setting) as comet:
            yield comet


def settled(measured: Measured, usual_s: float) -> bool:
    """Whether this rate is sustained by a system that takes so long unloaded."""
    return measured.final == measured.sent and not measured.refused and measured.backlog_s < usual_s + SLACK_S


def measure(name: str, target: Target, load: Load, options: Options, report: Report) -> Found | None:
    """Unloaded, the climb, half of its last step."""
    kind, setting, _ = SYSTEMS[name]
    title = {"system": kind, "setting": setting, "n": len(target.processes)}
    load.run(200, 2.0, options.batch)  # connections, caches
    unloaded = load.run(options.unloaded_rate, options.unloaded_seconds, 1)
    usual_s = quantile(unloaded.latencies_ms, 0.99) / 1e3
    report.table("unloaded, one write a request", [row(unloaded, title, 1, options.unloaded_seconds, usual_s)])
    best = None
    steps = []
    for rate in options.rates:
        step = load.run(rate, options.step_seconds, options.batch)
        steps.append(row(step, title, options.batch, options.step_seconds, usual_s))
        if not settled(step, usual_s):
            if step.refused:
                report.remark(f"{kind}, {setting}, {rate}/s: refused {step.refused}")
            break
        best = step
        time.sleep(0.5)
    report.table("the climb", steps)
    if best is None:
        report.remark(f"{kind}, {setting}: not even {options.rates[0]} a second are sustained")
        return None
    time.sleep(1.0)
    half = load.run(best.offered / 2, options.half_seconds, options.batch)
    report.table("at half of it", [row(half, title, options.batch, options.half_seconds, usual_s)])
    return Found(unloaded, best, half)


def row(measured: Measured, title: dict[str, object], batch: int, seconds: float, usual_s: float) -> dict[str, object]:
    """A line of a table."""
    line = measured.row(**title, batch=batch, seconds=seconds)
    line["cpu us/write/node"] = line.pop("cpu us/tx/validator")
    line["sustained"] = settled(measured, usual_s)
    return line


def nothing_lost(target: Target, load: Load, report: Report) -> None:
    """Ask the system itself, after the load, for what was written."""
    names = load.names
    if isinstance(target, Network):
        target.settle()
        target.stop()
        found = audit(target, names)
        assert found["transactions"] == len(names)
        report.remark(f"ours: {len(names):,} writes sent, in each of {found['validators']} stores once, succeeded")
    elif isinstance(target, Etcd):
        count = target.count()
        assert count == len(names), f"{count} of {len(names)} keys"
        report.remark(f"etcd: {count:,} keys sent, {count:,} keys held")
    elif isinstance(target, Comet) and load.watch is not None:
        report.remark(f"CometBFT: {len(names):,} writes sent, {load.watch.total:,} in blocks")


def ratios(found: dict[str, Found]) -> list[dict[str, object]]:
    """Ours against each of the others, settings that fit each other."""

    def part(a: Measured, b: Measured, at: float) -> float:
        return quantile(a.latencies_ms, at) / quantile(b.latencies_ms, at)

    return [
        {
            "ours": SYSTEMS[mine][1],
            "against": " ".join(SYSTEMS[name][:2]),
            "writes/s": found[mine].best.offered / found[name].best.offered,
            "unloaded p50": part(found[mine].unloaded, found[name].unloaded, 0.5),
            "unloaded p99": part(found[mine].unloaded, found[name].unloaded, 0.99),
            "at half p50": part(found[mine].half, found[name].half, 0.5),
            "at half p99": part(found[mine].half, found[name].half, 0.99),
        }
        for mine, name in PAIRS
        if mine in found and name in found
    ]


def main() -> None:
    """All of it."""
    options = Options()
    report = Report("peers", options.json)
    report.remark(
        f"key 20 bytes, value {VALUE_BYTES} bytes; {options.batch} writes a request in the climb; {options.loaders} "
        f"loaders, at most 64 connections of each to a node; sustained: the last within unloaded p99 + {SLACK_S} s"
    )
    found: dict[str, Found] = {}
    for name in options.systems:
        try:
            with running(name, options, report) as target, running_load(target, options.loaders, VALUE_BYTES) as load:
                result = measure(name, target, load, options, report)
                nothing_lost(target, load, report)
                if result is not None:
                    found[name] = result
        except Missing as missing:
            report.remark(f"{' '.join(SYSTEMS[name][:2])}: not measured: {missing}")
    report.table(
        "together",
        [
            {
                "system": " ".join(SYSTEMS[name][:2]),
                "writes/s sustained": one.best.offered,
                "unloaded p50 ms": quantile(one.unloaded.latencies_ms, 0.5),
                "unloaded p99 ms": quantile(one.unloaded.latencies_ms, 0.99),
                "at half p50 ms": quantile(one.half.latencies_ms, 0.5),
                "at half p99 ms": quantile(one.half.latencies_ms, 0.99),
                "cpu us/write/node": one.best.cpu_us,
                "RSS MiB": one.half.resident_mib,
            }
            for name, one in found.items()
        ],
    )
    report.table("ours divided by theirs (writes: above 1 is better; latency: below 1 is better)", ratios(found))
    report.finish()


if __name__ == "__main__":
    main()
