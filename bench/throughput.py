"""Finalised transactions a second, and how long one takes: 1 to 4 validators as processes on this machine.

    python -m bench.throughput [--validators 1,2,4] [--seconds 60] [--step-seconds 8] [--rates 1000,2000,3000]

An open loop: separate processes send signed transactions of 250 bytes at a fixed rate through the public ports, in
binary batches, whatever the validators answer. 10,000 senders, 100,000 payees. Signing is done before and not timed. A
transaction counts when a block that holds it is final, as told by the event stream of one validator; its latency is
counted from when it was due to be sent. A rate is sustained where nothing is refused or lost and the last is final
within 1.5 s after it was sent. Afterwards every validator's store is searched for every transaction sent.
"""

import time

from bench.kit.load import Load, Measured, audit, running_load
from bench.kit.network import BASE_PORT, running_network
from bench.kit.report import Report, parser

from metanode.records.parameters import Parameters

RATES = (500, 1000, 1500, 2000, 2500, 3000, 3500, 4000, 5000, 6000, 8000)
CALLS = 20
CALL_RATES = (100, 200, 300, 400, 500, 600, 800, 1000, 1200, 1500)


def climb(report: Report, load: Load, count: int, rates: tuple[int, ...], options: "Options", calls: int) -> float:
    """One short run a rate, up to the first that is not sustained; the last that is."""
    reached = 0.0
    rows = []
    for rate in rates:
        measured = load.run(rate, options.step_seconds, options.batch, calls)
        rows.append(line(measured, count, calls, options.batch, options.step_seconds))
        say_refused(report, count, measured)
        if not measured.sustained:
            break
        reached = rate
        time.sleep(1.0)
    report.table(f"the climb, n = {count}, {calls} calls a transaction", rows)
    return reached


def say_refused(report: Report, count: int, measured: Measured) -> None:
    """Nothing should be; where something was, why."""
    for why, times in measured.refused.items():
        report.remark(f"n={count}, {measured.offered:.0f}/s: {times:,} refused: {why}")


def line(measured: Measured, count: int, calls: int, batch: int, seconds: float) -> dict[str, object]:
    """A row."""
    row = measured.row(n=count, calls=calls, batch=batch, seconds=seconds)
    if calls > 1:
        row["transfers/s"] = measured.reached * calls
    return row


class Options:
    """What was asked for."""

    def __init__(self) -> None:
        made = parser(__doc__)
        made.add_argument("--validators", default="1,2,3,4")
        made.add_argument("--seconds", type=float, default=60.0, help="of the sustained run at n = 4; others a third")
        made.add_argument("--step-seconds", type=float, default=8.0)
        made.add_argument("--rates", default=",".join(map(str, RATES)))
        made.add_argument("--call-rates", default=",".join(map(str, CALL_RATES)))
        made.add_argument("--batch", type=int, default=50, help="transactions of one request")
        made.add_argument("--loaders", type=int, default=2, help="processes that make load")
        made.add_argument("--period-ms", type=int, default=Parameters().block_period_ms)
        made.add_argument("--base-port", type=int, default=BASE_PORT)
        asked = made.parse_args()
        self.json: str = asked.json
        self.validators = [int(text) for text in asked.validators.split(",")]
        self.seconds: float = asked.seconds
        self.step_seconds: float = asked.step_seconds
        self.rates = tuple(int(text) for text in asked.rates.split(",") if text)
        self.call_rates = tuple(int(text) for text in asked.call_rates.split(",") if text)
        self.batch: int = asked.batch
        self.loaders: int = asked.loaders
        self.period_ms: int = asked.period_ms
        self.base_port: int = asked.base_port


def measure(report: Report, count: int, options: Options) -> None:
    """One network, from start to audit."""
    with running_network(count, Parameters(block_period_ms=options.period_ms), options.base_port) as network:
        with running_load(network, options.loaders) as load:
            load.run(200, 3.0, options.batch)  # connections, caches
            for calls, rates in ((1, options.rates), (CALLS, options.call_rates)):
                peak = climb(report, load, count, rates, options, calls)
                if not peak:
                    continue
                seconds = options.seconds if count == max(options.validators) else options.seconds / 3
                time.sleep(2.0)
                rows = []
                for rate, span in ((peak, seconds), (peak / 2, seconds / 2)):
                    measured = load.run(rate, span, options.batch, calls)
                    rows.append(line(measured, count, calls, options.batch, span))
                    say_refused(report, count, measured)
                    time.sleep(2.0)
                report.table("sustained, and at half of it", rows)
            network.settle()
        network.stop()
        found = audit(network, load.names)
        report.remark(
            f"n={count}: {found['transactions']:,} transactions taken, {found['transactions']:,} found in each of "
            f"{found['validators']} stores, once, succeeded, in {found['blocks']} blocks: lost = 0"
        )


def main() -> None:
    """All of it."""
    options = Options()
    report = Report("throughput", options.json)
    report.remark(
        f"block_period_ms = {options.period_ms}; {options.batch} transactions a request; {options.loaders} loaders"
    )
    for count in options.validators:
        measure(report, count, options)
    report.finish()


if __name__ == "__main__":
    main()
