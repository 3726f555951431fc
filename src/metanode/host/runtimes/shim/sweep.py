"""What a shim that was killed leaves: processes, groups, mounts, folders. Taken away by its watcher at once, and by the
next shim of this folder in any case."""

import fcntl
import json
import os
import signal
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

from metanode.host.runtimes.shim import kernel, proc
from metanode.host.runtimes.shim.hierarchy import Hierarchy
from metanode.host.runtimes.shim.tree import remove_tree, unmount_below

CONTAINERS: Final = "c"
"""The folder of containers in the state directory."""
RUNTIMES: Final = ("crun", "runc")
"""Folders of notes of outside runtimes."""
LOCK: Final = "lock"
"""Locked by the shim that runs here."""
_END_WAIT_S: Final = 5.0
_LOCK_WAIT_S: Final = 5.0


def lock(state: Path) -> int:
    """RUN-7. One shim a folder: an open, locked file; -1 where another one has it."""
    file = os.open(state / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(file)
        return -1
    return file


def sweep(state: Path, hierarchy: Hierarchy) -> list[str]:
    """RUN-19. Take away everything of containers whose shim is gone; their ids. Holds the lock."""
    folders = sorted(path for path in (state / CONTAINERS).glob("*") if path.is_dir())
    stuck = hierarchy.clear()  # first: what is frozen does not die before it is thawed
    for folder in folders:
        _end(folder)
    if stuck:
        hierarchy.clear()
    unmount_below(state)
    for folder in folders:
        remove_tree(folder)
    for name in RUNTIMES:
        remove_tree(state / name)
    return [folder.name for folder in folders]


def _end(folder: Path) -> None:
    """Kill the first process of a container, if it is still the one that was noted; the kernel kills the rest."""
    try:
        note = json.loads((folder / "state.json").read_text())
        pid, ticks = int(note["pid"]), int(note["ticks"])
    except (OSError, ValueError, KeyError, TypeError):
        return
    until = time.monotonic() + _END_WAIT_S
    while ticks and proc.start_ticks(pid) == ticks and not proc.is_zombie(pid) and time.monotonic() < until:
        with suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGKILL)
        time.sleep(0.002)


def _locked_soon(state: Path) -> bool:
    """Whether the sweep is ours. The kernel closes the files of a process that was killed one after another, the pipe
    perhaps before the lock; where the next shim was faster it sweeps itself; where the folder is gone nobody else can.
    """
    until = time.monotonic() + _LOCK_WAIT_S
    while time.monotonic() < until:
        try:
            if lock(state) >= 0:
                return True
        except FileNotFoundError:
            return True
        time.sleep(0.005)
    return False


def fork_watcher(state: Path, hierarchy: Hierarchy) -> int:
    """RUN-19. A process that does nothing until the shim is gone, however it went, and then sweeps: containers die with
    their shim even where the kernel was not told to kill them (by crun, runc, or a program that undid it). A shim that
    has swept itself writes a byte to the file that is returned, and the watcher ends.
    """
    end_read, end_write = os.pipe2(os.O_CLOEXEC)
    if os.fork():
        os.close(end_read)
        return end_write
    try:
        os.setsid()
        os.dup2(end_read, 3, inheritable=False)
        kernel.close_files_from(4)
        nothing = os.open("/dev/null", os.O_RDWR)
        for file in (0, 1, 2):
            os.dup2(nothing, file)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        if not os.read(3, 1) and _locked_soon(state):
            sweep(state, hierarchy)
    finally:
        os._exit(0)
