"""Other systems as processes below a scratch folder: three etcd, four CometBFT with its `kvstore`.

Each says in `settings` what differs from its defaults. Where one cannot be had, `Missing` says why.
"""

import json
import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.kit.ask import ask
from bench.kit.processes import Process, check_alive, check_free, launch, stop_all
from bench.kit.watch import CometWatch

COMET_MODULE = "github.com/cometbft/cometbft/cmd/cometbft"
COMET_VERSION = "v0.38.17"
BUILD_S = 580.0
READY_S = 60.0
POOL_WRITES = 50_000
"""CometBFT's pool holds 5,000 by default, two seconds of a load of 2,500 a second; ours holds 50,000 (POOL-1)."""
BATCH_MAX = 128
"""Calls of one request: CometBFT allows 10 by default."""


class Missing(Exception):
    """Why a peer cannot be measured here."""


@dataclass(slots=True)
class Etcd:
    """Three members, plain HTTP between them and to clients."""

    processes: list[Process] = field(default_factory=list)

    @property
    def ports(self) -> list[int]:
        """Clients' ports."""
        return [process.port for process in self.processes]

    def dialect(self, value_bytes: int) -> dict[str, Any]:
        """How a loader speaks to it."""
        return {"kind": "etcd", "value_bytes": value_bytes}

    def watch(self) -> None:
        """Its answers say what is committed."""
        return

    def count(self) -> int:
        """Keys it holds, by a linearizable read."""
        body = json.dumps({"key": "AA==", "range_end": "AA==", "count_only": True}).encode()  # \\0 to \\0: all keys
        _, answer = ask(self.ports[0], "/v3/kv/range", 60, body)
        return int(json.loads(answer).get("count", 0))


@dataclass(slots=True)
class Comet:
    """Four validators, encrypted links between them."""

    processes: list[Process] = field(default_factory=list)

    @property
    def ports(self) -> list[int]:
        """RPC ports."""
        return [process.port for process in self.processes]

    def dialect(self, value_bytes: int) -> dict[str, Any]:
        """How a loader speaks to it."""
        return {"kind": "cometbft", "value_bytes": value_bytes}

    def watch(self) -> CometWatch:
        """Who tells what is final."""
        return CometWatch(self.ports[0])


@contextmanager
def _scratch(prefix: str) -> Iterator[Path]:
    root = Path(tempfile.mkdtemp(prefix=prefix))
    try:
        yield root
    finally:
        shutil.rmtree(root, ignore_errors=True)


def find_etcd() -> str:
    """The program. Raises `Missing`."""
    found = shutil.which("etcd")
    if found is None:
        raise Missing("no etcd on this machine (Debian: apt-get install etcd-server)")
    return found


def etcd_version(program: str) -> str:
    """What it says of itself."""
    return _said([program, "--version"]).splitlines()[0].rpartition(" ")[2]


@contextmanager
def running_etcd(program: str, base_port: int, count: int = 3) -> Iterator[Etcd]:
    """Members of one cluster, healthy; stopped and removed afterwards."""
    check_free(range(base_port, base_port + 2 * count))
    clients = [f"http://127.0.0.1:{base_port + 2 * at}" for at in range(count)]
    peers = [f"http://127.0.0.1:{base_port + 2 * at + 1}" for at in range(count)]
    cluster = ",".join(f"etcd-{at}={url}" for at, url in enumerate(peers))
    with _scratch("etcd-bench-") as root:
        system = Etcd()
        try:
            for at in range(count):
                folder = root / f"etcd-{at}"
                command = [program, "--name", folder.name, "--data-dir", str(folder), "--log-level", "error"]
                command += ["--listen-client-urls", clients[at], "--advertise-client-urls", clients[at]]
                command += ["--listen-peer-urls", peers[at], "--initial-advertise-peer-urls", peers[at]]
                command += ["--initial-cluster", cluster, "--initial-cluster-state", "new"]
                system.processes.append(launch(command, folder, base_port + 2 * at))
            _wait(system.processes, "/health", lambda answer: json.loads(answer).get("health") == "true")
            yield system
        finally:
            stop_all(system.processes)


def find_comet(program: str) -> str:
    """The program that was named, or is on the path, or was built before, or is built now. Raises `Missing`."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "metanode-bench" / COMET_VERSION
    built = cache / "cometbft"
    named = shutil.which(program or "cometbft")
    if named is not None or program:
        if named is None:
            raise Missing(f"{program} is no program")
        return named
    if built.exists():
        return str(built)
    go = shutil.which("go")
    if go is None:
        raise Missing("no cometbft on this machine, and no Go toolchain to build it with")
    print(f"(building CometBFT {COMET_VERSION}: some minutes, once)", flush=True)
    environment = {**os.environ, "GOBIN": str(cache), "GOFLAGS": "-mod=mod"}
    command = [go, "install", f"{COMET_MODULE}@{COMET_VERSION}"]
    try:
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=BUILD_S, check=False)
    except subprocess.TimeoutExpired:
        raise Missing(f"building it took more than {BUILD_S:.0f} s") from None
    if done.returncode or not built.exists():
        last = (done.stderr.strip().splitlines() or ["no word of why"])[-1]
        raise Missing(f"it does not build here: {last[:300]}")
    return str(built)


def comet_version(program: str) -> str:
    """What it says of itself."""
    return _said([program, "version"]).strip()


@contextmanager
def running_comet(program: str, base_port: int, timeout_commit: str, count: int = 4) -> Iterator[Comet]:
    """Validators of one chain, past their first block; stopped and removed afterwards.

    `timeout_commit`: how long a validator waits after a block for late votes, hence its block period.
    """
    check_free(range(base_port, base_port + 2 * count))
    with _scratch("cometbft-bench-") as root:
        _said([program, "testnet", "--v", str(count), "--o", str(root)])
        folders = [root / f"node{at}" for at in range(count)]
        names = [_said([program, "show-node-id", "--home", str(folder)]).strip() for folder in folders]
        addresses = [f"{name}@127.0.0.1:{base_port + 2 * at + 1}" for at, name in enumerate(names)]
        for at, folder in enumerate(folders):
            others = ",".join(one for other, one in enumerate(addresses) if other != at)
            _configure(folder / "config" / "config.toml", base_port + 2 * at, others, timeout_commit)
        system = Comet()
        try:
            for at, folder in enumerate(folders):
                command = [program, "start", "--home", str(folder), "--proxy_app", "kvstore", "--log_level", "error"]
                system.processes.append(launch(command, folder, base_port + 2 * at))
            _wait(system.processes, "/status", _has_height)
            yield system
        finally:
            stop_all(system.processes)


def _configure(path: Path, port: int, peers: str, timeout_commit: str) -> None:
    text = path.read_text()
    for section, key, value in (
        ("rpc", "laddr", f'"tcp://127.0.0.1:{port}"'),
        ("rpc", "max_request_batch_size", str(BATCH_MAX)),
        ("p2p", "laddr", f'"tcp://127.0.0.1:{port + 1}"'),
        ("p2p", "persistent_peers", f'"{peers}"'),
        ("p2p", "addr_book_strict", "false"),
        ("p2p", "allow_duplicate_ip", "true"),
        ("mempool", "size", str(POOL_WRITES)),
        ("mempool", "cache_size", str(2 * POOL_WRITES)),
        *((("consensus", "timeout_commit", f'"{timeout_commit}"'),) if timeout_commit else ()),
    ):
        pattern = rf"(?ms)(^\[{section}\]$.*?^){key} = [^\n]*$"
        text, found = re.subn(pattern, rf"\g<1>{key} = {value}", text, count=1)
        assert found, f"CometBFT's settings know no {section}.{key}"
    path.write_text(text)


def _has_height(answer: bytes) -> bool:
    return int(json.loads(answer)["result"]["sync_info"]["latest_block_height"]) > 1


def _wait(processes: Sequence[Process], path: str, is_ready: Any) -> None:
    deadline = time.monotonic() + READY_S
    for process in processes:
        while True:
            check_alive(process)
            try:
                status, answer = ask(process.port, path)
                if status == 200 and is_ready(answer):
                    break
            except OSError:
                pass
            if time.monotonic() > deadline:
                raise Missing(f"{process.folder.name} is not ready after {READY_S:.0f} s")
            time.sleep(0.1)


def _said(command: Sequence[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    if done.returncode:
        raise Missing(f"{Path(command[0]).name} {command[1]}: {done.stderr.strip()[-300:]}")
    return done.stdout
