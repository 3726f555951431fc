"""One container of an engine as its agent holds it: terms, log, control group, the end of its first process."""

import asyncio
import os
import re
import signal
from collections.abc import Callable
from contextlib import suppress
from dataclasses import astuple
from pathlib import Path
from typing import Final

import msgspec

from metanode.host.runtimes.docker.config import Terms
from metanode.host.runtimes.docker.outputs import Copy
from metanode.host.runtimes.shim.cgroups import Group, GroupV1, GroupV2, Usage
from metanode.host.runtimes.shim.hierarchy import mounted

_END: Final = "end.json"
"""What a container had used when it ended."""
_FAILED: Final = "failed"
"""There is a file of this name where its program could not be begun: podman does not tell it afterwards."""
NOTHING: Final = Usage(0, 0, 0, 0, 0)
_LINE: Final = re.compile(r"\d+:([^:]*):(/.*)")


def group_of(pid: int) -> Group | None:
    """The control group an engine put a process into; `None` where it cannot be seen."""
    try:
        lines = Path(f"/proc/{pid}/cgroup").read_text().splitlines()
        trees = mounted(Path("/proc/self/mounts").read_text())
    except OSError:
        return None
    paths = {name: path for line in lines if (found := _LINE.fullmatch(line)) for name, path in [found.groups()]}
    by_controller = {one: path for names, path in paths.items() for one in names.split(",")}
    if "memory" in by_controller and "memory" in trees.v1:
        path = by_controller["memory"].lstrip("/")
        group: Group = GroupV1(trees.v1, path)
        seen = trees.v1["memory"] / path
    elif "" in paths and trees.v2 is not None:
        seen = trees.v2 / paths[""].lstrip("/")
        group = GroupV2(seen)
    else:
        return None
    return group if seen.is_dir() else None


def kill_inside(pid: int, group: Group | None) -> None:
    """Kill a process, if it is one of a container's."""
    if pid > 0 and group is not None and pid in group.pids():
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


class Box:
    """DOCKER-2. A container. `cid`: the engine's name for it; `folder`: for its log and files; `ended`: told once when
    its first process has ended."""

    def __init__(self, terms: Terms, cid: str, folder: Path, copy: Copy, over: asyncio.Event) -> None:
        self.terms: Final = terms
        self.cid: Final = cid
        self.folder: Final = folder
        self.copy: Final = copy
        self.over: Final = over
        """Set when the engine says that it has ended."""
        self.begun: Final = asyncio.Event()
        """Set when its start has been told: nobody hears of an end before."""
        self.lock: Final = asyncio.Lock()
        """Held while something is done to it."""
        self.group: Group | None = None
        self.end = self._read_end()
        self._process = -1
        self._seen = NOTHING

    def _read_end(self) -> Usage | None:
        try:
            return Usage(*msgspec.json.decode((self.folder / _END).read_bytes(), type=tuple[int, int, int, int, int]))
        except (OSError, msgspec.MsgspecError):
            return None

    def watch(self, pid: int, ended: Callable[[], None]) -> None:
        """From now on its control group is known, and `ended` is called when its first process is gone."""
        if self._process >= 0:
            return
        self.group = self.group or group_of(pid)
        try:
            self._process = os.pidfd_open(pid)
        except OSError:
            self._note()
            ended()
            return

        def gone() -> None:
            self._note()
            self.unwatch()
            ended()

        asyncio.get_running_loop().add_reader(self._process, gone)

    def _note(self) -> None:
        """What it used, read before its engine takes the group away."""
        if self.group is not None and self.end is None:
            self.end = self._most(self.group.usage())
            with suppress(OSError):
                (self.folder / _END).write_bytes(msgspec.json.encode(astuple(self.end)))

    def unwatch(self) -> None:
        """Its first process is gone, or nobody wants to know any more."""
        if self._process >= 0:
            asyncio.get_running_loop().remove_reader(self._process)
            os.close(self._process)
            self._process = -1

    def usage(self) -> Usage:
        """What it uses, or used."""
        if self.end is not None:
            return Usage(0, self.end.memory_peak_bytes, self.end.cpu_ns, 0, self.end.oom_kills)
        self._seen = self._most(self.group.usage() if self.group is not None else NOTHING)
        return self._seen

    def _most(self, now: Usage) -> Usage:
        """What only grows is never less than it was seen to be: a group may be gone before it is read once more."""
        seen = self._seen
        return Usage(
            now.memory_bytes,
            max(now.memory_peak_bytes, seen.memory_peak_bytes),
            max(now.cpu_ns, seen.cpu_ns),
            now.pids,
            max(now.oom_kills, seen.oom_kills),
        )

    @property
    def has_failed(self) -> bool:
        """Whether its program could not be begun."""
        return (self.folder / _FAILED).exists()

    def fails(self) -> None:
        """Its program could not be begun."""
        (self.folder / _FAILED).touch()

    @property
    def oom(self) -> bool:
        """Whether the kernel killed something in it for want of memory."""
        return self.end is not None and self.end.oom_kills > 0
