"""Control groups: memory, processor time and processes of a container, on version 1, on version 2, or on neither.

Everything is a file below a root, so that a test can give a tree of its own.
"""

import errno
import os
import signal
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from metanode.host.runtimes.plan import Limits

PERIOD_US: Final = 100_000
"""Of the processor quota: 100 ms, the kernel's own default."""
NAME: Final = "metanode"
"""The group above all containers; below it one group an agent, below that one a container."""
FREEZE_WAIT_S: Final = 1.0
"""A group freezes when its last process notices; one that does not within this is told about."""
REMOVE_WAIT_S: Final = 0.2
"""The kernel frees a group a little after its last process is gone."""
KILL_WAIT_S: Final = 5.0
"""What was killed has ended by then, on a machine however busy."""
STEP_S: Final = 0.001
"""Between two looks."""


@dataclass(frozen=True, slots=True)
class Usage:
    """What a container uses. `oom_kills`: how often the kernel killed one of its processes for want of memory."""

    memory_bytes: int
    memory_peak_bytes: int
    cpu_ns: int
    pids: int
    oom_kills: int


class Group(Protocol):
    """The control group of one container."""

    def make(self, limits: Limits) -> None:
        """Make it, empty, with its limits."""

    def join(self, pid: int) -> None:
        """Put a process in, and with it all it forks from now on."""

    def pids(self) -> list[int]:
        """The processes in it."""

    def freeze(self, *, frozen: bool) -> None:
        """Stop or continue all of them at once."""

    def usage(self) -> Usage:
        """What they use together, and what those used that are gone."""

    def remove(self) -> bool:
        """Remove it; whether it is gone. It must be empty."""


def _number(path: Path, otherwise: int = 0) -> int:
    """The number in a file of the kernel; what it says for "no limit" is `otherwise`."""
    try:
        text = path.read_text().strip()
    except OSError:
        return otherwise
    return int(text) if text.isdigit() else otherwise


def _field(path: Path, name: str) -> int:
    """One line `name number` of a file of the kernel."""
    try:
        lines = path.read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.split()[:1] == [name]), 0)


def _pids(path: Path) -> list[int]:
    try:
        return [int(word) for word in path.read_text().split()]
    except OSError:
        return []


def _remove(folders: list[Path]) -> bool:
    """Remove empty groups, waiting a little for the kernel to see that they are empty."""
    until = time.monotonic() + REMOVE_WAIT_S
    for folder in folders:
        while True:
            try:
                folder.rmdir()
            except FileNotFoundError:
                break
            except OSError as error:
                if error.errno not in {errno.EBUSY, errno.ENOTEMPTY} or time.monotonic() > until:
                    return False
                time.sleep(STEP_S)
            else:
                break
    return True


def kill_all(group: Group) -> None:
    """Kill what is in a group until nothing is, for a bounded while: who forks meanwhile is met in the next round."""
    until = time.monotonic() + KILL_WAIT_S
    while (pids := group.pids()) and time.monotonic() < until:
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(STEP_S)


@dataclass(frozen=True, slots=True)
class GroupV1:
    """One group in each of several trees, a tree a controller."""

    trees: dict[str, Path]
    path: str

    def _at(self, controller: str) -> Path:
        return self.trees[controller] / self.path

    def make(self, limits: Limits) -> None:
        """RUN-17. Make it in every tree."""
        for controller in self.trees:
            self._at(controller).mkdir(0o755, parents=True, exist_ok=True)
        (self._at("memory") / "memory.limit_in_bytes").write_text(str(limits.memory_bytes))
        with suppress(OSError):  # no swap is counted on this machine
            (self._at("memory") / "memory.memsw.limit_in_bytes").write_text(str(limits.memory_bytes))
        (self._at("pids") / "pids.max").write_text(str(limits.pids))
        (self._at("cpu") / "cpu.cfs_period_us").write_text(str(PERIOD_US))
        (self._at("cpu") / "cpu.cfs_quota_us").write_text(str(limits.cpu_millicores * PERIOD_US // 1000))

    def join(self, pid: int) -> None:
        """In every tree."""
        for controller in self.trees:
            (self._at(controller) / "cgroup.procs").write_text(str(pid))

    def pids(self) -> list[int]:
        """Of the tree that counts processes."""
        return _pids(self._at("pids") / "cgroup.procs")

    def freeze(self, *, frozen: bool) -> None:
        """By the freezer's tree."""
        state = self._at("freezer") / "freezer.state"
        wanted = "FROZEN" if frozen else "THAWED"
        until = time.monotonic() + FREEZE_WAIT_S
        state.write_text(wanted)
        while state.read_text().strip() != wanted:
            if time.monotonic() > until:
                raise OSError(errno.EBUSY, "processes that do not freeze", str(state))
            time.sleep(STEP_S)
            state.write_text(wanted)

    def usage(self) -> Usage:
        """Each number from the tree that has it."""
        memory = self._at("memory")
        return Usage(
            memory_bytes=_number(memory / "memory.usage_in_bytes"),
            memory_peak_bytes=_number(memory / "memory.max_usage_in_bytes"),
            cpu_ns=_number(self._at("cpuacct") / "cpuacct.usage"),
            pids=_number(self._at("pids") / "pids.current"),
            oom_kills=_field(memory / "memory.oom_control", "oom_kill"),
        )

    def remove(self) -> bool:
        """From every tree."""
        return _remove([self._at(controller) for controller in self.trees])


@dataclass(frozen=True, slots=True)
class GroupV2:
    """One group in the one tree."""

    folder: Path

    def make(self, limits: Limits) -> None:
        """RUN-17. Make it, and let its parents hand the controllers down."""
        self.folder.mkdir(0o755, parents=True, exist_ok=True)
        (self.folder / "memory.max").write_text(str(limits.memory_bytes))
        with suppress(OSError):  # no swap is counted on this machine
            (self.folder / "memory.swap.max").write_text("0")
        (self.folder / "pids.max").write_text(str(limits.pids))
        (self.folder / "cpu.max").write_text(f"{limits.cpu_millicores * PERIOD_US // 1000} {PERIOD_US}")

    def join(self, pid: int) -> None:
        """By the one file."""
        (self.folder / "cgroup.procs").write_text(str(pid))

    def pids(self) -> list[int]:
        """All of them."""
        return _pids(self.folder / "cgroup.procs")

    def freeze(self, *, frozen: bool) -> None:
        """Ask, and wait until the kernel says that it is so."""
        (self.folder / "cgroup.freeze").write_text("1" if frozen else "0")
        until = time.monotonic() + FREEZE_WAIT_S
        while _field(self.folder / "cgroup.events", "frozen") != int(frozen):
            if time.monotonic() > until:
                raise OSError(errno.EBUSY, "processes that do not freeze", str(self.folder))
            time.sleep(STEP_S)

    def usage(self) -> Usage:
        """From its own files."""
        return Usage(
            memory_bytes=_number(self.folder / "memory.current"),
            memory_peak_bytes=_number(self.folder / "memory.peak"),
            cpu_ns=_field(self.folder / "cpu.stat", "usage_usec") * 1000,
            pids=_number(self.folder / "pids.current"),
            oom_kills=_field(self.folder / "memory.events", "oom_kill"),
        )

    def remove(self) -> bool:
        """From the tree."""
        return _remove([self.folder])
