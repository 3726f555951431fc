"""Load from other processes, counted when final: what was sent, when it was due, in which block it is, when that was
known outside."""

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import Any, Protocol

from bench.kit.network import Network
from bench.kit.processes import TICKS, Process
from bench.kit.report import quantile
from bench.kit.watch import Watch

from metanode.host.data_directory import Layout
from metanode.host.store import Store
from metanode.node.rows import IDENTITY, RECEIPT_LISTS, RECEIPTS, height_key, place_of
from metanode.records.receipt import RECEIPTS as RECEIPT_DECODER

DRAIN_S = 60.0
"""What was sent and is not final so long after the last was sent is lost."""


class Target(Protocol):
    """A running system, as a load sees it."""

    @property
    def processes(self) -> Sequence[Process]:
        """Its nodes."""
        ...

    @property
    def ports(self) -> list[int]:
        """Where they take writes."""
        ...

    def dialect(self, value_bytes: int) -> dict[str, Any]:
        """What tells a loader how to speak to it."""
        ...

    def watch(self) -> Watch | None:
        """Who tells what is final; `None` where the answers do."""
        ...


@dataclass(slots=True)
class Measured:
    """One run of load."""

    sent: int
    final: int
    refused: dict[str, int]
    offered: float
    reached: float
    backlog_s: float
    latencies_ms: list[float]
    blocks: int
    cpu_us: float
    others: float
    late_ms: float
    resident_mib: float
    identities: list[str] = field(default_factory=list)

    @property
    def sustained(self) -> bool:
        """Nothing lost or refused, and final as fast as it was offered: the last within a second and a half."""
        return self.final == self.sent and not self.refused and self.backlog_s < 1.5

    def row(self, **first: Any) -> dict[str, Any]:
        """A line of a table."""
        return {
            **first,
            "offered/s": self.offered,
            "sent": self.sent,
            "refused": sum(self.refused.values()),
            "lost": self.sent - self.final - sum(self.refused.values()),
            "final/s": self.reached,
            "p50 ms": quantile(self.latencies_ms, 0.5),
            "p99 ms": quantile(self.latencies_ms, 0.99),
            "last after ms": self.backlog_s * 1e3,
            "blocks": self.blocks,
            "cpu us/tx/validator": self.cpu_us,
            "RSS MiB": self.resident_mib,
            "others' cpu": f"{self.others:.0%}",
            "sustained": self.sustained,
        }


class Load:
    """Loader processes against a system. `value_bytes` 0: signed transfers of 250 bytes, else writes of such values.

    `names`: of all writes that were taken, to be looked for afterwards.
    """

    def __init__(self, target: Target, loaders: int, value_bytes: int = 0) -> None:
        self.target = target
        self._loaders = [
            subprocess.Popen(
                [sys.executable, "-m", "bench.kit.loader"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
            )
            for _ in range(loaders)
        ]
        for part, loader in enumerate(self._loaders):
            dialect = target.dialect(value_bytes)
            self._order(loader, {"part": part, "parts": loaders, "ports": target.ports, "dialect": dialect})
        self.watch = target.watch()
        self.names: list[str] = []

    @staticmethod
    def _order(loader: "subprocess.Popen[str]", order: dict[str, Any]) -> None:
        assert loader.stdin is not None
        loader.stdin.write(json.dumps(order) + "\n")
        loader.stdin.flush()

    def _orders(self, orders: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        for loader, order in zip(self._loaders, orders, strict=True):
            self._order(loader, order)
        answers = []
        for loader in self._loaders:
            assert loader.stdout is not None
            line = loader.stdout.readline()
            if not line:
                raise SystemExit("a loader ended; what it said stands above")
            answers.append(json.loads(line))
        return answers

    def run(self, rate: float, seconds: float, batch: int, calls: int = 1) -> Measured:
        """Make the writes, then send at this rate for so long, then wait until all is final."""
        parts = len(self._loaders)
        share = int(rate * seconds) // parts
        self._orders([{"prepare": {"count": share, "calls": calls}}] * parts)
        watch = self.watch
        total, first_block = (watch.total, len(watch.blocks)) if watch is not None else (0, 0)
        cpu = [process.cpu_s() for process in self.target.processes]
        ours, busy = self._cpu()
        start = monotonic() + 0.3
        step = batch * parts / rate
        answers = self._orders(
            [
                {"run": {"start": start + step * part / parts, "rate": rate / parts, "batch": batch}}
                for part in range(parts)
            ]
        )
        sent = share * parts
        not_taken = {name: why for answer in answers for name, why in answer["refused"].items()}
        if watch is not None:
            watch.wait_total(total + sent - len(not_taken), DRAIN_S)
        ours_after, busy_after = self._cpu()
        spent = sum(p.cpu_s() - before for p, before in zip(self.target.processes, cpu, strict=True))
        due = {name: at for answer in answers for name, at in answer["sent"]}
        assert len(due) == sent, "two writes of one name"
        self.names += (name for name in due if name not in not_taken)
        if watch is None:
            told = [(due_at, at, count) for answer in answers for due_at, at, count in answer["final"]]
            latencies = [(at - due_at) * 1e3 for due_at, at, count in told for _ in range(count)]
            last_final, blocks = max((at for _, at, _ in told), default=start), len(told)
        else:
            with watch.changed:
                found = [block for block in watch.blocks[first_block:] if block[1]]
            latencies = [(at - due[n]) * 1e3 for height, _, at in found for n in watch.names(height) if n in due]
            last_final, blocks = max((at for *_, at in found), default=start), len(found)
        return Measured(
            sent=sent,
            final=len(latencies),
            refused=dict(Counter(not_taken.values())),
            offered=rate,
            reached=len(latencies) / max(last_final - start, seconds),
            backlog_s=last_final - max(due.values()),
            latencies_ms=latencies,
            blocks=blocks,
            cpu_us=spent / sent / len(self.target.processes) * 1e6,
            others=max(0.0, 1 - (ours_after - ours) / max(0.01, busy_after - busy)),
            late_ms=max(answer["late_max_ms"] for answer in answers),
            resident_mib=max(p.resident_mib() for p in self.target.processes),
        )

    def _cpu(self) -> tuple[float, float]:
        """Processor seconds of all processes of this benchmark, and busy seconds of the machine."""
        pids = [p.running.pid for p in self.target.processes] + [p.pid for p in self._loaders] + ["self"]
        ours = 0.0
        for pid in pids:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            ours += (int(fields[11]) + int(fields[12])) / TICKS
        numbers = [int(x) for x in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]]
        return ours, (sum(numbers) - numbers[3] - numbers[4]) / TICKS

    def close(self) -> None:
        """End the loaders."""
        if self.watch is not None:
            self.watch.close()
        for loader in self._loaders:
            assert loader.stdin is not None
            loader.stdin.close()
            loader.wait(10)


@contextmanager
def running_load(target: Target, loaders: int, value_bytes: int = 0) -> Iterator[Load]:
    """Loader processes, ended afterwards."""
    load = Load(target, loaders, value_bytes)
    try:
        yield load
    finally:
        load.close()


def audit(network: Network, identities: Sequence[str]) -> dict[str, int]:
    """After `network.stop()`: in each validator's store, every transaction sent is final exactly once, and succeeded.

    Raises `AssertionError` where one is lost, doubled or failed.
    """
    heights = 0
    for process in network.processes:
        store = Store(Layout(process.folder).store)
        try:
            places: dict[tuple[int, int], None] = {}
            for at in range(0, len(identities), 1000):
                names = [IDENTITY + bytes.fromhex(name) for name in identities[at : at + 1000]]
                rows = store.get_many(names)
                lost = sum(row is None for row in rows)
                assert not lost, f"{process.folder}: {lost} transactions are lost"
                places.update((place_of(row), None) for row in rows if row is not None)
            assert len(places) == len(identities), "two transactions in one place"
            by_height: dict[int, list[int]] = {}
            for height, index in places:
                by_height.setdefault(height, []).append(index)
            for height, indexes in by_height.items():
                row = store.get(height_key(RECEIPTS, height))
                assert row is not None
                receipts = RECEIPT_LISTS.decode(row)
                assert all(RECEIPT_DECODER.decode(receipts[index]).status == 1 for index in indexes), (
                    f"block {height}: failed"
                )
            heights = len(by_height)
        finally:
            store.close()
    return {"transactions": len(identities), "validators": len(network.processes), "blocks": heights}
