"""Whether an engine works here: the container it is tried with, and what usually helps where it fails."""

import secrets
from typing import Final

from metanode.host.runtimes.plan import HOST_USR, ContainerPlan, Limits, Secret

_NAMESPACES: Final = (
    "allow user namespaces: sysctl user.max_user_namespaces, kernel.unprivileged_userns_clone=1, "
    "kernel.apparmor_restrict_unprivileged_userns=0; or run the agent as root"
)
_FIXES: Final = {
    "clone": _NAMESPACES,
    "uid_map": _NAMESPACES,
    "mount proc": "the machine is itself a container that hides parts of /proc: run the agent outside of it",
    "mount overlay": "a kernel of version 5.11 or later with overlayfs",
    "mount": _NAMESPACES,
    "pivot_root": "the machine's root must be a mount: run the agent outside of an initramfs or chroot",
    "seccomp": "a kernel with CONFIG_SECCOMP_FILTER",
    "cgroup": "control groups this user may write: run the agent as root, or by systemd with Delegate=yes",
}
"""By a word of what failed, the first that fits."""


def trial_plan() -> ContainerPlan:
    """A container that uses every part of a jail and ends by itself when asked, or is ended at once."""
    return ContainerPlan(
        id=f"probe.{secrets.token_hex(4)}",
        root=HOST_USR,
        command=("sh", "-c", "exec sleep 60"),
        limits=Limits(memory_bytes=64 << 20, cpu_millicores=1000, pids=16),
        secrets=(Secret("/run/secrets/probe", b"probe"),),
        stop_signal="KILL",
        stop_grace_ms=0,
    )


def fix_of(detail: str) -> str:
    """What would most probably make it run."""
    return next((fix for word, fix in _FIXES.items() if word in detail), "see the log of the shim and the kernel's")
