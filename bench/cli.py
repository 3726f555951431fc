"""How long a person waits: `bpi --version`, `bpi status`, `bpi up`, a receipt verified, `make up` in a fresh clone.

    python -m bench.cli [--rounds 30] [--no-clone] [--json FILE]

Whole commands, from the start of the process to its end, as the installed program, against a development network of
its own in a scratch folder; the clock of the wall. *A receipt verified* is also timed inside one process, without the
start of Python. *A fresh clone*: the last commit is cloned, `make up` builds its environment without any cache and
starts the chain; after `bpi down`, `make up` again. The first fetches wheels: it needs a package index, and its time
is the network's too.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from bench.kit.network import BASE_PORT
from bench.kit.processes import check_free
from bench.kit.report import Report, parser, quantile

from metanode.chain.light import GenesisBasis, verify_receipt_bytes
from metanode.host.development import PEER_PORT_OFFSET
from metanode.primitives import bls
from metanode.records.genesis import load_toml

ROOT = Path(__file__).resolve().parent.parent
BPI = str(Path(sys.executable).with_name("bpi"))
LIMIT_S = 600.0
GOALS_MS = {"bpi --version": 80.0, "bpi status": 200.0, "bpi up, again": 6_000.0}
CLONE_GOALS_S = {"make up, the first time": 90.0, "make up, again": 6.0}
VERIFY_GOAL_MS = 3.0


def timed(command: list[str], folder: Path, environment: dict[str, str] | None = None) -> float:
    """Seconds of one command. Ends the benchmark where it fails."""
    plain = {name: value for name, value in os.environ.items() if not name.startswith(("BPI_", "METANODE_", "MAKE"))}
    started = time.perf_counter()
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=LIMIT_S, env={**plain, **(environment or {})},
        check=False,
    )  # fmt: skip
    took = time.perf_counter() - started
    if done.returncode:
        raise SystemExit(
            f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout[-1000:]}{done.stderr[-1000:]}"
        )
    return took


def row(command: str, times: list[float]) -> dict[str, Any]:
    """Quantiles in milliseconds, beside the goal."""
    spent = [second * 1e3 for second in times]
    goal = GOALS_MS.get(command)
    return {
        "command": command,
        "rounds": len(times),
        "p50 ms": quantile(spent, 0.5),
        "p95 ms": quantile(spent, 0.95),
        "max ms": max(spent),
        "goal ms": goal,
        "reached": None if goal is None else quantile(spent, 0.5) <= goal,
    }


def commands(report: Report, folder: Path, base_port: int, rounds: int) -> None:
    """A network comes up, is asked, goes down, comes up again; a receipt travels."""
    data = ["--data", str(folder / "network")]

    def bpi(*words: str) -> float:
        return timed([BPI, *words, *data], folder)

    rows = [row("bpi up, a new network", [bpi("up", "--port-base", str(base_port))])]
    try:
        rows.append(row("bpi up, while it runs", [bpi("up") for _ in range(3)]))
        rows.append(row("bpi --version", [timed([BPI, "--version"], folder) for _ in range(rounds)]))
        rows.append(row("bpi status", [bpi("status") for _ in range(rounds)]))
        transfer = [bpi("coin", "transfer", "--to", "globex", "--amount", "1") for _ in range(max(3, rounds // 3))]
        rows.append(row("bpi coin transfer, until final", transfer))
        listed = subprocess.run(
            [BPI, "receipt", "list", "--account", "globex", *data],
            cwd=folder,
            capture_output=True,
            text=True,
            check=True,
        )
        receipt = next(word for word in listed.stdout.split() if word.startswith("rcpt_"))
        bpi("receipt", "export", receipt, "-o", str(folder / "a.receipt"))
        genesis = folder / "network" / "validator-0" / "genesis.toml"
        verify = [BPI, "receipt", "verify", str(folder / "a.receipt"), "--genesis", str(genesis)]
        rows.append(row("bpi receipt verify", [timed(verify, folder) for _ in range(rounds)]))
        again = []
        for _ in range(3):
            bpi("down")
            again.append(bpi("up"))
        rows.append(row("bpi up, again", again))
    finally:
        bpi("down")
    report.table("commands, a chain of four validators", rows)
    inside(report, folder / "a.receipt", genesis, rounds)


def inside(report: Report, receipt: Path, genesis: Path, rounds: int) -> None:
    """The same verification without the start of a process: the file's bytes to the verdict."""
    basis, data = GenesisBasis(load_toml(genesis.read_text())), receipt.read_bytes()
    times = []
    for _ in range(rounds + 3):
        started = time.perf_counter()
        verify_receipt_bytes(data, basis, bls.fast_aggregate_verify)
        times.append((time.perf_counter() - started) * 1e3)
    spent = times[3:]
    reached = quantile(spent, 0.5) <= VERIFY_GOAL_MS
    report.table(
        "a receipt file verified, without start-up",
        [
            {
                "bytes": len(data),
                "rounds": len(spent),
                "the first ms": times[0],
                "p50 ms": quantile(spent, 0.5),
                "p95 ms": quantile(spent, 0.95),
                "goal ms": VERIFY_GOAL_MS,
                "reached": reached,
            }
        ],
    )


def fresh_clone(report: Report, folder: Path, base_port: int) -> None:
    """What the README's first command takes on a machine that has only Python and make."""
    clone = folder / "clone"
    subprocess.run(["git", "clone", "--quiet", "--no-hardlinks", str(ROOT), str(clone)], check=True)
    up = ["make", "up", f"ARGS=--port-base {base_port}"]
    no_cache = {"PIP_NO_CACHE_DIR": "1"}
    down = [str(clone / ".venv" / "bin" / "bpi"), "down"]
    times = {}
    try:
        times["make up, the first time"] = timed(up, clone, no_cache)
        timed(down, clone)
        times["make up, again"] = timed(["make", "up"], clone)
    finally:
        if (clone / ".bpi").exists():
            timed(down, clone)
    report.table(
        "a fresh clone",
        [
            {"command": name, "s": took, "goal s": CLONE_GOALS_S[name], "reached": took <= CLONE_GOALS_S[name]}
            for name, took in times.items()
        ],
    )
    report.remark(f"as {'root' if os.geteuid() == 0 else 'a plain user'}; nothing was installed outside the clone")


def main() -> None:
    """All of it."""
    made = parser(__doc__)
    made.add_argument("--rounds", type=int, default=30)
    made.add_argument("--no-clone", action="store_true", help="leave out the fresh clone")
    made.add_argument("--base-port", type=int, default=BASE_PORT)
    options = made.parse_args()
    report = Report("cli", options.json)
    folder = Path(tempfile.mkdtemp(prefix="metanode-bench-"))
    ports = range(options.base_port, options.base_port + 4)
    check_free([port for one in ports for port in (one, one + PEER_PORT_OFFSET)])
    try:
        commands(report, folder, options.base_port, options.rounds)
        if not options.no_clone:
            fresh_clone(report, folder, options.base_port)
        report.finish()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
