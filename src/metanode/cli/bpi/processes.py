"""Processes of a local network: started apart from this one, observed until they are ready, ended by their id."""

import json
import os
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from metanode.api.exits import ExitStatus
from metanode.cli.bpi.local_network import LocalNode
from metanode.cli.failure import CliRefusal, ErrorForm, Failure

POLL_S: Final = 0.02
"""How often a process is looked at while it starts or stops."""
STOP_S: Final = 10.0
"""A node that has not stopped by then is killed: its journal is made for that."""
START_S: Final = 30.0
"""A node that is not ready by then does not get ready on a machine that works."""
TAIL_LINES: Final = 8
"""Of the log, where a node died."""
TAIL_BYTES: Final = 16_384
"""Of the end of a log, read to show its last lines."""


@dataclass(frozen=True, slots=True)
class Started:
    """A node on its way: its process, and where its first words go."""

    node: LocalNode
    process: "subprocess.Popen[bytes]"


def start_file(node: LocalNode) -> Path:
    """What a node prints itself, beside its log: its readiness, or why it could not start."""
    return node.folder / "logs" / "start.log"


def start(node: LocalNode) -> Started:
    """Start a node as a process of its own that outlives this one and its terminal."""
    path = start_file(node)
    path.parent.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "metanode.cli.bpi.main", "node", "run", "--data", str(node.folder), "--json"]
    with path.open("wb") as file:
        process = subprocess.Popen(  # noqa: S603 - our own program, our own arguments
            command,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
            start_new_session=True,
            cwd="/",
        )
    return Started(node, process)


def await_ready(started: Sequence[Started], is_ready: Callable[[LocalNode], bool], deadline_s: float = START_S) -> None:
    """Return when every one of them is ready. Raises `Failure` as soon as one died, or at the deadline."""
    waiting, until = list(started), time.monotonic() + deadline_s
    while waiting:
        for one in waiting:
            if one.process.poll() is not None and not _is_run_elsewhere(one.node):
                raise died(one.node, one.process.returncode)
        waiting = [one for one in waiting if not (_holds(one) and is_ready(one.node))]
        if waiting and time.monotonic() > until:
            names = ", ".join(one.node.name for one in waiting)
            message = f"not ready after {deadline_s:.0f} s: {names}"
            raise Failure(CliRefusal.NOT_READY, ExitStatus.RUNTIME, message, fix="bpi doctor; bpi logs", retryable=True)
        if waiting:
            time.sleep(POLL_S)


def _holds(one: Started) -> bool:
    """Whether the process that runs the node is ours, or ours has given way to it: two may have been started at once.

    Without this the answer of the other would be taken for ours, which may still be on its way to the lock.
    """
    holder = one.node.process
    return holder == one.process.pid or (holder != 0 and one.process.poll() is not None)


def _is_run_elsewhere(node: LocalNode) -> bool:
    """Whether ours ended because another process, of a `bpi up` that was killed say, had the directory already."""
    own = _own_error(start_file(node))
    return own is not None and own.code == "directory.locked" and node.process != 0


def abandon(started: Sequence[Started], deadline_s: float = STOP_S) -> None:
    """End what was started here, also what is too young to hold its data directory."""
    for one in started:
        if one.process.poll() is None:
            one.process.terminate()
    until = time.monotonic() + deadline_s
    for one in started:
        try:
            one.process.wait(max(0.1, until - time.monotonic()))
        except subprocess.TimeoutExpired:
            one.process.kill()
            one.process.wait()


def died(node: LocalNode, returncode: int) -> Failure:
    """Why a node ended while it started: its own words where it left any, else the end of its log."""
    own = _own_error(start_file(node))
    name = node.name
    if own is not None:
        return Failure(own.code, ExitStatus(own.exit), f"{name}: {own.message}", rule=own.rule, fix=own.fix)
    lines = [*tail(start_file(node)), *tail(node.log_file)][-TAIL_LINES:]
    how = f"signal {-returncode}" if returncode < 0 else f"exit {returncode}"
    message = "\n".join([f"{name} ended while it started ({how})", *(f"  | {line}" for line in lines)])
    return Failure(CliRefusal.NODE_DIED, ExitStatus.RUNTIME, message, fix=f"bpi logs {name}")


def _own_error(path: Path) -> ErrorForm | None:
    """The last error a node printed as JSON, None where it printed none."""
    for line in reversed(tail(path)):
        with suppress(ValueError, KeyError, TypeError):
            found = ErrorForm(**json.loads(line)["error"])
            ExitStatus(found.exit)
            return found
    return None


def tail(path: Path, lines: int = TAIL_LINES) -> list[str]:
    """The last lines of a text file; none where it is not there."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - TAIL_BYTES))
            return list(deque(file.read().decode(errors="replace").splitlines(), lines))
    except OSError:
        return []


def send(node: LocalNode, number: signal.Signals) -> int:
    """Send a signal to a node's process; its id, 0 where none runs. Raises `Failure` where it is another user's."""
    process = node.process
    if not process:
        return 0
    try:
        os.kill(process, number)
    except ProcessLookupError:
        return 0
    except PermissionError:
        message = f"{node.name} is process {process} of another user"
        raise Failure(
            CliRefusal.NOT_OURS, ExitStatus.NOT_ALLOWED, message, fix="run this as the user who started it"
        ) from None
    return process


def stop(nodes: Sequence[LocalNode], deadline_s: float = STOP_S) -> tuple[tuple[LocalNode, ...], tuple[LocalNode, ...]]:
    """End the processes of these nodes: (those that stopped when asked, those that had to be killed)."""
    asked = tuple(node for node in nodes if send(node, signal.SIGTERM))
    for node in asked:
        send(node, signal.SIGCONT)  # a paused process hears nothing before it goes on
    left = wait_until_gone(asked, deadline_s)
    killed = tuple(node for node in left if send(node, signal.SIGKILL))
    wait_until_gone(killed, deadline_s)
    return tuple(node for node in asked if node not in killed), killed


def wait_until_gone(nodes: Sequence[LocalNode], deadline_s: float) -> list[LocalNode]:
    """Return when no process runs these any more, or at the deadline; those that are left."""
    until = time.monotonic() + deadline_s
    while (left := [node for node in nodes if node.process]) and time.monotonic() < until:
        time.sleep(POLL_S)
    return left
