"""What /proc tells of the processes of a container that has no control group."""

import os
import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

from metanode.host.runtimes.shim.cgroups import Usage

_TICK_NS: Final = 1_000_000_000 // os.sysconf("SC_CLK_TCK")
_PAGE: Final = os.sysconf("SC_PAGE_SIZE")
_ROUNDS_MAX: Final = 20
"""Looks until no process is new: one that forks faster than it can be stopped is stopped by its limit of processes."""


def _fields(pid: int) -> list[str]:
    """/proc/PID/stat from the third field on (the second, the name, may hold anything); empty where it is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(") ")[2].split()
    except OSError:
        return []


def start_ticks(pid: int) -> int:
    """When a process began, in ticks since the machine did: with its number it names one process for ever."""
    fields = _fields(pid)
    return int(fields[19]) if fields else 0


def is_zombie(pid: int) -> bool:
    """Whether a process has ended and only waits to be waited for."""
    return _fields(pid)[:1] == ["Z"]


def members(pid: int) -> Iterator[int]:
    """The processes that share the namespace of process numbers with this one."""
    try:
        wanted = Path(f"/proc/{pid}/ns/pid").readlink()
    except OSError:
        return
    for entry in os.scandir("/proc"):
        if entry.name.isdigit():
            with suppress(OSError):
                if Path(entry.path, "ns/pid").readlink() == wanted:
                    yield int(entry.name)


def usage(pid: int) -> Usage:
    """The sum over what runs now; what has ended is not in it."""
    memory = ticks = number = 0
    for member in members(pid):
        fields = _fields(member)
        if fields:
            ticks += int(fields[11]) + int(fields[12])
            memory += int(fields[21]) * _PAGE
            number += 1
    return Usage(memory, memory, ticks * _TICK_NS, number, 0)


def freeze(pid: int, *, frozen: bool) -> None:
    """Stop or continue every process, until a look finds no new one."""
    done: set[int] = set()
    for _ in range(_ROUNDS_MAX):
        new = set(members(pid)) - done
        if not new:
            return
        for member in new:
            with suppress(ProcessLookupError):
                os.kill(member, signal.SIGSTOP if frozen else signal.SIGCONT)
        done |= new
