"""A plan as the engine's API says it: the same limits, protections and mounts that the shim gives."""

import hashlib
import json
import platform
import resource
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from metanode.host.runtimes.plan import HOST_USR, PIDS_MAX, ContainerPlan, Kept, LogBounds
from metanode.host.runtimes.refusals import RuntimeRefusal
from metanode.host.runtimes.shim import root, seccomp
from metanode.host.runtimes.shim.bundle import secret_folders
from metanode.host.runtimes.shim.cgroups import PERIOD_US
from metanode.host.runtimes.shim.plans import plan_message
from metanode.primitives.refusal import Rejected

LABEL: Final = "org.metanode."
"""What the names of our labels begin with."""
KEY: Final = f"{LABEL}key"
"""The label by which an agent knows its own containers: the short name of its folder."""
ID: Final = f"{LABEL}id"
FOLDER: Final = f"{LABEL}folder"
PLAN: Final = f"{LABEL}plan"
LOG: Final = f"{LABEL}log"
STOP: Final = f"{LABEL}stop"
ENGINE_LOG_MIN_BYTES: Final = 1 << 20
"""Of one file of the engine's own log, which is read while it is written: smaller ones would turn too fast."""
MASKED: Final = (*root.MASKED, "/sys")
"""RUN-11. Engines mount /sys; here it is hidden as a whole."""
_BIND: Final = {"Propagation": "rprivate"}


@dataclass(frozen=True, slots=True)
class Terms:
    """What an agent must know of a container beyond what its engine tells, and finds in its labels."""

    id: str
    log: LogBounds
    stop_signal: str
    stop_grace_ms: int


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a body is made of beside the plan. `etc`: a folder with the three files; `secrets`: folders in memory, one a
    folder of secrets; `profile`: rules of system calls, as a file for podman; `parent`: the control group above, where
    one can choose it."""

    key: str
    folder: str
    image: str
    etc: Path
    secrets: tuple[Path, ...]
    profile: Path
    parent: str
    is_podman: bool


def digest_of(plan: ContainerPlan) -> str:
    """The digest of a plan without the bytes of its secrets: a label is read by many, and short secrets are guessed."""
    message = plan_message(plan)
    message["secrets"] = [[secret.target, secret.mode] for secret in plan.secrets]
    return hashlib.sha256(json.dumps(message, sort_keys=True).encode()).hexdigest()


def labels(plan: ContainerPlan, key: str, folder: str) -> dict[str, str]:
    """DOCKER-2. What another agent of this folder adopts a container by."""
    return {
        KEY: key,
        FOLDER: folder,
        ID: plan.id,
        PLAN: digest_of(plan),
        LOG: f"{plan.log.file_bytes},{plan.log.files}",
        STOP: f"{plan.stop_signal},{plan.stop_grace_ms}",
    }


def terms_of(found: dict[str, str]) -> Terms:
    """The terms in the labels. Raises `Rejected` where somebody changed them."""
    try:
        file_bytes, files = map(int, found[LOG].split(","))
        stop_signal, grace = found[STOP].split(",")
        return Terms(found[ID], LogBounds(file_bytes, files), stop_signal, int(grace))
    except (KeyError, ValueError) as error:
        raise Rejected(RuntimeRefusal.ENGINE_ANSWER, f"a container without our labels: {error}") from None


def body_of(plan: ContainerPlan, around: Surroundings) -> dict[str, Any]:
    """DOCKER-1. What the engine is asked to create."""
    return {
        "Image": around.image,
        "Hostname": plan.hostname,
        "User": f"{plan.uid}:{plan.gid}",
        "Env": [f"{name}={value}" for name, value in plan.variables.items()]
        + (
            [] if around.is_podman or "HOSTNAME" in plan.variables else ["HOSTNAME"]
        ),  # without a value: dockerd drops it
        "Entrypoint": list(plan.command),
        "Cmd": [],
        "WorkingDir": plan.workdir,
        "StopSignal": f"SIG{plan.stop_signal}",
        "StopTimeout": -(-plan.stop_grace_ms // 1000),  # of the engine's own end; its agent counts milliseconds
        "Healthcheck": {"Test": ["NONE"]},
        "Labels": labels(plan, around.key, around.folder),
        "HostConfig": _host_config(plan, around),
    }


def _host_config(plan: ContainerPlan, around: Surroundings) -> dict[str, Any]:
    limits = plan.limits
    return {
        "NetworkMode": "none",
        "IpcMode": "private",
        "CgroupnsMode": "private",
        "UsernsMode": "host",
        "Privileged": False,
        "CapDrop": ["ALL"],
        "CapAdd": [str(kept) for kept in plan.kept],
        "Sysctls": {"net.ipv4.ip_unprivileged_port_start": "0" if Kept.NET_BIND_SERVICE in plan.kept else "1024"},
        "SecurityOpt": _protections(around),
        "MaskedPaths": list(MASKED),
        "ReadonlyPaths": list(root.READ_ONLY),
        "ReadonlyRootfs": plan.read_only_root,
        "CgroupParent": around.parent,
        "Memory": limits.memory_bytes,
        "MemorySwap": limits.memory_bytes,
        "CpuPeriod": PERIOD_US,
        "CpuQuota": limits.cpu_millicores * PERIOD_US // 1000,
        "PidsLimit": limits.pids,
        "Ulimits": _ulimits(limits.open_files, is_podman=around.is_podman),
        "ShmSize": root.TMP_BYTES,
        "Tmpfs": _in_memory(plan),
        "Mounts": _mounts(plan, around),
        "RestartPolicy": {"Name": "no", "MaximumRetryCount": 0},
        "AutoRemove": False,
        "Init": False,
        "LogConfig": _log_config(plan.log, is_podman=around.is_podman),
    }


def _in_memory(plan: ContainerPlan) -> dict[str, str]:
    """RUN-11. /tmp, and what the plan wants in memory."""
    found = {"/tmp": f"rw,nosuid,nodev,mode=1777,size={root.TMP_BYTES}"}  # noqa: S108 - the container's
    for one in root.in_memory(plan):
        found[one.target] = f"rw,nosuid,nodev,noexec,mode=1777,size={one.size_bytes}"
    return found


def _protections(around: Surroundings) -> list[str]:
    """RUN-12. Podman reads the rules from a file, and takes paths to mask only here."""
    if around.is_podman:
        return ["no-new-privileges", f"seccomp={around.profile}", f"mask={':'.join(MASKED)}"]
    return ["no-new-privileges:true", f"seccomp={json.dumps(profile())}"]


def profile() -> dict[str, Any]:
    """RUN-12. The rules of system calls."""
    return seccomp.oci_profile(platform.machine())


def _ulimits(open_files: int, *, is_podman: bool) -> list[dict[str, Any]]:
    """Podman raises what nobody names to numbers that root may lack the right to: it is told what is below its own."""
    wanted = {"nofile": open_files, "core": 0}
    if is_podman:
        own = resource.getrlimit(resource.RLIMIT_NPROC)[1]
        wanted["nproc"] = PIDS_MAX if own == resource.RLIM_INFINITY else min(own, PIDS_MAX)
    return [{"Name": name, "Soft": value, "Hard": value} for name, value in wanted.items()]


def _log_config(bounds: LogBounds, *, is_podman: bool) -> dict[str, Any]:
    """DOCKER-3. The engine's own log: bounded, and of bytes as they are (JSON would change what is no text)."""
    if is_podman:
        size = max(bounds.file_bytes * bounds.files, ENGINE_LOG_MIN_BYTES)
        return {"Type": "k8s-file", "Config": {"max-size": str(size)}}
    size = max(bounds.file_bytes, ENGINE_LOG_MIN_BYTES)
    return {"Type": "local", "Config": {"max-size": str(size), "max-file": str(bounds.files), "compress": "false"}}


def _mounts(plan: ContainerPlan, around: Surroundings) -> list[dict[str, Any]]:
    """DOCKER-1. In the order of the jail: parts of the host, secrets, the three files, volumes from outer to inner."""
    found = []
    if plan.root == HOST_USR:
        found += [_bind(part, part, read_only=True) for part in root.host_parts()]
    for place, here in zip(secret_folders(plan), around.secrets, strict=True):
        found.append(_bind(str(here), place, read_only=True))
    for name in ("hosts", "hostname", "resolv.conf"):
        found.append(_bind(str(around.etc / name), f"/etc/{name}", read_only=True))
    for mount in sorted(plan.mounts, key=lambda mount: mount.target.count("/")):
        found.append(_bind(mount.source, mount.target, read_only=mount.read_only))
    return found


def _bind(source: str, target: str, *, read_only: bool) -> dict[str, Any]:
    return {"Type": "bind", "Source": source, "Target": target, "ReadOnly": read_only, "BindOptions": dict(_BIND)}
