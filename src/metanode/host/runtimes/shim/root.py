"""The file system of a container, built inside its own mount namespace and left with no way back out.

Order matters. Whatever a path of the plan or of the image names is looked up only after the old root is gone, so that
a link in the image leads nowhere else: while it is there, "/.." leads to it. What comes from the host is copied before,
as trees that are mounted nowhere yet.
"""

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from metanode.host.runtimes.caging import INPUT_FOLDER
from metanode.host.runtimes.plan import HOST_USR, ContainerPlan, Temporary
from metanode.host.runtimes.shim import kernel
from metanode.host.runtimes.shim.cage import root as caged

TMP_BYTES: Final = 64 << 20
"""Of /tmp and of /dev/shm, each; they count as the container's memory where memory is enforced."""
DEVICES: Final = ("null", "zero", "full", "random", "urandom", "tty")
"""The only devices a container has; each is the host's, bound."""
DEVICE_LINKS: Final = {
    "fd": "/proc/self/fd",
    "stdin": "/proc/self/fd/0",
    "stdout": "/proc/self/fd/1",
    "stderr": "/proc/self/fd/2",
    "ptmx": "pts/ptmx",
}
MASKED: Final = (
    "/proc/kcore", "/proc/keys", "/proc/kmsg", "/proc/latency_stats", "/proc/timer_list", "/proc/sched_debug",
    "/proc/kallsyms", "/proc/kpagecount", "/proc/kpageflags", "/proc/kpagecgroup", "/proc/acpi", "/proc/scsi",
    "/proc/asound", "/proc/interrupts",
)  # fmt: skip
"""Of /proc: an empty file or folder instead."""
READ_ONLY: Final = ("/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger")
"""Of /proc: may be read and not written."""
USR_LINKS: Final = ("bin", "sbin", "lib", "lib32", "lib64", "libx32")
"""Beside /usr on an ordinary machine: links into it, or folders where the machine is old."""
RESOLVER: Final = "127.0.0.53"
"""Where names are asked for inside a container: an address of its own loopback, on which only the agent may listen."""
_USERS: Final = "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n"
_GROUP: Final = "root:x:0:\nnogroup:x:65534:\n"
_NSSWITCH: Final = "passwd: files\ngroup: files\nhosts: files dns\n"
_SAFE: Final = kernel.NO_SUID | kernel.NO_DEVICES


@dataclass(frozen=True, slots=True)
class Place:
    """Where a container's own things are on the host. `rootless`: the shim is no root and uses a user namespace."""

    folder: str
    rootless: bool
    uid: int
    gid: int

    @property
    def point(self) -> str:
        """An empty folder, to mount the root on; nothing is ever mounted there in the host's own namespace."""
        return f"{self.folder}/point"

    @property
    def proc(self) -> str:
        """Another, for /proc, which must be mounted while the host's is still in sight."""
        return f"{self.folder}/proc"

    def prepare(self, plan: ContainerPlan) -> None:
        """The folders and the three files that every container gets whatever its image."""
        for name in ("point", "proc", "upper", "spare", "etc"):
            Path(self.folder, name).mkdir(0o755, exist_ok=True)
        write_names(Path(self.folder, "etc"), plan.hostname)
        if plan.cage:
            caged.same_times(Path(self.folder, "etc"))


def write_names(etc: Path, hostname: str) -> None:
    """RUN-11. The three files that every container gets whatever its image."""
    for name, text in {
        "hosts": f"127.0.0.1 localhost {hostname}\n::1 localhost\n",
        "hostname": f"{hostname}\n",
        "resolv.conf": f"nameserver {RESOLVER}\noptions timeout:1 attempts:2\n",
    }.items():
        (etc / name).write_text(text)
        (etc / name).chmod(0o644)


@dataclass(frozen=True, slots=True)
class _Bind:
    """Something of the host, held as a tree mounted nowhere, and where it goes."""

    tree: int
    target: str
    is_folder: bool
    flags: int


def _held(source: str, target: str, flags: int) -> _Bind:
    return _Bind(kernel.clone_tree(source), target, Path(source).is_dir(), flags)


def _binds(plan: ContainerPlan, place: Place) -> Iterator[_Bind]:
    """What is bound after the root is sealed: the three files, then volumes, outer before inner."""
    for name in ("hosts", "hostname", "resolv.conf"):
        yield _held(f"{place.folder}/etc/{name}", f"/etc/{name}", _SAFE | kernel.READ_ONLY)
    for mount in sorted(plan.mounts, key=lambda mount: mount.target.count("/")):
        yield _held(mount.source, mount.target, _SAFE | (kernel.READ_ONLY if mount.read_only else 0))


def _base(plan: ContainerPlan, place: Place) -> list[_Bind]:
    """RUN-11. Mount what the root is made of at `place.point`; what must still be bound into it is returned."""
    if plan.root == HOST_USR:
        kernel.mount("tmpfs", place.point, "tmpfs", _SAFE, "mode=0755,size=4m")
        fill_host_root(Path(place.point))
        return [_held(part, part, _SAFE | kernel.READ_ONLY) for part in host_parts()]
    mount_image(plan.root, place.folder, place.point, rootless=place.rootless)
    return []


def mount_image(image: str, folder: str, point: str, *, rootless: bool) -> None:
    """RUN-11. The image's folder with a layer of the container's own on it: whatever happens, no image is changed."""
    lower, upper, spare = (_escaped(path) for path in (image, f"{folder}/upper", f"{folder}/spare"))
    options = f"lowerdir={lower},upperdir={upper},workdir={spare}" + (",userxattr" if rootless else "")
    kernel.mount("overlay", point, "overlay", _SAFE, options)


def host_parts() -> list[str]:
    """What of the host the root of `HOST_USR` is bound from."""
    folders = [f"/{name}" for name in USR_LINKS if Path("/", name).is_dir() and not Path("/", name).is_symlink()]
    shown = [path for path in ("/etc/ld.so.cache", "/etc/alternatives") if Path(path).exists()]
    return ["/usr", *folders, *shown]


def fill_host_root(place: Path) -> None:
    """What of the root of `HOST_USR` is its own: links as the host has them, and who root and nobody are."""
    for name in USR_LINKS:
        if (outside := Path("/", name)).is_symlink():
            (place / name).symlink_to(outside.readlink())
    (place / "etc").mkdir(0o755)
    for name, text in {"passwd": _USERS, "group": _GROUP, "nsswitch.conf": _NSSWITCH}.items():
        (place / "etc" / name).write_text(text)


def _escaped(path: str) -> str:
    """A path as an option of overlayfs, for which colons and commas are separators."""
    return path.replace("\\", "\\\\").replace(":", "\\:").replace(",", "\\,")


def _make_point(target: str, *, is_folder: bool) -> None:
    """Something to mount on. Runs after the root has changed: links lead nowhere else."""
    path = Path(target)
    if not path.exists():
        path.parent.mkdir(0o755, parents=True, exist_ok=True)
        if is_folder:
            path.mkdir(0o755)
        else:
            path.touch(0o644)


def _put(bound: _Bind) -> None:
    kernel.put_tree(bound.tree, bound.target)
    kernel.restrict_mount(bound.target, bound.flags)


def build(plan: ContainerPlan, place: Place, *, masks: bool = True) -> None:
    """RUN-11. Everything, from a fresh mount namespace to a process whose root is the container's."""
    kernel.mount("", "/", flags=kernel.RECURSIVE | kernel.PRIVATE)
    kernel.mount("proc", place.proc, "proc", _SAFE | kernel.NO_EXECUTION)  # while the host's is there to be compared
    proc = _held(place.proc, "/proc", 0)
    parts = _base(plan, place)
    binds = list(_binds(plan, place))
    given = caged.open_inputs(plan)
    devices = [_held(f"/dev/{name}", f"/dev/{name}", 0) for name in (caged.DEVICES if plan.cage else DEVICES)]
    os.chdir(place.point)
    kernel.pivot_root(".", ".")
    kernel.unmount(".")
    os.chdir("/")
    folders = ("/proc", "/dev", "/tmp", plan.workdir, *(secret.folder for secret in plan.secrets))  # noqa: S108
    folders += (*(one.target for one in plan.temporary), *((INPUT_FOLDER,) if given else ()))
    for folder in folders:
        _make_point(folder, is_folder=True)
    for bound in (*parts, *binds):
        _make_point(bound.target, is_folder=bound.is_folder)
    for bound in (*parts, proc):
        _put(bound)
    if plan.cage:
        caged.empty_proc()
    kernel.restrict_mount("/", _SAFE | (kernel.READ_ONLY if plan.read_only_root else 0), deep=False)
    _devices(devices, plan)
    kernel.mount("tmpfs", "/tmp", "tmpfs", _SAFE, f"mode=1777,size={TMP_BYTES}")  # noqa: S108
    for one in in_memory(plan):
        _make_point(one.target, is_folder=True)
        kernel.mount("tmpfs", one.target, "tmpfs", _SAFE | kernel.NO_EXECUTION, f"mode=1777,size={one.size_bytes}")
    _secrets(plan, place)
    caged.give(given)
    for bound in binds:
        _make_point(bound.target, is_folder=bound.is_folder)
        _put(bound)
    if masks:
        _mask()


def in_memory(plan: ContainerPlan) -> list[Temporary]:
    """RUN-11. The directories in memory, outer before inner."""
    return sorted(plan.temporary, key=lambda one: (one.target.count("/"), one.target))


def _devices(devices: list[_Bind], plan: ContainerPlan) -> None:
    """RUN-11. A /dev with six devices, terminals of its own and shared memory of its own."""
    kernel.mount("tmpfs", "/dev", "tmpfs", kernel.NO_SUID | kernel.NO_EXECUTION, f"mode=0755,size={caged.DEV_SIZE}")
    caged.random_files(plan)
    for device in devices:
        _make_point(device.target, is_folder=False)
        kernel.put_tree(device.tree, device.target)
    for name, leads_to in DEVICE_LINKS.items():
        Path("/dev", name).symlink_to(leads_to)
    Path("/dev/pts").mkdir(0o755)
    options = "newinstance,ptmxmode=0666,mode=0620"
    kernel.mount("devpts", "/dev/pts", "devpts", kernel.NO_SUID | kernel.NO_EXECUTION, options)
    Path("/dev/shm").mkdir(0o755)  # noqa: S108
    options = f"mode=1777,size={TMP_BYTES}"
    kernel.mount("tmpfs", "/dev/shm", "tmpfs", _SAFE | kernel.NO_EXECUTION, options)  # noqa: S108
    kernel.restrict_mount("/dev", kernel.READ_ONLY | kernel.NO_SUID | kernel.NO_EXECUTION, deep=False)


def _secrets(plan: ContainerPlan, place: Place) -> None:
    """RUN-4. A tmpfs a folder, filled and then read-only: the bytes are on no disk and end with the container."""
    for folder in sorted({secret.folder for secret in plan.secrets}):
        _make_point(folder, is_folder=True)  # one that lies in a directory in memory went with what was there before
        here = [secret for secret in plan.secrets if secret.folder == folder]
        room = sum(len(secret.data) + 8192 for secret in here) + 65_536
        kernel.mount("tmpfs", folder, "tmpfs", _SAFE | kernel.NO_EXECUTION, f"mode=0755,size={room}")
        for secret in here:
            write_secret(secret.target, secret.data, secret.mode, () if place.rootless else (plan.uid, plan.gid))
        kernel.restrict_mount(folder, _SAFE | kernel.READ_ONLY | kernel.NO_EXECUTION)


def write_secret(path: str, data: bytes, mode: int, owner: tuple[int, int] | tuple[()]) -> None:
    """One file, closed to others from its first moment."""
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        os.write(file, data)
        if owner:
            os.fchown(file, *owner)
        os.fchmod(file, mode)
    finally:
        os.close(file)


def _mask() -> None:
    """RUN-11. What of /proc shows or moves the machine."""
    for path in MASKED:
        if Path(path).is_dir():
            kernel.mount("tmpfs", path, "tmpfs", _SAFE | kernel.READ_ONLY | kernel.NO_EXECUTION, "size=0")
        elif Path(path).exists():
            kernel.mount("/dev/null", path, flags=kernel.BIND)
    for path in READ_ONLY:
        with suppress(FileNotFoundError):
            kernel.mount(path, path, flags=kernel.BIND | kernel.RECURSIVE)
            kernel.restrict_mount(path, _SAFE | kernel.READ_ONLY | kernel.NO_EXECUTION)
