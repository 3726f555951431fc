"""What one container is to be: a value that any driver can carry out, checked when it is made."""

import re
import signal
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from metanode.host.runtimes.caging import Cage
from metanode.host.runtimes.refusals import RuntimeRefusal
from metanode.primitives.refusal import Rejected

HOST_USR: Final = "@host-usr"
"""Instead of a root directory: the host's read-only /usr in an otherwise empty root. Needs no image."""

SEARCH_PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
"""Where a command without a slash is looked for, where the environment has no PATH."""

ID_PATTERN: Final = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,138}[a-z0-9])?")
HOSTNAME_PATTERN: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
VARIABLE_PATTERN: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,255}")
IMAGE_PATTERN: Final = re.compile(r"[a-z0-9][A-Za-z0-9._:/-]{0,511}@sha256:[0-9a-f]{64}")
"""An image by its digest, as registries and engines write it."""
CONTROL_PATTERN: Final = re.compile(r"[\x00-\x1f\x7f]")

PATH_BYTES_MAX: Final = 4096
"""PATH_MAX of Linux."""
WORDS_MAX: Final = 1024
"""Words of a command and variables of an environment: far above real ones, far below the kernel's limit."""
COMMAND_BYTES_MAX: Final = 128 << 10
"""All words, or all variables, together; a frame to the shim holds both."""
IDENTITY_MAX: Final = 65_535
"""The largest user or group number: what every engine and every image can express."""
MEMORY_MIN_BYTES: Final = 4 << 20
"""Below this not even a shell starts."""
MEMORY_MAX_BYTES: Final = 1 << 46
"""64 TiB: a bound on the number, not on the machine."""
CPU_MIN_MILLICORES: Final = 10
"""The kernel's quota is at least 1 ms in a period of 100 ms."""
CPU_MAX_MILLICORES: Final = 1_024_000
"""1,024 cores."""
PIDS_MAX: Final = 32_768
"""Processes and threads of one container."""
NOFILE_MAX: Final = 1 << 20
"""Open files of one process."""
MOUNTS_MAX: Final = 64
"""Volumes of one container."""
TEMPORARY_MAX: Final = 64
"""Directories in memory of one container, beside those that it has in any case."""
TEMPORARY_MIN_BYTES: Final = 1 << 10
"""The kernel counts a file system in memory by pages; less than a kibibyte is a mistake."""
SECRETS_MAX: Final = 64
"""Secrets of one container."""
SECRET_BYTES_MAX: Final = 64 << 10
"""One secret. All of them fit a frame to the shim."""
SECRETS_BYTES_MAX: Final = 256 << 10
"""All secrets of a container."""
GRACE_MAX_MS: Final = 3_600_000
"""An hour to stop in."""
LOG_MIN_BYTES: Final = 4 << 10
"""A log file smaller than one chunk would rotate at each."""
LOG_MAX_BYTES: Final = 1 << 30
"""One log file."""
LOG_FILES_MAX: Final = 32
"""Log files kept of one container."""
SYSTEM_FOLDERS: Final = ("/proc", "/sys", "/dev")
"""What nothing may be mounted on or in: the driver fills these."""
SIGNALS: Final = frozenset({"TERM", "INT", "QUIT", "HUP", "USR1", "USR2", "WINCH", "KILL"})
"""Signals that may ask a container to stop."""


class Kept(StrEnum):
    """A capability a container may keep. Everything else is dropped by every driver."""

    NET_BIND_SERVICE = "NET_BIND_SERVICE"
    """Ports below 1,024, of its own network alone."""


def checked_path(path: str) -> str:
    """RUN-2. The path if it is absolute and normal."""
    parts = path.split("/")
    if not path.startswith("/") or CONTROL_PATTERN.search(path) or len(path.encode()) > PATH_BYTES_MAX:
        raise Rejected(
            RuntimeRefusal.BAD_PATH, f"{path[:80]!r} is not an absolute path of at most {PATH_BYTES_MAX} bytes"
        )
    if path != "/" and any(part in {"", ".", ".."} for part in parts[1:]):
        raise Rejected(RuntimeRefusal.BAD_PATH, f"{path[:80]!r} is not normal: no '.', '..', '//' or '/' at the end")
    return path


def within(path: str, folders: tuple[str, ...]) -> bool:
    """Whether a normal path is one of the folders or below one."""
    return any(path == folder or path.startswith(folder + "/") for folder in folders)


def checked_number(what: str, value: int, least: int, most: int) -> None:
    """A number in its range."""
    if not least <= value <= most:
        raise Rejected(RuntimeRefusal.BAD_NUMBER, f"{what} is {value!r}, not {least} to {most}")


def checked_words(words: tuple[str, ...]) -> None:
    """RUN-3. A command: something to execute, of bounded length."""
    if not words or not words[0] or len(words) > WORDS_MAX:
        raise Rejected(RuntimeRefusal.BAD_COMMAND, f"a command has 1 to {WORDS_MAX} words, the first not empty")
    if any("\0" in word for word in words) or sum(len(word.encode()) for word in words) > COMMAND_BYTES_MAX:
        raise Rejected(RuntimeRefusal.BAD_COMMAND, f"a command has no NUL and at most {COMMAND_BYTES_MAX} bytes")


def checked_variables(env: tuple[tuple[str, str], ...]) -> None:
    """RUN-3. An environment: names that are names, each once."""
    names = [name for name, _ in env]
    if len(names) > WORDS_MAX or len(set(names)) < len(names):
        raise Rejected(RuntimeRefusal.BAD_ENVIRONMENT, f"at most {WORDS_MAX} variables, each once")
    for name, value in env:
        if not VARIABLE_PATTERN.fullmatch(name) or "\0" in value:
            raise Rejected(RuntimeRefusal.BAD_ENVIRONMENT, f"{name[:80]!r} is no name, or its value has a NUL")
    if sum(len(name.encode()) + len(value.encode()) for name, value in env) > COMMAND_BYTES_MAX:
        raise Rejected(RuntimeRefusal.BAD_ENVIRONMENT, f"more than {COMMAND_BYTES_MAX} bytes in all")


def checked_id(name: str) -> str:
    """RUN-1. The id of a container, if it is one: no path, no option, no shell word can hide in it."""
    if not ID_PATTERN.fullmatch(name) or ".." in name:
        raise Rejected(RuntimeRefusal.BAD_ID, f"{name[:160]!r}")
    return name


@dataclass(frozen=True, slots=True)
class Mount:
    """A directory or file of the host that a container sees."""

    source: str
    target: str
    read_only: bool = False

    def __post_init__(self) -> None:
        """RUN-2. Both ends are normal paths; the target is not the root and not a folder of the system."""
        checked_path(self.source)
        checked_path(self.target)
        if self.target == "/" or within(self.target, SYSTEM_FOLDERS):
            raise Rejected(RuntimeRefusal.BAD_MOUNT, f"nothing may be mounted on {self.target}")


@dataclass(frozen=True, slots=True)
class Temporary:
    """A directory in memory: empty at first, of at most `size_bytes`, gone with the container. Anybody in it may write
    there; nothing in it is executed."""

    target: str
    size_bytes: int

    def __post_init__(self) -> None:
        """RUN-2, RUN-5. A place that is not the root and not one of the system's, and a bound."""
        checked_path(self.target)
        if self.target == "/" or within(self.target, SYSTEM_FOLDERS):
            raise Rejected(RuntimeRefusal.BAD_MOUNT, f"nothing may be mounted on {self.target}")
        checked_number("a temporary directory's bytes", self.size_bytes, TEMPORARY_MIN_BYTES, MEMORY_MAX_BYTES)


@dataclass(frozen=True, slots=True)
class Secret:
    """A file that exists only in the container's memory. Its bytes are in no log, no file of the disk and no `repr`."""

    target: str
    data: bytes = field(repr=False)
    mode: int = 0o400

    def __post_init__(self) -> None:
        """RUN-4. Small, closed to others, and in a folder that is not the system's."""
        checked_path(self.target)
        if len(self.data) > SECRET_BYTES_MAX:
            raise Rejected(RuntimeRefusal.BAD_SECRET, f"{self.target}: more than {SECRET_BYTES_MAX} bytes")
        if self.mode & ~0o550:
            raise Rejected(RuntimeRefusal.BAD_SECRET, f"{self.target}: mode {self.mode:o} is not within 550")
        if self.folder in {"/", "/usr", "/etc", "/bin", "/sbin", "/lib", "/lib64", "/tmp"} or within(  # noqa: S108
            self.folder, SYSTEM_FOLDERS
        ):
            raise Rejected(RuntimeRefusal.BAD_SECRET, f"{self.target}: give secrets a folder of their own")

    @property
    def folder(self) -> str:
        """The folder that becomes a tmpfs."""
        return self.target.rpartition("/")[0] or "/"


@dataclass(frozen=True, slots=True)
class LogBounds:
    """How much of a container's output is kept: the newest `files` files of `file_bytes` each."""

    file_bytes: int = 4 << 20
    files: int = 4

    def __post_init__(self) -> None:
        """RUN-5. The output of a container cannot fill the disk."""
        checked_number("a log file's bytes", self.file_bytes, LOG_MIN_BYTES, LOG_MAX_BYTES)
        checked_number("log files", self.files, 2, LOG_FILES_MAX)


@dataclass(frozen=True, slots=True)
class Limits:
    """What a container may use at most."""

    memory_bytes: int
    cpu_millicores: int
    pids: int = 256
    open_files: int = 1024

    def __post_init__(self) -> None:
        """RUN-5. Nothing is unlimited."""
        checked_number("memory_bytes", self.memory_bytes, MEMORY_MIN_BYTES, MEMORY_MAX_BYTES)
        checked_number("cpu_millicores", self.cpu_millicores, CPU_MIN_MILLICORES, CPU_MAX_MILLICORES)
        checked_number("pids", self.pids, 1, PIDS_MAX)
        checked_number("open_files", self.open_files, 16, NOFILE_MAX)


@dataclass(frozen=True, slots=True)
class ContainerPlan:
    """One attempt of one replica. `id`: `cluster.workload.index.attempt`; `root`: a directory or `HOST_USR`; `image`:
    its name and digest, for an engine that keeps images itself; empty where there is none."""

    id: str
    root: str
    command: tuple[str, ...]
    limits: Limits
    env: tuple[tuple[str, str], ...] = ()
    workdir: str = "/"
    uid: int = IDENTITY_MAX - 1
    gid: int = IDENTITY_MAX - 1
    hostname: str = "container"
    read_only_root: bool = True
    mounts: tuple[Mount, ...] = ()
    temporary: tuple[Temporary, ...] = ()
    secrets: tuple[Secret, ...] = ()
    kept: tuple[Kept, ...] = ()
    stop_signal: str = "TERM"
    stop_grace_ms: int = 10_000
    log: LogBounds = LogBounds()
    cage: Cage | None = None
    image: str = ""

    def __post_init__(self) -> None:
        """RUN-1 to RUN-5: a plan that exists is one that every driver understands in the same way."""
        checked_id(self.id)
        if self.root != HOST_USR:
            checked_path(self.root)
        if self.image and not IMAGE_PATTERN.fullmatch(self.image):
            raise Rejected(RuntimeRefusal.NO_IMAGE, f"{self.image[:160]!r} is no NAME@sha256:DIGEST")
        checked_words(self.command)
        checked_variables(self.env)
        checked_path(self.workdir)
        checked_number("uid", self.uid, 0, IDENTITY_MAX)
        checked_number("gid", self.gid, 0, IDENTITY_MAX)
        checked_number("stop_grace_ms", self.stop_grace_ms, 0, GRACE_MAX_MS)
        if not HOSTNAME_PATTERN.fullmatch(self.hostname):
            raise Rejected(RuntimeRefusal.BAD_HOSTNAME, f"{self.hostname[:80]!r}")
        if self.stop_signal not in SIGNALS:
            raise Rejected(RuntimeRefusal.BAD_SIGNAL, f"{self.stop_signal!r} is not one of {' '.join(sorted(SIGNALS))}")
        if any(not isinstance(kept, Kept) for kept in self.kept):
            raise Rejected(RuntimeRefusal.BAD_CAPABILITY, " ".join(map(str, self.kept))[:200])
        self._check_targets()

    def _check_targets(self) -> None:
        """RUN-2, RUN-4. No two things in one place, and none hides another."""
        targets = [mount.target for mount in self.mounts]
        in_memory = [one.target for one in self.temporary]
        folders = tuple(sorted({secret.folder for secret in self.secrets}))
        if len(targets) > MOUNTS_MAX or len(in_memory) > TEMPORARY_MAX:
            raise Rejected(RuntimeRefusal.BAD_MOUNT, f"at most {MOUNTS_MAX} mounts, {TEMPORARY_MAX} of them in memory")
        if len({*targets, *in_memory}) < len(targets) + len(in_memory):
            raise Rejected(RuntimeRefusal.BAD_MOUNT, "each mount on a target of its own")
        if any(within(one, (other,)) for one in in_memory for other in targets):
            raise Rejected(RuntimeRefusal.BAD_MOUNT, "a volume would hide a temporary directory")
        files = [secret.target for secret in self.secrets]
        if len(files) > SECRETS_MAX or sum(len(secret.data) for secret in self.secrets) > SECRETS_BYTES_MAX:
            raise Rejected(
                RuntimeRefusal.BAD_SECRET, f"at most {SECRETS_MAX} secrets of {SECRETS_BYTES_MAX} bytes in all"
            )
        hidden = any(within(one, (other,)) for n, one in enumerate(files) for m, other in enumerate(files) if n != m)
        if hidden:
            raise Rejected(RuntimeRefusal.BAD_SECRET, "two secrets share a path")
        for folder in folders:
            if within(folder, tuple(targets)) or any(within(target, (folder,)) for target in targets + in_memory):
                raise Rejected(RuntimeRefusal.BAD_SECRET, f"a volume and the secrets of {folder} would hide each other")

    @property
    def variables(self) -> dict[str, str]:
        """RUN-3. The environment of its program: what the plan says, and PATH and HOME in any case."""
        return {"PATH": SEARCH_PATH, "HOME": "/", **dict(self.env)}

    @property
    def stop_number(self) -> int:
        """The number of the stop signal on this machine."""
        return int(signal.Signals[f"SIG{self.stop_signal}"])
