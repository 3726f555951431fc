"""A town of real nodes: one process a node, on loopback, started, killed and asked like an operator's."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeVar

from metanode.api.node import EvidenceView, NodeStatus
from metanode.client import Client, ClientError
from metanode.host.development import (
    DevelopmentNetwork,
    create_network,
    create_node,
    node_settings,
    peer_port,
)
from metanode.host.keys import development_secrets
from metanode.host.settings import Settings, load_settings
from metanode.records.genesis import genesis_hash
from metanode.records.parameters import Parameters

ROOT: Final = Path(__file__).resolve().parents[2]
PORTS: Final = range(28_000, 32_700)
"""Below the range from which the kernel takes ports for outgoing connections."""
PORTS_A_TOWN: Final = 60
START_S: Final = 30.0
"""A node starts in about a second; two busy cores may need more."""
SWIFT: Final = Parameters(
    block_period_ms=100, empty_block_period_ms=1_000, round_timeout_ms=500, block_work_max=150_000
)
"""Journeys are short: blocks come faster than by default."""

RUN: Final = """
import json, os, sys
from pathlib import Path
from metanode.cli.failure import form_of
from metanode.host.run import run

def say(**words):
    print(json.dumps(words), flush=True)

try:
    say(stopped=run(Path(sys.argv[1]), os.environ, lambda url: say(ready=url)))
except Exception as error:
    form = form_of(error)
    say(refused=form.code, message=form.message, fix=form.fix)
    raise SystemExit(form.exit)
"""
"""What `bpi node run` does, with one JSON line for what a person would read."""

Value = TypeVar("Value")


def until(ask: Callable[[], Value | None], limit_s: float, what: str, pause_s: float = 0.05) -> Value:
    """The first answer that is true; a node that is away for a moment is asked again. Fails when the time is over."""
    deadline, last = time.monotonic() + limit_s, "nothing"
    while time.monotonic() < deadline:
        try:
            answer = ask()
            if answer:
                return answer
        except ClientError as error:
            last = str(error)
        time.sleep(pause_s)
    raise AssertionError(f"not within {limit_s:.0f} s: {what} (last: {last})")


def free_base() -> int:
    """The first of `PORTS_A_TOWN` ports nobody listens on."""
    towns = len(PORTS) // PORTS_A_TOWN
    for attempt in range(towns):
        base = PORTS.start + (os.getpid() + attempt) % towns * PORTS_A_TOWN
        if all(_is_free(base + offset) for offset in range(PORTS_A_TOWN)):
            return base
    raise AssertionError("no free ports")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


@dataclass(slots=True)
class Ended:
    """How a process ended: its exit status and the last line it said."""

    status: int
    said: dict[str, Any]


@dataclass(slots=True)
class House:
    """One node: its data directory, and its process while it runs. `source`: what it runs; `environment`: beside ours;
    `prefix`: words before its command line."""

    folder: Path
    source: Path = ROOT / "src"
    environment: dict[str, str] = field(default_factory=dict)
    prefix: tuple[str, ...] = ()
    process: "subprocess.Popen[bytes] | None" = None
    _output: int = 0

    @property
    def name(self) -> str:
        """As in genesis, for a validator."""
        return self.folder.name

    @property
    def settings(self) -> Settings:
        """What its operator chose."""
        return load_settings(self.folder / "node.toml")

    @property
    def url(self) -> str:
        """Of its public port."""
        return f"http://{self.settings.http.listen}"

    @property
    def is_running(self) -> bool:
        """Whether the process lives."""
        return self.process is not None and self.process.poll() is None

    def start(self, *, wait: bool = True) -> None:
        """Start the process; return when its public port answers."""
        assert not self.is_running, f"{self.name} runs already"
        self._output += 1
        environment = {**os.environ, **self.environment, "PYTHONPATH": str(self.source)}
        with self._said().open("wb") as output, (self.folder.parent / f"{self.name}.err").open("ab") as errors:
            self.process = subprocess.Popen(
                [*self.prefix, sys.executable, "-c", RUN, str(self.folder)],
                stdout=output,
                stderr=errors,
                env=environment,
            )
        if wait:
            self.await_ready()

    def await_ready(self) -> None:
        """Return when the public port answers. Fails where the process ended instead."""
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline:
            if any("ready" in line for line in self.said()):
                return
            assert self.is_running, f"{self.name} ended: {self.said()}\n{self.errors()}"
            time.sleep(0.02)
        raise AssertionError(f"{self.name} is not ready after {START_S:.0f} s\n{self.errors()}")

    def refuse_to_start(self) -> Ended:
        """Start a process that ends by itself; how it ended."""
        self.start(wait=False)
        return self.await_end()

    def await_end(self, limit_s: float = START_S) -> Ended:
        """Wait until the process ends by itself."""
        assert self.process is not None, "it was started"
        status = self.process.wait(limit_s)
        said = self.said()
        return Ended(status, said[-1] if said else {})

    def kill(self) -> None:
        """SIGKILL: no goodbye."""
        if self.process is not None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()

    def stop(self) -> int:
        """SIGTERM, and its exit status."""
        assert self.process is not None, "it was started"
        self.process.terminate()
        return self.process.wait(START_S)

    def _said(self) -> Path:
        return self.folder.parent / f"{self.name}.{self._output}.out"

    def said(self) -> list[dict[str, Any]]:
        """The lines the latest process printed."""
        lines = self._said().read_text().splitlines()
        return [json.loads(line) for line in lines if line.startswith("{") and line.endswith("}")]

    def errors(self) -> str:
        """The end of what all its processes wrote to standard error, and of the log."""
        log = self.folder / "node.log"
        parts = [self.folder.parent / f"{self.name}.err", *([log] if log.exists() else [])]
        return "\n".join(part.read_text(errors="replace")[-4_000:] for part in parts)

    def log(self) -> list[dict[str, Any]]:
        """All lines of the log, the oldest first."""
        lines: list[dict[str, Any]] = []
        for path in sorted(self.folder.glob("node.log*"), reverse=True):
            lines += [json.loads(line) for line in path.read_text(errors="replace").splitlines() if line.endswith("}")]
        return lines

    def logged(self, what: str) -> list[dict[str, Any]]:
        """The log's lines of one kind."""
        return [line for line in self.log() if line["what"] == what]

    @contextmanager
    def ask(self, timeout_s: float = 10.0) -> Iterator[Client]:
        """A client of this node."""
        with Client(self.url, timeout_s=timeout_s) as client:
            yield client

    def status(self) -> NodeStatus:
        """`node.status`."""
        with self.ask() as client:
            return client.node.status()

    def height(self) -> int:
        """Its last final block."""
        return self.status().height

    def evidence(self) -> tuple[EvidenceView, ...]:
        """What it holds against others."""
        with self.ask() as client:
            return client.node.evidence().items

    def seats(self) -> list[str]:
        """The names of the set that signs the next height, in seat order."""
        with self.ask() as client:
            return [item.name for item in client.validator.list(client.node.status().height + 1).items]

    def await_light(self, colour: str, limit_s: float) -> NodeStatus:
        """The first status with this colour."""
        return until(lambda: lit if (lit := self.status()).light.colour == colour else None, limit_s, f"light {colour}")

    def metric(self, name: str) -> float:
        """The sum of a metric over its labels, 0 where it was never counted."""
        return sum(self.metrics(name).values())

    def metrics(self, name: str) -> dict[str, float]:
        """A metric by its labels."""
        with self.ask() as client:
            lines = [line.rpartition(" ") for line in client.metrics().splitlines() if line.startswith(name)]
        return {key[len(name) :]: float(value) for key, _, value in lines if key[len(name) :][:1] in ("", "{")}


def until_all(houses: list[House], ask: Callable[[House], object], limit_s: float, what: str) -> None:
    """Return when the answer of each of these nodes is true."""
    for house in houses:
        until(partial(ask, house), limit_s, f"{house.name}: {what}")


@dataclass(slots=True)
class Town:
    """Nodes on one machine. `houses`: the validators first, in the order of their names."""

    network: DevelopmentNetwork
    base: int
    houses: list[House] = field(default_factory=list)

    @property
    def chain_id(self) -> bytes:
        """The hash of genesis."""
        return genesis_hash(self.network.genesis)

    @property
    def running(self) -> list[House]:
        """Whose process lives."""
        return [house for house in self.houses if house.is_running]

    def __getitem__(self, index: int) -> House:
        return self.houses[index]

    def start(self, *indices: int) -> None:
        """Start these, or all that do not run; return when every public port answers."""
        houses = [self.houses[index] for index in indices] or [h for h in self.houses if not h.is_running]
        for house in houses:
            house.start(wait=False)
        for house in houses:
            house.await_ready()

    def kill(self, *indices: int) -> None:
        """SIGKILL these, or all, without waiting in between."""
        houses = [self.houses[index] for index in indices] or self.running
        for house in houses:
            if house.process is not None:
                house.process.send_signal(signal.SIGKILL)
        for house in houses:
            house.kill()

    def close(self) -> None:
        """End every process of this town, and nobody else's."""
        self.kill()

    def await_height(self, height: int, limit_s: float, *houses: House) -> None:
        """Return when these nodes (all that run) have this block."""
        until_all(list(houses or self.running), lambda house: house.height() >= height, limit_s, f"height {height}")

    def await_growth(self, blocks: int, limit_s: float, *houses: House) -> int:
        """Return when these nodes (all that run) have so many more blocks than the highest has now."""
        target = max(house.height() for house in houses or self.running) + blocks
        self.await_height(target, limit_s, *houses)
        return target

    def add_node(self, name: str, index: int) -> House:
        """A data directory with development keys for a further node, not started. It dials the validators, whose
        addresses are in genesis; they answer it if their operators named it (`open_to`)."""
        folder = self.network.root / name
        create_node(folder, name, self.network.genesis, node_settings(self.base, index, self.network.root))
        self.houses.append(House(folder))
        return self.houses[-1]

    def open_to(self, *names: str) -> None:
        """Every operator lets these nodes follow; read at their next start."""
        keys = ", ".join(f'"{self.transport_key(name)}"' for name in names)
        for house in self.houses:
            change_setting(house, "network.observers", f"[{keys}]")

    def transport_key(self, name: str) -> str:
        """Of a node with development keys, as the settings want it."""
        return development_secrets(name).public.transport_key.hex()

    def peer(self, index: int, name: str = "") -> str:
        """`transport key@host:port` of a node."""
        return f"{self.transport_key(name or f'validator-{index}')}@127.0.0.1:{peer_port(self.base, index)}"


@contextmanager
def town(root: Path, count: int = 4, parameters: Parameters = SWIFT, *, start: bool = True) -> Iterator[Town]:
    """A development network below `root`, running; its processes end with the block."""
    base = free_base()
    network = create_network(root / "town", count, base, "journey", parameters)
    built = Town(network, base, [House(folder) for folder in network.nodes])
    try:
        if start:
            built.start()
        yield built
    finally:
        built.close()


def change_setting(house: House, key: str, value: str) -> None:
    """Write one key of a node's settings: `section.key`, and the value as TOML."""
    section, _, name = key.rpartition(".")
    path, lines, found = house.folder / "node.toml", [], False
    current = ""
    for line in (house.folder / "node.toml").read_text().splitlines():
        if line.startswith("["):
            current = line.strip("[]")
        if current == section and line.partition(" = ")[0] == name:
            line, found = f"{name} = {value}", True  # noqa: PLW2901
        lines.append(line)
    assert found, f"no setting {key}"
    path.write_text("\n".join(lines) + "\n")
