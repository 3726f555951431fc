"""What a container is given of an unpacked root, which it shares with others and must not change: the root itself to be
bound read-only, an overlay over it, or a copy.
"""

import errno
import fcntl
import os
import shutil
import stat
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from metanode.host.fault import disk_fault
from metanode.host.images.roots import Root

_FICLONE: Final = 0x40049409
"""Share the blocks of another file until one of both is written to (ioctl_ficlone(2))."""
_PROBE_SECONDS: Final = 20
_READ: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC
_NEW: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_COPY_BYTES: Final = 1 << 30
"""Most that one call copies."""
_PROBE: Final = """
import ctypes, os, sys
folder, uid, gid = sys.argv[1], os.getuid(), os.getgid()
libc = ctypes.CDLL(None, use_errno=True)
def ask(name, *arguments):
    if getattr(libc, name)(*arguments):
        sys.exit(name + ": " + os.strerror(ctypes.get_errno()))
ask("unshare", 0x00020000 | (0x10000000 if uid else 0))  # CLONE_NEWNS, CLONE_NEWUSER
if uid:
    open("/proc/self/setgroups", "w").write("deny")
    open("/proc/self/uid_map", "w").write(f"0 {uid} 1")
    open("/proc/self/gid_map", "w").write(f"0 {gid} 1")
ask("mount", None, b"/", None, 0x44000, None)  # MS_REC | MS_PRIVATE
for name in ("lower", "upper", "kept", "merged"):
    os.mkdir(f"{folder}/{name}")
open(f"{folder}/lower/file", "w").write("lower")
options = f"lowerdir={folder}/lower,upperdir={folder}/upper,workdir={folder}/kept"
ask("mount", b"overlay", f"{folder}/merged".encode(), b"overlay", 0, options.encode())
open(f"{folder}/merged/file", "w").write("upper")
sys.exit(0 if open(f"{folder}/lower/file").read() == "lower" else "an overlay writes through")
"""
"""Mounts an overlay in a namespace of its own and writes to it; ends with a sentence where that fails."""


@dataclass(frozen=True, slots=True)
class Overlay:
    """IMG-26. Folders of a container's own layer over a shared root. `options`: for mount(2) with type `overlay`; who
    mounts it does so in the container's own mount namespace, at `merged`.
    """

    lower: Path
    upper: Path
    work: Path
    merged: Path

    @property
    def options(self) -> str:
        """`lowerdir=…,upperdir=…,workdir=…`, with what would end a path escaped."""
        parts = (("lowerdir", self.lower), ("upperdir", self.upper), ("workdir", self.work))
        return ",".join(f"{name}={_escaped(str(path))}" for name, path in parts)


@dataclass(slots=True)
class Copied:
    """IMG-26. A container's own copy: how many files, their `size` in bytes, and of how many the blocks are shared as
    long as nobody writes (reflinks). `first`: where a file with several names was put first.
    """

    files: int = 0
    size: int = 0
    shared: int = 0
    first: dict[tuple[int, int], bytes] = field(default_factory=dict, repr=False)


def prepare_overlay(root: Root, folder: Path) -> Overlay:
    """IMG-26. Make the folders of an overlay; the upper one has mode and owner of the root, for they are what the
    container sees as those of `/`.
    """
    overlay = Overlay(root.files, folder / "upper", folder / "work", folder / "merged")
    try:
        for path in (folder, overlay.upper, overlay.work, overlay.merged):
            path.mkdir(0o700, exist_ok=True)
        about = root.files.stat()
        if os.geteuid() == 0:
            os.chown(overlay.upper, about.st_uid, about.st_gid)
        overlay.upper.chmod(stat.S_IMODE(about.st_mode))
    except OSError as error:
        raise disk_fault(error, f"preparing {folder}") from error
    return overlay


def why_no_overlay(folder: Path) -> str:
    """IMG-26. Why no overlay can be mounted over this folder (which is empty, and left as it is), or an empty text
    where one can: it is tried, in a process and namespaces of its own.
    """
    place = folder / f"probe-{os.getpid()}"
    try:
        place.mkdir(0o700)
        command = [sys.executable, "-I", "-S", "-c", _PROBE, str(place)]
        tried = subprocess.run(command, capture_output=True, timeout=_PROBE_SECONDS, check=False)  # noqa: S603 - ours
    except subprocess.TimeoutExpired:
        return f"nothing for {_PROBE_SECONDS} seconds"
    except OSError as error:
        raise disk_fault(error, f"trying an overlay in {folder}") from error
    finally:
        shutil.rmtree(place, ignore_errors=True)
    said = tried.stderr.decode("utf-8", "replace").strip().splitlines()
    return "" if tried.returncode == 0 else (said[-1] if said else f"status {tried.returncode}")[:200]


def copy_root(root: Root, target: Path) -> Copied:
    """IMG-26. A copy of a root at a path that is not there yet: modes, owners (as root), times, symbolic and hard links
    as they are; blocks are shared where the file system can, else every byte is copied.
    """
    copied = Copied()
    try:
        target.mkdir(0o700)
        source, made = os.open(root.files, _READ | os.O_DIRECTORY), os.open(target, _READ | os.O_DIRECTORY)
        try:
            _copy_folder(source, made, made, b"", copied)
        finally:
            os.close(source)
            os.close(made)
    except OSError as error:
        raise disk_fault(error, f"copying {root.files} to {target}") from error
    return copied


def _copy_folder(source: int, made: int, top: int, above: bytes, copied: Copied) -> None:
    with os.scandir(source) as found:
        names = sorted(os.fsencode(one.name) for one in found)
    for name in names:
        about = os.stat(name, dir_fd=source, follow_symlinks=False)
        where = above + b"/" + name if above else name
        if stat.S_ISDIR(about.st_mode):
            os.mkdir(name, 0o700, dir_fd=made)
            below, into = (os.open(name, _READ | os.O_DIRECTORY, dir_fd=one) for one in (source, made))
            try:
                _copy_folder(below, into, top, where, copied)
            finally:
                os.close(below)
                os.close(into)
        elif (known := copied.first.get((about.st_dev, about.st_ino))) is not None:
            os.link(known, name, src_dir_fd=top, dst_dir_fd=made, follow_symlinks=False)
        else:
            if about.st_nlink > 1:
                copied.first[about.st_dev, about.st_ino] = where
            if stat.S_ISLNK(about.st_mode):
                os.symlink(os.readlink(name, dir_fd=source), name, dir_fd=made)
                if os.geteuid() == 0:
                    os.chown(name, about.st_uid, about.st_gid, dir_fd=made, follow_symlinks=False)
                os.utime(name, ns=(about.st_mtime_ns,) * 2, dir_fd=made, follow_symlinks=False)
            else:
                _copy_file(name, source, made, about, copied)
    _set(made, os.fstat(source))


def _copy_file(name: bytes, source: int, made: int, about: os.stat_result, copied: Copied) -> None:
    old = os.open(name, _READ, dir_fd=source)
    try:
        new = os.open(name, _NEW, 0o600, dir_fd=made)
        try:
            copied.shared += _share_or_copy(old, new)
            _set(new, about)
        finally:
            os.close(new)
    finally:
        os.close(old)
    copied.files += 1
    copied.size += about.st_size


def _share_or_copy(old: int, new: int) -> bool:
    """Fill a new file; true where it shares the blocks of the old one."""
    try:
        fcntl.ioctl(new, _FICLONE, old)
    except OSError as error:
        if error.errno not in (errno.EOPNOTSUPP, errno.ENOTTY, errno.EXDEV, errno.EINVAL, errno.ENOSYS):
            raise
    else:
        return True
    while os.sendfile(new, old, None, _COPY_BYTES):
        pass
    return False


def _set(file: int, about: os.stat_result) -> None:
    if os.geteuid() == 0:
        os.fchown(file, about.st_uid, about.st_gid)
    os.fchmod(file, stat.S_IMODE(about.st_mode))
    os.utime(file, ns=(about.st_mtime_ns, about.st_mtime_ns))


def _escaped(path: str) -> str:
    return path.replace("\\", "\\\\").replace(",", "\\,").replace(":", "\\:")
