"""Which control groups this machine lets this process make: version 1, version 2, or none and why."""

import errno
import os
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from metanode.host.runtimes.shim.cgroups import NAME, Group, GroupV1, GroupV2, kill_all

V1_CONTROLLERS: Final = ("memory", "cpu", "cpuacct", "pids", "freezer")
"""What a container needs on version 1; each is a tree, and some share one."""
V2_CONTROLLERS: Final = ("memory", "cpu", "pids")
"""On version 2; freezing and killing are part of every group."""
REST: Final = "metanode-rest"
"""Version 2: where the processes of a delegated group go, for a group that has groups may have no processes."""


@dataclass(frozen=True, slots=True)
class Mounted:
    """The trees that are mounted: of version 1 by controller, of version 2 the one or none."""

    v1: dict[str, Path] = field(default_factory=dict)
    v2: Path | None = None


def mounted(table: str) -> Mounted:
    """Read /proc/self/mounts."""
    v1: dict[str, Path] = {}
    v2: Path | None = None
    for line in table.splitlines():
        _, point, kind, options, *_ = line.split()
        if kind == "cgroup":
            for controller in set(V1_CONTROLLERS) & set(options.split(",")):
                v1[controller] = Path(point)
        elif kind == "cgroup2":
            v2 = Path(point)
    return Mounted(v1, v2)


@dataclass(frozen=True, slots=True)
class Hierarchy:
    """RUN-17. Where one agent's groups are. `version`: 1, 2, or 0 for none; then `reason` and `fix` say why."""

    version: int
    key: str
    trees: dict[str, Path] = field(default_factory=dict)
    base: Path = Path()
    reason: str = ""
    fix: str = ""

    def group(self, name: str) -> Group | None:
        """The group of a container; none where there are no groups."""
        if self.version == 1:
            return GroupV1(self.trees, f"{NAME}/{self.key}/{name}")
        if self.version == 2:
            return GroupV2(self.base / NAME / self.key / name)
        return None

    def prepare(self) -> None:
        """The groups above those of containers; on version 2 each hands the controllers down."""
        for folder in self._own():
            folder.mkdir(0o755, parents=True, exist_ok=True)
        if self.version == 2:
            for folder in (self.base / NAME, self.base / NAME / self.key):
                hand_down(folder)

    def _own(self) -> list[Path]:
        if self.version == 1:
            return [tree / NAME / self.key for tree in set(self.trees.values())]
        return [self.base / NAME / self.key] if self.version == 2 else []

    def left_behind(self) -> list[str]:
        """The names of groups below this agent's own."""
        return sorted({path.name for own in self._own() if own.is_dir() for path in own.iterdir() if path.is_dir()})

    def clear(self) -> list[str]:
        """Kill and remove every group of this agent, and its own; what could not be removed."""
        stuck = []
        for name in self.left_behind():
            group = self.group(name)
            assert group is not None
            with suppress(OSError):  # one that does not thaw in time is met again
                if group.pids():
                    group.freeze(frozen=False)
            kill_all(group)
            if not group.remove():
                stuck.append(name)
        for own in self._own():
            for folder in (own, own.parent):
                try:
                    folder.rmdir()
                except OSError:
                    break  # another agent has groups there, or one of ours is stuck
        return stuck


def hand_down(folder: Path) -> None:
    """Let the children of a version 2 group have the controllers it has."""
    (folder / "cgroup.subtree_control").write_text(" ".join(f"+{name}" for name in V2_CONTROLLERS))


def detect(key: str, mounts: Mounted, own_path: str) -> Hierarchy:
    """RUN-17. What can be used, tried in earnest. `own_path`: the version 2 group this process is in."""
    if set(mounts.v1) == set(V1_CONTROLLERS):
        closed = sorted(str(tree) for tree in set(mounts.v1.values()) if not os.access(tree, os.W_OK))
        if not closed:
            return Hierarchy(1, key, trees=mounts.v1)
        return Hierarchy(0, key, reason=f"no permission to make groups in {closed[0]}", fix="run the agent as root")
    if mounts.v2 is None:
        return Hierarchy(0, key, reason="no control groups are mounted", fix="mount cgroup2 on /sys/fs/cgroup")
    return _detect_v2(key, mounts.v2, own_path)


def _detect_v2(key: str, tree: Path, own_path: str) -> Hierarchy:
    base = tree if os.access(tree / "cgroup.subtree_control", os.W_OK) else tree / own_path.lstrip("/")
    control = base / "cgroup.subtree_control"
    has = (base / "cgroup.controllers").read_text().split() if (base / "cgroup.controllers").exists() else []
    lacking = [name for name in V2_CONTROLLERS if name not in has]
    if lacking:
        return Hierarchy(
            0, key, reason=f"{base} has no controller {' '.join(lacking)}", fix=f"delegate {' '.join(lacking)} to it"
        )
    if not os.access(control, os.W_OK):
        fix = "run the agent as root, or by systemd with Delegate=yes"
        return Hierarchy(0, key, reason=f"no permission to make groups in {base}", fix=fix)
    try:
        hand_down(base)
    except OSError as error:
        if error.errno != errno.EBUSY:
            return Hierarchy(0, key, reason=f"{control}: {error.strerror}", fix="see the kernel's log")
        try:
            _make_room(base)
            hand_down(base)
        except OSError as again:
            fix = f"move the other processes out of {base}"
            return Hierarchy(0, key, reason=f"{control}: {again.strerror}", fix=fix)
    return Hierarchy(2, key, base=base)


def _make_room(base: Path) -> None:
    """Move the processes of a group into one below it, so that it may have others."""
    rest = base / REST
    rest.mkdir(0o755, exist_ok=True)
    for pid in (base / "cgroup.procs").read_text().split():
        (rest / "cgroup.procs").write_text(pid)


def own_group(table: str) -> str:
    """The version 2 group of a process, from /proc/PID/cgroup."""
    return next((line[3:] for line in table.splitlines() if line.startswith("0::")), "/")
