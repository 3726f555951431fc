"""Load from other processes, counted when final: what was sent, when it was due, in which block it is, when that was
known outside."""

import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

from bench.kit.network import Network, ask, metrics
from bench.kit.report import quantile

from metanode.host.data_directory import Layout
from metanode.host.store import Store
from metanode.node.rows import IDENTITY, RECEIPT_LISTS, RECEIPTS, height_key, place_of
from metanode.records.receipt import RECEIPTS as RECEIPT_DECODER

LIFETIME_MS = 590_000
"""Just below the longest the chain allows: what is signed beforehand must not expire on the way."""
DRAIN_S = 60.0
"""What was sent and is not final so long after the last was sent is lost."""


class Watch(threading.Thread):
    """Follows one validator's events of blocks: (height, transactions, when we knew)."""

    def __init__(self, port: int) -> None:
        super().__init__(daemon=True)
        self.blocks: list[tuple[int, int, float]] = []
        self.total = 0
        self.changed = threading.Condition()
        self._connection = HTTPConnection("127.0.0.1", port, timeout=60)
        self._connection.request("GET", "/v1/events?kinds=block")
        self._response = self._connection.getresponse()
        assert self._response.status == 200, self._response.read()
        self.start()

    def run(self) -> None:
        try:
            while line := self._response.readline():
                if line.startswith(b'data: {"height"'):
                    now = time.monotonic()
                    block = json.loads(line[6:])
                    with self.changed:
                        self.blocks.append((block["height"], block["transactions"], now))
                        self.total += block["transactions"]
                        self.changed.notify_all()
        except (OSError, ValueError, AttributeError):
            pass

    def wait_total(self, total: int, timeout_s: float) -> bool:
        """Whether so many transactions became final in time."""
        with self.changed:
            return self.changed.wait_for(lambda: self.total >= total, timeout_s)

    def close(self) -> None:
        """Hang up."""
        if self._connection.sock is not None:
            self._connection.sock.close()


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
            "lost": self.sent - self.final,
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
    """Loader processes against a network."""

    def __init__(self, network: Network, loaders: int) -> None:
        self.network = network
        self._loaders = [
            subprocess.Popen(
                [sys.executable, "-m", "bench.kit.loader"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
            )
            for _ in range(loaders)
        ]
        chain_id = network.chain_id.hex()
        for part, loader in enumerate(self._loaders):
            self._order(loader, {"part": part, "parts": loaders, "chain_id": chain_id, "ports": network.ports})
        self.watch = Watch(network.ports[0])
        self.identities: list[str] = []

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
            answers.append(json.loads(loader.stdout.readline()))
        return answers

    def run(self, rate: float, seconds: float, batch: int, calls: int = 1) -> Measured:
        """Sign, then send at this rate for so long, then wait until all is final."""
        parts = len(self._loaders)
        share = int(rate * seconds) // parts
        self._orders([{"prepare": {"count": share, "calls": calls, "lifetime_ms": LIFETIME_MS}}] * parts)
        watch = self.watch
        total, known, first_block = watch.total, len(self.identities), len(watch.blocks)
        cpu = [process.cpu_s() for process in self.network.processes]
        ours, busy, _ = self._cpu()
        start = time.monotonic() + 0.3
        step = batch * parts / rate
        answers = self._orders(
            [
                {"run": {"start": start + step * part / parts, "rate": rate / parts, "batch": batch}}
                for part in range(parts)
            ]
        )
        sent = share * parts
        done = watch.wait_total(total + sent, DRAIN_S)
        ours_after, busy_after, all_after = self._cpu()
        del all_after
        spent = sum(p.cpu_s() - before for p, before in zip(self.network.processes, cpu, strict=True))
        others = max(0.0, 1 - (ours_after - ours) / max(0.01, busy_after - busy))
        with watch.changed:
            blocks = [block for block in watch.blocks[first_block:] if block[1]]
        due = {identity: at for answer in answers for identity, at in answer["sent"]}
        self.identities += due
        refused: dict[str, int] = {}
        for answer in answers:
            for code, count in answer["refused"].items():
                refused[code] = refused.get(code, 0) + count
        latencies, found = self._latencies(blocks, due)
        assert done == (found == sent), (done, found, sent)
        last_due, last_final = max(due.values()), max((at for *_, at in blocks), default=start)
        assert len(self.identities) == known + sent
        return Measured(
            sent=sent,
            final=found,
            refused=refused,
            offered=rate,
            reached=found / max(last_final - start, seconds),
            backlog_s=last_final - last_due,
            latencies_ms=latencies,
            blocks=len(blocks),
            cpu_us=spent / sent / len(self.network.processes) * 1e6,
            others=others,
            late_ms=max(answer["late_max_ms"] for answer in answers),
            resident_mib=max(p.resident_mib() for p in self.network.processes),
        )

    def _latencies(self, blocks: Sequence[tuple[int, int, float]], due: dict[str, float]) -> tuple[list[float], int]:
        """From when a transaction was due to be sent until its block was known to be final, milliseconds."""
        latencies = []
        for height, _, at in blocks:
            status, body = ask(self.network.ports[0], f"/v1/blocks/{height}", timeout_s=60)
            assert status == 200, body
            latencies += [(at - due[name]) * 1e3 for name in json.loads(body)["transactions"] if name in due]
        return latencies, len(latencies)

    def _cpu(self) -> tuple[float, float, float]:
        """Processor seconds of all processes of this benchmark, busy and total seconds of the machine."""
        pids = [p.running.pid for p in self.network.processes] + [p.pid for p in self._loaders] + ["self"]
        ours = 0.0
        for pid in pids:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            ours += (int(fields[11]) + int(fields[12])) / 100
        numbers = [int(x) for x in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]]
        return ours, (sum(numbers) - numbers[3] - numbers[4]) / 100, sum(numbers) / 100

    def close(self) -> None:
        """End the loaders."""
        self.watch.close()
        for loader in self._loaders:
            assert loader.stdin is not None
            loader.stdin.close()
            loader.wait(10)

    def settle(self) -> None:
        """Wait until every validator is as high as the highest."""
        for _ in range(200):
            heights = [metrics(port)["metanode_height"] for port in self.network.ports]
            if min(heights) >= self.watch.blocks[-1][0]:
                return
            time.sleep(0.1)
        raise SystemExit(f"validators do not meet: {heights}")


@contextmanager
def running_load(network: Network, loaders: int) -> Iterator[Load]:
    """Loader processes, ended afterwards."""
    load = Load(network, loaders)
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
