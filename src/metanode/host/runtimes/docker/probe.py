"""Whether an engine works here: reached, looked at, tried, and what would make it work."""

import os
from pathlib import Path
from typing import Final

from metanode.host.runtimes.docker.api import API, number_of
from metanode.host.runtimes.docker.box import group_of
from metanode.host.runtimes.docker.hold import PODMAN, Hold
from metanode.host.runtimes.driver import (
    Capability,
    ContainerState,
    Driver,
    Enforcement,
    Enforces,
    Lacks,
    Works,
)
from metanode.host.runtimes.probing import tried
from metanode.primitives.refusal import Rejected

_START: Final = {
    "docker": "apt-get install docker.io, start dockerd, or give its socket with --engine-socket",
    "podman": "apt-get install podman, start `podman system service --time=0 unix:///run/podman/podman.sock`, "
    "or give its socket with --engine-socket",
}
"""What makes an engine run, by its name."""
_SEEN_FIX: Final = "run the engine on this machine itself, beside the agent: not in a virtual machine or a container"
_FIXES: Final = {
    "RLIMIT": 'this root may not raise limits: start podman with default_ulimits = ["nofile=4096:4096", '
    '"nproc=4096:4096"] in containers.conf',
    "cgroup": 'give the engine control groups: --exec-opt native.cgroupdriver=cgroupfs, or cgroup_manager = "cgroupfs"',
    "hybrid": 'crun refuses a machine with both versions of control groups: runtime = "runc" in containers.conf',
    "seccomp": "a kernel with CONFIG_SECCOMP_FILTER",
    "overlay": 'a storage driver that works here: --storage-driver vfs, or driver = "vfs" in storage.conf',
}
"""By a word of what failed, the first that fits."""


async def probe(hold: Hold, driver: Driver) -> Capability:
    """RUN-21. Whether the engine works here, exactly why not, and what would change that."""
    name, socket = hold.place.engine, hold.place.socket
    if os.geteuid() != 0:
        return Lacks(name, "needs root here: whoever may use the engine's socket is root", "run the agent as root")
    if not socket.exists():
        return Lacks(name, f"no engine at {socket}", _START[name])
    try:
        await hold.reach()
    except Rejected as refused:
        return Lacks(name, f"does not answer: {refused.detail}", _START[name])
    return _lacking(hold) or await _tried(hold, driver)


def _lacking(hold: Hold) -> Lacks | None:
    """What the engine says of itself that rules it out."""
    assert hold.version is not None, "it was reached"
    if number_of(hold.version.api_version) < API:
        wanted = ".".join(map(str, API))
        return Lacks(hold.engine, f"speaks version {hold.version.api_version[:20]} of the API", f"{wanted} or later")
    if any("rootless" in option for option in hold.info.security_options or ()):
        return Lacks(hold.engine, "is run without root", "run it as root, or use the sandbox, which needs none")
    return None


async def _tried(hold: Hold, driver: Driver) -> Capability:
    def seen(state: ContainerState) -> Lacks | None:
        if not Path(state.network).exists() or group_of(state.pid) is None:
            return Lacks(hold.engine, "its containers cannot be seen from here", _SEEN_FIX)
        return None

    lacks = await tried(driver, hold.engine, seen)
    if lacks is not None:
        fix = next((fix for word, fix in _FIXES.items() if word in lacks.reason), lacks.fix)
        return Lacks(lacks.engine, lacks.reason, fix)
    assert hold.version is not None, "it was reached"
    whole = (Enforcement.NOT, Enforcement.WHOLE)
    enforces = Enforces(whole[hold.info.memory_limit], whole[hold.info.cpu_cfs_quota], whole[hold.info.pids_limit])
    notes = ["no Landlock: engines give none"]
    if hold.engine == PODMAN:
        notes.append("adds the variables container, TERM and HOSTNAME, and folders in memory at /run and /var/tmp")
        notes.append("the folder / itself takes no entries (podman before 5); folders below it do")
    if hold.secrets.folder is None:
        notes.append("no secrets: mount a tmpfs at /run")
    return Works(hold.engine, hold.version.version, enforces, tuple(notes))
