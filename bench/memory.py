"""Resident memory of a validator: after a hundred thousand transactions and accounts, and while others flood it.

    python -m bench.memory [--transactions 100000] [--rate 1000] [--flood-seconds 30] [--json FILE]

*Load*: signed transfers of 250 bytes, each to an account that did not exist, to a chain of 10,000 accounts. *A flooding
peer*: the fourth validator is stopped, and a process with its keys greets the first and throws whatever its link takes:
letters nobody knows, wishes for every block, random bytes to every room, batches of forged transactions; hung up on, it
dials again. *A flooding client*: more connections to the public port than are taken, with bodies of 8 MiB that never
end, event streams that are never read, forged transactions, questions for what is long. RSS of the flooded validator
every tenth of a second; meanwhile others send transactions to the other validators. Ends with status 1 where a
validator was above 250 MB after the load, or above 400 MB in a flood.
"""

import json
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, replace
from typing import Any

from bench.kit.ask import ask, metrics
from bench.kit.load import running_load
from bench.kit.network import BASE_PORT, Network, running_network
from bench.kit.processes import Process
from bench.kit.report import Report, parser, quantile
from bench.kit.senders import SENDERS

from metanode.host.development import peer_port
from metanode.records.parameters import Parameters

RESIDENT_MAX_MB = 250
FLOODED_MAX_MB = 400
"""Above the load's: buffers of 256 connections with something in each, and the long bodies that there is room for."""
VALUE_BYTES = 24
"""As memo of a transfer: 250 bytes in all, give or take one."""
SAMPLE_S = 0.1
LATER_S = 10.0
"""How long after a flood memory is looked at again."""
TRICKLE = 20.0
"""Transactions a second by others during a flood."""
FLOODED = 0
FLOODER = 3


@dataclass(slots=True)
class Sampler:
    """The greatest resident memory of some processes while this lives, MB (10^6 bytes)."""

    processes: list[Process]
    ended: bool = False
    greatest: float = 0.0

    def __post_init__(self) -> None:
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        while not self.ended:
            self.greatest = max(self.greatest, *(megabytes(process) for process in self.processes))
            time.sleep(SAMPLE_S)


def megabytes(process: Process) -> float:
    """RSS now, in 10^6 bytes."""
    return process.resident_mib() * 2**20 / 1e6


def after_load(report: Report, network: Network, transactions: int, rate: float, batch: int) -> float:
    """RSS of each validator once so many transactions are final and so many accounts exist; the greatest."""
    with running_load(network, 2, VALUE_BYTES) as load:
        sampler = Sampler(list(network.processes))
        before = [megabytes(process) for process in network.processes]
        measured = load.run(rate, transactions / rate, batch)
        sampler.ended = True
        assert measured.final == transactions, (measured.final, measured.refused)
        network.settle()
    network.first_nonce += transactions // SENDERS
    rows: list[dict[str, object]] = [
        {
            "validator": number,
            "before MB": before[number],
            "after MB": megabytes(process),
            "peak MB": process.resident_peak_mib() * 2**20 / 1e6,
            "within 250 MB": process.resident_peak_mib() * 2**20 / 1e6 <= RESIDENT_MAX_MB,
        }
        for number, process in enumerate(network.processes)
    ]
    report.table("after the load", rows)
    report.remark(f"{measured.final:,} transactions final, {SENDERS + measured.final:,} accounts, {rate:.0f} a second")
    return sampler.greatest


def flood(report: Report, network: Network, kind: str, seconds: float) -> float:
    """One process that floods the first validator; the greatest RSS meanwhile."""
    victim = network.processes[FLOODED]
    order: dict[str, Any] = {
        "kind": kind,
        "seconds": seconds,
        "chain_id": network.chain_id.hex(),
        "port": victim.port if kind == "client" else peer_port(network.base_port, FLOODED),
        "target": f"validator-{FLOODED}",
        "name": f"validator-{FLOODER}",
    }
    height, before = metrics(victim.port)["metanode_height"], megabytes(victim)
    sampler = Sampler([victim])
    others = replace(network, processes=[p for p in network.processes[FLOODED + 1 :] if p.running.poll() is None])
    with running_load(others, 1) as load:
        flooder = subprocess.Popen(
            [sys.executable, "-m", "bench.kit.flooder", json.dumps(order)], stdout=subprocess.PIPE, text=True
        )
        measured = load.run(TRICKLE, seconds, 1)
        told, _ = flooder.communicate(timeout=60)
    network.first_nonce += 1  # the same few senders have the next turn
    blocks = metrics(others.ports[0])["metanode_height"] - height
    time.sleep(LATER_S)
    sampler.ended = True
    status, _ = ask(victim.port, "/health")
    report.table(
        "while it is flooded",
        [
            {
                "by": kind,
                "seconds": seconds,
                "before MB": before,
                "greatest MB": sampler.greatest,
                f"{LATER_S:.0f} s after MB": megabytes(victim),
                "within 400 MB": sampler.greatest <= FLOODED_MAX_MB,
                "blocks meanwhile": int(blocks),
                "transactions of others": measured.sent,
                "final": measured.final,
                "p50 ms": quantile(measured.latencies_ms, 0.5),
                "p99 ms": quantile(measured.latencies_ms, 0.99),
                "healthy": status == 200,
                **json.loads(told),
            }
        ],
    )
    return sampler.greatest


def main() -> None:
    """All of it."""
    made = parser(__doc__)
    made.add_argument("--transactions", type=int, default=100_000)
    made.add_argument("--rate", type=float, default=1000.0, help="transactions a second")
    made.add_argument("--batch", type=int, default=50, help="transactions of one request")
    made.add_argument("--flood-seconds", type=float, default=30.0)
    made.add_argument("--base-port", type=int, default=BASE_PORT)
    options = made.parse_args()
    if options.transactions % SENDERS or options.flood_seconds * TRICKLE > SENDERS:
        made.error(f"--transactions: a multiple of {SENDERS:,}; --flood-seconds: at most {SENDERS / TRICKLE:.0f}")
    report = Report("memory", options.json)
    with running_network(4, Parameters(), options.base_port) as network:
        loaded = after_load(report, network, options.transactions, options.rate, options.batch)
        flooded = 0.0
        if options.flood_seconds:
            flooded = flood(report, network, "client", options.flood_seconds)
            network.processes[FLOODER].kill()
            flooded = max(flooded, flood(report, network, "peer", options.flood_seconds))
        report.remark(
            f"after the load {loaded:.0f} MB of {RESIDENT_MAX_MB}, in a flood {flooded:.0f} of {FLOODED_MAX_MB}"
        )
        report.finish()
        if loaded > RESIDENT_MAX_MB or flooded > FLOODED_MAX_MB:
            sys.exit(1)


if __name__ == "__main__":
    main()
