"""A development network of real processes below a scratch folder, with the benchmark's senders in its genesis."""

import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.kit.ask import ask, metrics
from bench.kit.processes import Process, check_alive, check_free, launch, stop_all
from bench.kit.senders import SENDERS, address, public_key
from bench.kit.watch import MetanodeWatch
from msgspec.structs import replace

from metanode.host.development import (
    PASSWORD,
    create_node,
    development_genesis,
    http_port,
    node_settings,
    peer_port,
)
from metanode.records.amount import amount_bytes
from metanode.records.genesis import Genesis, GenesisAccount, GenesisBalance, GenesisCoin, genesis_hash
from metanode.records.parameters import Parameters

BASE_PORT = 27_900
"""Far from the ports of `bpi up`."""
FUNDS = 1_000_000_000
"""Of each sender: never spent in a benchmark."""
READY_S = 90.0
LIFETIME_MS = 590_000
"""Just below the longest the chain allows: what is signed beforehand must not expire on the way."""


@dataclass(slots=True)
class Network:
    """Validators of one chain."""

    root: Path
    genesis: Genesis
    base_port: int
    processes: list[Process] = field(default_factory=list)
    first_nonce: int = 0
    """Of every sender, for the next load: a load begins where another has left all senders alike."""

    @property
    def chain_id(self) -> bytes:
        return genesis_hash(self.genesis)

    @property
    def ports(self) -> list[int]:
        return [process.port for process in self.processes]

    def dialect(self, value_bytes: int) -> dict[str, Any]:
        """How a loader speaks to it."""
        return {
            "kind": "metanode",
            "chain_id": self.chain_id.hex(),
            "lifetime_ms": LIFETIME_MS,
            "first_nonce": self.first_nonce,
            "value_bytes": value_bytes,
        }

    def watch(self) -> MetanodeWatch:
        """Who tells what is final."""
        return MetanodeWatch(self.ports[0])

    def start(self, index: int) -> Process:
        """Start (again) the validator of this index."""
        folder = self.root / f"validator-{index}"
        command = [sys.executable, "-m", "bench.kit.validator", str(folder)]
        process = launch(command, folder, http_port(self.base_port, index))
        self.processes[index : index + 1] = [process]
        return process

    def stop(self) -> None:
        """Gracefully; whoever does not end is killed."""
        stop_all(self.processes)

    def settle(self) -> None:
        """Wait until every validator is as high as the highest is now."""
        goal = max(metrics(port)["metanode_height"] for port in self.ports)
        for _ in range(200):
            heights = [metrics(port)["metanode_height"] for port in self.ports]
            if min(heights) >= goal:
                return
            time.sleep(0.1)
        raise SystemExit(f"validators do not meet: {heights}")


def wait_ready(processes: Sequence[Process], finals: int = 1) -> None:
    """Return when all answer `/ready` and have applied a block (each knows the others)."""
    deadline = time.monotonic() + READY_S
    waiting = list(processes)
    while waiting:
        process = waiting[0]
        check_alive(process)
        try:
            if ask(process.port, "/ready")[0] == 200 and metrics(process.port).get("metanode_height", 0) >= finals:
                waiting.pop(0)
                continue
        except OSError:
            pass
        if time.monotonic() > deadline:
            raise SystemExit(f"{process.folder} is not ready after {READY_S:.0f} s")
        time.sleep(0.1)


def bench_genesis(count: int, base_port: int, parameters: Parameters) -> Genesis:
    """A development genesis whose accounts are the senders."""
    plain = development_genesis(count, base_port, "bench", parameters, time.time_ns() // 1_000_000)
    accounts = tuple(
        GenesisAccount(
            name=f"s{number}",
            address=address(number),
            keys=(public_key(number),),
            threshold=1,
            roles=(),
            balances=(GenesisBalance(coin="USD", amount=amount_bytes(FUNDS)),),
        )
        for number in range(SENDERS)
    )
    coin = GenesisCoin(coin="USD", decimals=2, issuer=address(0), minters=(address(0),), supply_max=b"")
    return replace(plain, accounts=accounts, coins=(coin,))


@contextmanager
def running_network(count: int, parameters: Parameters, base_port: int = BASE_PORT) -> Iterator[Network]:
    """`count` validators as processes, ready; stopped and removed afterwards (kept with BENCH_KEEP=1)."""
    root = Path(tempfile.mkdtemp(prefix="metanode-bench-"))
    check_free([port(base_port, index) for index in range(count) for port in (http_port, peer_port)])
    try:
        genesis = bench_genesis(count, base_port, parameters)
        (root / "password").write_text(PASSWORD + "\n")
        for index in range(count):
            create_node(
                root / f"validator-{index}", f"validator-{index}", genesis, node_settings(base_port, index, root)
            )
        network = Network(root, genesis, base_port)
        try:
            for index in range(count):
                network.start(index)
            wait_ready(network.processes)
            yield network
        finally:
            network.stop()
    finally:
        if os.environ.get("BENCH_KEEP"):
            print(f"kept: {root}")
        else:
            shutil.rmtree(root, ignore_errors=True)
