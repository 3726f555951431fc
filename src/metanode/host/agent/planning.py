"""A specification and its image as the plan that a driver carries out."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from metanode.docklock.images.configs import Run
from metanode.docklock.images.users import ACCOUNTS_BYTES_MAX, Identity, identify
from metanode.host.runtimes.caging import Cage
from metanode.host.runtimes.plan import (
    CPU_MIN_MILLICORES,
    HOST_USR,
    ContainerPlan,
    Kept,
    Limits,
    LogBounds,
    Mount,
    Secret,
    Temporary,
)
from metanode.host.runtimes.refusals import RuntimeRefusal
from metanode.primitives.refusal import Rejected
from metanode.records.workload import WorkloadSpec

NOBODY: Final = Identity(uid=65_534, gid=65_534)
"""Who runs what has no image and names no user."""
KIB: Final = 1_024


@dataclass(frozen=True, slots=True)
class Unpacked:
    """The root of an image on this machine, and what the image says of how it is started. `source`: where it was
    fetched from just now, empty where it was here."""

    root: str
    run: Run
    source: str = ""


NO_IMAGE: Final = Unpacked(root=HOST_USR, run=Run())
"""The node's own read-only /usr."""


def _accounts(root: str, name: str) -> bytes:
    """A file of the image's /etc; nothing where there is none, and never through a link."""
    try:
        file = os.open(Path(root) / "etc" / name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return b""
    try:
        return os.read(file, ACCOUNTS_BYTES_MAX)
    finally:
        os.close(file)


def identity_of(spec: WorkloadSpec, image: Unpacked) -> Identity:
    """RUN-2. Who it runs as: by the specification, else by the image. Raises `Rejected`."""
    wanted = spec.user or image.run.user
    if image.root == HOST_USR:
        if not wanted:
            return NOBODY
        return identify(wanted, b"", b"")
    return identify(wanted, _accounts(image.root, "passwd"), _accounts(image.root, "group"))


def _command(spec: WorkloadSpec, run: Run) -> tuple[str, ...]:
    """The specification's words replace the image's: a command of its own also drops the image's arguments."""
    entrypoint = spec.command or run.entrypoint
    arguments = spec.arguments or (() if spec.command else run.command)
    return (*entrypoint, *arguments)


def reference_of(spec: WorkloadSpec) -> str:
    """KUBE-2. The image as a registry knows it: the name people wrote, without its tag, and the digest that counts."""
    if not spec.terms.demand.image:
        return ""
    name = spec.image.partition("@")[0]
    head, slash, last = name.rpartition("/")
    return f"{head}{slash}{last.partition(':')[0]}@sha256:{spec.terms.demand.image.hex()}"


def plan_of(
    name: str,
    index: int,
    spec: WorkloadSpec,
    image: Unpacked,
    volumes: Path,
    secrets: tuple[Secret, ...],
    cage: Cage | None = None,
) -> ContainerPlan:
    """RUN-1 to RUN-5. The plan of one attempt; what a `cage` holds writes to memory alone. Raises `Rejected` where this
    machine could not carry it out."""
    who, terms = identity_of(spec, image), spec.terms
    memory = terms.demand.memory_kib * KIB
    kept = []
    for capability in spec.capabilities:
        if capability != Kept.NET_BIND_SERVICE:
            raise Rejected(RuntimeRefusal.BAD_CAPABILITY, f"{capability} cannot be kept here, only NET_BIND_SERVICE")
        kept.append(Kept.NET_BIND_SERVICE)
    variables = {
        "METANODE_WORKLOAD": terms.workload,
        "METANODE_REPLICA": str(index),
        **dict(image.run.environment),
        **{variable.name: variable.value for variable in spec.environment},
    }
    return ContainerPlan(
        id=name,
        root=image.root,
        command=_command(spec, image.run),
        limits=Limits(
            memory_bytes=memory,
            cpu_millicores=max(terms.demand.cpu_millicores, CPU_MIN_MILLICORES),
            pids=spec.pids_max,
        ),
        env=tuple(sorted(variables.items())),
        workdir=spec.working_directory or image.run.folder or "/",
        uid=who.uid,
        gid=who.gid,
        hostname=spec.hostname or terms.workload,
        read_only_root=spec.read_only or image.root == HOST_USR or cage is not None,
        mounts=tuple(Mount(str(volumes / one.volume), one.target, one.read_only) for one in spec.mounts),
        temporary=tuple(Temporary(one.target, one.size_kib * KIB or memory) for one in spec.temporary),
        secrets=secrets,
        kept=tuple(kept),
        stop_signal=spec.stop_signal.removeprefix("SIG"),
        stop_grace_ms=spec.stop_grace_ms,
        log=LogBounds(file_bytes=spec.log_bytes_max, files=max(spec.log_files_max, 2)),
        cage=cage,
        image=reference_of(spec),
    )
