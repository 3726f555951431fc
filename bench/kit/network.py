"""A development network of real processes below a scratch folder, with the benchmark's senders in its genesis."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection
from pathlib import Path

from bench.kit.senders import SENDERS, address, public_key
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
STOP_S = 20.0
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(slots=True)
class Process:
    """One running validator."""

    folder: Path
    port: int
    running: subprocess.Popen[bytes]

    def cpu_s(self) -> float:
        """Processor time used so far, user and system."""
        fields = Path(f"/proc/{self.running.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def resident_mib(self) -> float:
        """Memory of this process that is in RAM."""
        return int(Path(f"/proc/{self.running.pid}/statm").read_text().split()[1]) * 4096 / 2**20

    def kill(self) -> None:
        """kill -9."""
        self.running.kill()
        self.running.wait()


@dataclass(slots=True)
class Network:
    """Validators of one chain."""

    root: Path
    genesis: Genesis
    base_port: int
    processes: list[Process] = field(default_factory=list)

    @property
    def chain_id(self) -> bytes:
        return genesis_hash(self.genesis)

    @property
    def ports(self) -> list[int]:
        return [process.port for process in self.processes]

    def start(self, index: int) -> Process:
        """Start (again) the validator of this index."""
        folder = self.root / f"validator-{index}"
        with (self.root / f"validator-{index}.out").open("ab") as out:
            running = subprocess.Popen(
                [sys.executable, "-m", "bench.kit.validator", str(folder)], stdout=out, stderr=out, cwd=Path.cwd()
            )
        process = Process(folder, http_port(self.base_port, index), running)
        self.processes[index : index + 1] = [process]
        return process

    def stop(self) -> None:
        """Gracefully; whoever does not end is killed."""
        for process in self.processes:
            process.running.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + STOP_S
        for process in self.processes:
            try:
                process.running.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()


def ask(port: int, path: str, timeout_s: float = 10.0) -> tuple[int, bytes]:
    """One GET on a connection of its own."""
    connection = HTTPConnection("127.0.0.1", port, timeout=timeout_s)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def metrics(port: int) -> dict[str, float]:
    """What a validator counts."""
    _, text = ask(port, "/metrics")
    lines = (line.rpartition(" ") for line in text.decode().splitlines() if line and line[0] != "#")
    return {name: float(value) for name, _, value in lines}


def wait_ready(processes: Sequence[Process], finals: int = 1) -> None:
    """Return when all answer `/ready` and have applied a block (each knows the others)."""
    deadline = time.monotonic() + READY_S
    waiting = list(processes)
    while waiting:
        process = waiting[0]
        if process.running.poll() is not None:
            out = process.folder.parent / (process.folder.name + ".out")
            raise SystemExit(f"{process.folder} ended:\n{out.read_text()[-2000:]}")
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


def _check_free(base_port: int, count: int) -> None:
    """Another network on these ports would be measured instead of ours."""
    for index in range(count):
        for port in (http_port(base_port, index), peer_port(base_port, index)):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    raise SystemExit(f"port {port} is taken: choose another --base-port")


@contextmanager
def running_network(count: int, parameters: Parameters, base_port: int = BASE_PORT) -> Iterator[Network]:
    """`count` validators as processes, ready; stopped and removed afterwards (kept with BENCH_KEEP=1)."""
    root = Path(tempfile.mkdtemp(prefix="metanode-bench-"))
    _check_free(base_port, count)
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
