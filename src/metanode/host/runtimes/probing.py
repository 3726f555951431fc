"""Whether an engine works here: the container it is tried with, and what usually helps where it fails."""

import asyncio
import contextlib
import secrets
from collections.abc import Callable
from typing import Final

from metanode.host.runtimes.driver import ContainerState, Driver, Lacks
from metanode.host.runtimes.plan import HOST_USR, ContainerPlan, Limits, Secret
from metanode.primitives.refusal import Rejected

PROBE_TIMEOUT_S: Final = 20.0
"""For a container that only says that it runs."""

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


def unseen(_: ContainerState) -> None:
    """A container that runs is enough."""


async def tried(driver: Driver, engine: str, look: Callable[[ContainerState], Lacks | None] = unseen) -> Lacks | None:
    """RUN-21. What a container with every limit and protection lacks, if anything. `look`: at it while it runs."""
    plan = trial_plan()
    try:
        async with asyncio.timeout(PROBE_TIMEOUT_S):
            await driver.create(plan)
            lacks = look(await driver.start(plan.id))
            ended = await driver.stop(plan.id)
            await driver.remove(plan.id)
    except TimeoutError:
        return Lacks(engine, f"a trial did not end within {PROBE_TIMEOUT_S:g} s", "see the kernel's log")
    except Rejected as refusal:
        with contextlib.suppress(Rejected):
            await driver.remove(plan.id)
        return Lacks(engine, f"a trial failed: {refusal.detail}", fix_of(refusal.detail))
    if lacks is None and (ended.exit is None or ended.exit.code not in {0, 137, 143}):
        return Lacks(engine, f"a trial ended with {ended.exit}", "see its log")
    return lacks
