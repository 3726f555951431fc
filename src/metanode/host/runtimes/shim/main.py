"""Where the shim begins: `python -I -S -c BOOT library state`, and what it does before it listens."""

import gc
import hashlib
import json
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

from metanode.host.runtimes.shim import kernel
from metanode.host.runtimes.shim.children import Children
from metanode.host.runtimes.shim.desk import Desk, listening_socket
from metanode.host.runtimes.shim.engines import Engine, JailEngine
from metanode.host.runtimes.shim.frames import Message
from metanode.host.runtimes.shim.hierarchy import Hierarchy, detect, mounted, own_group
from metanode.host.runtimes.shim.loop import Loop
from metanode.host.runtimes.shim.outside import OutsideEngine
from metanode.host.runtimes.shim.server import Server
from metanode.host.runtimes.shim.sweep import CONTAINERS, fork_watcher, lock, sweep
from metanode.host.runtimes.shim.syscalls import NUMBERS

SOCKET: Final = "shim.sock"
"""In the state directory."""
IDLE_S: Final = 30.0
"""A shim without agent and containers ends after this."""
TICK_S: Final = 1.0
"""Between two looks for strays and idleness."""
OUTSIDE: Final = ("crun", "runc")
"""Runtimes looked for in SEARCH_FOLDERS."""
SEARCH_FOLDERS: Final = ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin")
"""Never by the caller's PATH: what is executed here becomes root's child."""


def key_of(state: Path) -> str:
    """The name of this agent's control group: of two agents on a machine, two."""
    return hashlib.sha256(os.fsencode(state)).hexdigest()[:12]


def own_mounts(*, hybrid: bool) -> None:
    """RUN-7. A mount namespace of the shim's own: what is mounted for containers is seen by nobody else and ends with
    it. On a machine with both versions of control groups the second is not shown: crun refuses to run beside it.
    """
    kernel.unshare(kernel.NEW_MOUNTS)
    kernel.mount("", "/", flags=kernel.RECURSIVE | kernel.SLAVE)
    if hybrid:
        with suppress(OSError):
            kernel.unmount("/sys/fs/cgroup/unified")


def outside_engines(state: Path, key: str, children: Children) -> tuple[dict[str, Engine], dict[str, str]]:
    """The runtimes this machine has: engines, and where they were found."""
    engines: dict[str, Engine] = {}
    found: dict[str, str] = {}
    for name in OUTSIDE:
        program = next((path for folder in SEARCH_FOLDERS if os.access(path := f"{folder}/{name}", os.X_OK)), "")
        if program:
            found[name] = program
            engines[name] = OutsideEngine(name, program, state, key, children)
    return engines, found


def begin(state: Path) -> tuple[Loop, Callable[[], None]]:
    """Everything up to the first request; the loop, and what is to be done after it."""
    kernel.be_subreaper()
    mounts = mounted(Path("/proc/self/mounts").read_text())
    hierarchy = detect(key_of(state), mounts, own_group(Path("/proc/self/cgroup").read_text()))
    rootless = os.geteuid() != 0
    if not rootless:
        own_mounts(hybrid=hierarchy.version == 1 and mounts.v2 is not None)
    (state / CONTAINERS).mkdir(0o755, exist_ok=True)
    swept = sweep(state, hierarchy)
    hierarchy.prepare()
    watcher = fork_watcher(state, hierarchy)
    loop = Loop()
    children = Children(loop)
    engines: dict[str, Engine] = {"sandbox": JailEngine(loop, children, rootless=rootless)}
    outside, found = ({}, {}) if rootless else outside_engines(state, key_of(state), children)
    desk = Desk(loop, listening_socket(SOCKET), _facts(hierarchy, swept, found))
    server = Server(loop, children, state, hierarchy, {**engines, **outside}, desk.tell)
    desk.serve(server)
    _tick(loop, children, server, desk, idle=0.0)

    def end() -> None:
        sweep(state, hierarchy)
        os.write(watcher, b"e")

    return loop, end


def _facts(hierarchy: Hierarchy, swept: list[str], found: dict[str, str]) -> Message:
    groups = {"version": hierarchy.version, "reason": hierarchy.reason, "fix": hierarchy.fix}
    return {"groups": groups, "swept": swept, "outside": found}


def _tick(loop: Loop, children: Children, server: Server, desk: Desk, *, idle: float) -> None:
    """Once a second: strays, circles of what has ended (few objects: those of the start are frozen), and whether the
    shim is still needed."""
    gc.collect()
    if not server.roster.is_starting:
        children.reap_strays()
    idle = idle + TICK_S if desk.is_idle else 0.0
    if idle >= IDLE_S:
        loop.running = False
    loop.after(TICK_S, lambda: _tick(loop, children, server, desk, idle=idle))


def detach() -> None:
    """Leave whoever started this: it must not end with the agent. The first process ends at once."""
    if os.fork():
        os._exit(0)
    os.setsid()


def main(state: Path) -> None:
    """RUN-7. Say `ready` on standard output when requests are taken, or why not, and close it; then serve."""
    if not NUMBERS:
        sys.exit(f"the shim knows no system calls of {os.uname().machine}")
    os.umask(0o022)
    os.chdir(state)
    held = lock(state)
    if held < 0:
        os.write(1, b"runs\n")
        return
    detach()
    try:
        loop, end = begin(state)
    except OSError as error:
        os.write(1, json.dumps({"step": str(error.filename), "text": str(error.strerror)}).encode() + b"\n")
        raise
    gc.collect()
    gc.freeze()
    os.write(1, b"ready\n")
    nothing = os.open("/dev/null", os.O_RDWR | os.O_CLOEXEC)
    os.dup2(nothing, 0)
    os.dup2(nothing, 1)
    loop.run()
    with suppress(OSError):
        Path(SOCKET).unlink()
    end()
