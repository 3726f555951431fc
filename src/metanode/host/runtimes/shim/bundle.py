"""A container as the OCI runtime specification says it: the same plan, the same protections, for crun and runc."""

from typing import Any, Final

from metanode.host.runtimes.plan import HOST_USR, ContainerPlan
from metanode.host.runtimes.shim import root, seccomp
from metanode.host.runtimes.shim.cgroups import PERIOD_US

SPECIFICATION: Final = "1.0.2"
"""The version of the OCI runtime specification that both runtimes know."""
_SAFE: Final = ["nosuid", "nodev"]
_NAMESPACES: Final = ("pid", "mount", "uts", "ipc", "network", "cgroup")


def process(plan: ContainerPlan, *, terminal: bool = False) -> dict[str, Any]:
    """RUN-20. `process` of the configuration, and of a command executed later."""
    kept = [f"CAP_{one}" for one in plan.kept]
    sets = ("bounding", "effective", "permitted", "inheritable", "ambient")
    files = {"type": "RLIMIT_NOFILE", "soft": plan.limits.open_files, "hard": plan.limits.open_files}
    return {
        "terminal": terminal,
        "user": {"uid": plan.uid, "gid": plan.gid, "umask": 0o022},
        "args": list(plan.command),
        "env": [f"{name}={value}" for name, value in plan.variables.items()],
        "cwd": plan.workdir,
        "capabilities": dict.fromkeys(sets, kept),
        "rlimits": [files, {"type": "RLIMIT_CORE", "soft": 0, "hard": 0}],
        "noNewPrivileges": True,
    }


def configuration(plan: ContainerPlan, folder: str, group: str, machine: str) -> dict[str, Any]:
    """RUN-20. config.json. `group`: the path of its control group; `folder`: where its own things are."""
    return {
        "ociVersion": SPECIFICATION,
        "process": process(plan),
        "root": {"path": "rootfs", "readonly": plan.read_only_root},
        "hostname": plan.hostname,
        "mounts": mounts(plan, folder),
        "linux": {
            "namespaces": [{"type": kind} for kind in _NAMESPACES],
            "cgroupsPath": group,
            "resources": {
                "devices": [{"allow": False, "access": "rwm"}],
                "memory": {"limit": plan.limits.memory_bytes},
                "cpu": {"quota": plan.limits.cpu_millicores * PERIOD_US // 1000, "period": PERIOD_US},
                "pids": {"limit": plan.limits.pids},
            },
            "maskedPaths": list(root.MASKED),
            "readonlyPaths": list(root.READ_ONLY),
            "seccomp": seccomp.oci_profile(machine),
        },
    }


def mounts(plan: ContainerPlan, folder: str) -> list[dict[str, Any]]:
    """RUN-20. What is mounted, in the jail's order."""
    tmp = f"size={root.TMP_BYTES}"
    found = [
        _mount("/proc", "proc", "proc", [*_SAFE, "noexec"]),
        _mount("/dev", "tmpfs", "tmpfs", ["nosuid", "noexec", "mode=755", "size=65536"]),
        _mount("/dev/pts", "devpts", "devpts", ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"]),
        _mount("/dev/shm", "tmpfs", "shm", [*_SAFE, "noexec", "mode=1777", tmp]),  # noqa: S108
        _mount("/tmp", "tmpfs", "tmpfs", [*_SAFE, "mode=1777", tmp]),  # noqa: S108
    ]
    if plan.root == HOST_USR:
        found += [_bind(part, part, read_only=True) for part in root.host_parts()]
    for one in root.in_memory(plan):
        size = f"size={one.size_bytes}"
        found = [other for other in found if other["destination"] != one.target]
        found.append(_mount(one.target, "tmpfs", "tmpfs", [*_SAFE, "noexec", "mode=1777", size]))
    for number, place in enumerate(secret_folders(plan)):
        found.append(_bind(f"{folder}/secrets/{number}", place, read_only=True))
    for name in ("hosts", "hostname", "resolv.conf"):
        found.append(_bind(f"{folder}/etc/{name}", f"/etc/{name}", read_only=True))
    for mount in sorted(plan.mounts, key=lambda mount: mount.target.count("/")):
        found.append(_bind(mount.source, mount.target, read_only=mount.read_only))
    return found


def secret_folders(plan: ContainerPlan) -> list[str]:
    """The folders that become a tmpfs each, in order."""
    return sorted({secret.folder for secret in plan.secrets})


def _mount(target: str, kind: str, source: str, options: list[str]) -> dict[str, Any]:
    return {"destination": target, "type": kind, "source": source, "options": options}


def _bind(source: str, target: str, *, read_only: bool) -> dict[str, Any]:
    access = ["ro"] if read_only else ["rw"]
    return _mount(target, "bind", source, ["rbind", "rprivate", *_SAFE, *access])
