"""The last steps before a container's program: limits a process, user, capabilities, Landlock, seccomp."""

import os
import resource
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from metanode.host.runtimes.plan import ContainerPlan, Kept
from metanode.host.runtimes.shim import kernel, landlock, seccomp
from metanode.host.runtimes.shim.syscalls import MACHINE

CAPABILITIES: Final = {Kept.NET_BIND_SERVICE: 10}
"""The numbers of those that may be kept."""


class Protection(Enum):
    """One lock of the jail. The shim always closes all of them; tests leave one open to see that it was what held."""

    CAPABILITIES = auto()
    """Every capability but the plan's is gone for good."""
    FILES = auto()
    """No file of the shim is open."""
    LANDLOCK = auto()
    """Writing by path, signals and abstract sockets."""
    MASKS = auto()
    """What of /proc shows or moves the machine."""
    NETWORK = auto()
    """A network of its own."""
    PROCESSES = auto()
    """Numbers of processes of its own."""
    SECCOMP = auto()
    """System calls."""
    USER = auto()
    """The plan's user, not the shim's."""


ALL: Final = frozenset(Protection)
"""What the shim uses."""


@dataclass(frozen=True, slots=True)
class Shortfall:
    """Which limits no cgroup holds, so that what a process can be held to must do."""

    memory: bool
    pids: bool


def limit(plan: ContainerPlan, missing: Shortfall, *, rootless: bool) -> None:
    """RUN-15. Limits of each process. They are only ever lowered: the shim need not be allowed to raise them.

    Where no cgroup counts processes, the kernel counts those of one user of a user namespace: exact, because every
    rootless container has a namespace of its own. Where none counts memory, each process is held to the whole.
    """
    wanted = {resource.RLIMIT_NOFILE: plan.limits.open_files, resource.RLIMIT_CORE: 0}
    if missing.memory:
        wanted[resource.RLIMIT_DATA] = plan.limits.memory_bytes
    if missing.pids and rootless:
        wanted[resource.RLIMIT_NPROC] = plan.limits.pids
    for kind, most in wanted.items():
        hard = resource.getrlimit(kind)[1]
        value = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(kind, (value, value))


def _become(plan: ContainerPlan, kept: int, protections: frozenset[Protection], *, rootless: bool) -> None:
    """RUN-10. User, group and capabilities of the plan; nothing executed later has more."""
    if Protection.CAPABILITIES in protections:
        for capability in range(kernel.last_capability() + 1):
            if not kept >> capability & 1:
                kernel.drop_bounding(capability)
        kernel.clear_ambient()
    if not rootless and Protection.USER in protections:
        kernel.keep_capabilities_over_user_change()
        os.setgroups([])
        os.setresgid(plan.gid, plan.gid, plan.gid)
        os.setresuid(plan.uid, plan.uid, plan.uid)
    if Protection.CAPABILITIES in protections:
        kernel.set_capabilities(kept)
        if kept and plan.uid:
            for capability in CAPABILITIES.values():
                if kept >> capability & 1:
                    kernel.raise_ambient(capability)


def writable_places(plan: ContainerPlan) -> tuple[str, ...]:
    """Where a container may write at all."""
    if not plan.read_only_root:
        return ("/",)
    volumes = (mount.target for mount in plan.mounts if not mount.read_only)
    return ("/tmp", "/dev/shm", *volumes, *(one.target for one in plan.temporary))  # noqa: S108


def give_up(plan: ContainerPlan, protections: frozenset[Protection] = ALL, *, rootless: bool) -> None:
    """RUN-10, RUN-12, RUN-14. Everything a container must not have, in the order in which it can still be given up."""
    kept = sum(1 << CAPABILITIES[one] for one in set(plan.kept))
    _become(plan, kept, protections, rootless=rootless)
    kernel.no_new_privileges()
    if Protection.LANDLOCK in protections and (version := kernel.landlock_version()):
        landlock.restrict(writable_places(plan), version)
    if Protection.SECCOMP in protections:
        kernel.filter_calls(seccomp.program(MACHINE))
    kernel.die_with_parent()
