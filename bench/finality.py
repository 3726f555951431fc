"""How long until one knows that it is final: unloaded, against load, and when a leader dies.

    python -m bench.finality [--rounds 200] [--kills 4] [--loads 250,500,1000,1500]

Four validators as processes. *Unloaded*: one client submits one transaction of 250 bytes at a time and asks
`transaction.wait`, both over HTTP; the clock runs from before the submission until the answer says that it is final and
in which block: results are in that block's header, so they are final, too. Once with block_period_ms = 0, once with the
default. *Against load*: an open loop as in `bench.throughput`, 50 transactions a request; from when a transaction was
due to be sent until the event of its block was read. *Dead leader*: with a transaction waiting at all times, one
validator is killed (-9); the cost is the longest time between two final blocks, as an outside observer sees them, and
what each later turn of the dead one costs.
"""

import random
import threading
import time
from collections.abc import Sequence
from itertools import pairwise

from bench.kit.load import running_load
from bench.kit.network import BASE_PORT, Network, running_network, wait_ready
from bench.kit.report import Report, parser, quantile
from bench.kit.senders import signed
from bench.kit.watch import MetanodeWatch

from metanode.client import Client, ClientError
from metanode.records.parameters import Parameters

LIFETIME_MS = 300_000


def unloaded(network: Network, rounds: int, first_sender: int) -> list[float]:
    """Milliseconds of each round, clients in turn at every validator, with pauses that fit no period."""
    clients = [Client(f"http://127.0.0.1:{port}") for port in network.ports]
    draw = random.Random(1)
    found = []
    for number in range(-8, rounds):
        expires_ms = time.time_ns() // 1_000_000 + LIFETIME_MS
        encoded, identity = signed(network.chain_id, first_sender + 8 + number, 0, 1, expires_ms)
        client = clients[number % len(clients)]
        time.sleep(draw.uniform(0.01, 0.06))
        began = time.monotonic()
        client.transaction.submit(encoded)
        status = client.transaction.wait(identity.hex(), timeout_s=20)
        took = time.monotonic() - began
        assert status.state == "final", status
        if number >= 0:  # the first few warm up
            found.append(took * 1e3)
    return found


class Trickle(threading.Thread):
    """Keeps a transaction waiting at all times, at the validators that live."""

    def __init__(self, network: Network, first_sender: int) -> None:
        super().__init__(daemon=True)
        self.ports: list[int] = network.ports
        self._chain_id = network.chain_id
        self._sender = first_sender
        self.ended = False
        self.start()

    def run(self) -> None:
        clients = {port: Client(f"http://127.0.0.1:{port}") for port in self.ports}
        while not self.ended:
            expires_ms = time.time_ns() // 1_000_000 + LIFETIME_MS
            encoded, _ = signed(self._chain_id, self._sender, 0, 1, expires_ms)
            self._sender += 1
            try:
                clients[self.ports[self._sender % len(self.ports)]].transaction.submit(encoded)
            except ClientError as error:
                if not self.ended:
                    print(f"(a submission failed: {error})")
            time.sleep(0.02)

    def close(self) -> None:
        """No more."""
        self.ended = True
        self.join(5)


def against_load(network: Network, rates: Sequence[float], seconds: float, batch: int) -> list[dict[str, object]]:
    """One short run a rate."""
    rows = []
    with running_load(network, 2) as load:
        load.run(200, 3.0, batch)  # connections, caches
        for rate in rates:
            time.sleep(1)
            measured = load.run(rate, seconds, batch)
            rows.append(measured.row(n=len(network.processes), batch=batch, seconds=seconds))
    return rows


def gaps(blocks: Sequence[tuple[int, int, float]], since: float, until: float) -> list[float]:
    """Seconds between final blocks in a span of time."""
    times = [at for *_, at in blocks if since <= at <= until]
    before = [at for *_, at in blocks if at < since][-1:]
    times = before + times
    return [later - earlier for earlier, later in pairwise(times)]


def dead_leader(network: Network, kills: int, first_sender: int) -> list[dict[str, object]]:
    """Kill each but the first in turn, watch for a while, let it come back."""
    rows: list[dict[str, object]] = []
    trickle = Trickle(network, first_sender)
    try:
        for number in range(kills):
            watch = MetanodeWatch(network.ports[0])
            victim = 1 + number % (len(network.processes) - 1)
            time.sleep(3)
            at = time.monotonic()
            trickle.ports = [port for index, port in enumerate(network.ports) if index != victim]
            network.processes[victim].kill()
            time.sleep(10)
            now = time.monotonic()
            before = gaps(watch.blocks, at - 3, at)
            after = gaps(watch.blocks, at, now)
            slow = [gap for gap in after if gap > 2 * quantile(before, 0.5)]
            rows.append(
                {
                    "killed": f"validator-{victim}",
                    "gap before, p50 ms": quantile(before, 0.5) * 1e3,
                    "longest gap after ms": max(after) * 1e3,
                    "blocks in 10 s": len(after),
                    "gaps of its turns": len(slow),
                    "their p50 ms": quantile(slow, 0.5) * 1e3,
                }
            )
            watch.close()
            network.start(victim)
            wait_ready([network.processes[victim]])
            trickle.ports = network.ports
            time.sleep(3)
    finally:
        trickle.close()
    return rows


def main() -> None:
    """All of it."""
    made = parser(__doc__)
    made.add_argument("--rounds", type=int, default=200)
    made.add_argument("--kills", type=int, default=4)
    made.add_argument("--loads", default="250,500,1000,1500", help="transactions a second, each for a while")
    made.add_argument("--load-seconds", type=float, default=10.0)
    made.add_argument("--batch", type=int, default=50, help="transactions of one request")
    made.add_argument("--validators", type=int, default=4)
    made.add_argument("--base-port", type=int, default=BASE_PORT)
    options = made.parse_args()
    report = Report("finality", options.json)
    rows = []
    rates = [float(text) for text in options.loads.split(",") if text]
    default = Parameters()
    for period_ms in (0, default.block_period_ms):
        with running_network(options.validators, Parameters(block_period_ms=period_ms), options.base_port) as network:
            found = unloaded(network, options.rounds, 0)
            rows.append(
                {
                    "n": options.validators,
                    "block_period_ms": period_ms,
                    "rounds": options.rounds,
                    "p50 ms": quantile(found, 0.5),
                    "p95 ms": quantile(found, 0.95),
                    "p99 ms": quantile(found, 0.99),
                    "max ms": max(found),
                }
            )
            if period_ms == default.block_period_ms and options.kills:
                deaths = dead_leader(network, options.kills, 5_000)
    report.table("unloaded: from submission to the client's knowledge that it is final", rows)
    if rates:
        with running_network(options.validators, default, options.base_port) as network:
            loaded = against_load(network, rates, options.load_seconds, options.batch)
        report.table(f"against load, block_period_ms = {default.block_period_ms}", loaded)
    if options.kills:
        report.table("a dead leader", deaths)
        report.remark(
            f"defaults: block_period_ms = {default.block_period_ms}, round_timeout_ms = {default.round_timeout_ms}, "
            f"doubling up to {default.round_timeout_max_ms}"
        )
    report.finish()


if __name__ == "__main__":
    main()
