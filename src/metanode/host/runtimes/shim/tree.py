"""Folders of containers, taken away whole."""

import os
import stat
from contextlib import suppress
from pathlib import Path

from metanode.host.runtimes.shim import kernel


def unmount_below(folder: Path) -> None:
    """Every mount of this namespace at or below a folder, inner before outer."""
    points = []
    for line in Path("/proc/self/mounts").read_text().splitlines():
        point = line.split()[1].encode().decode("unicode_escape").encode("latin-1").decode(errors="replace")
        if point.startswith(f"{folder}/"):
            points.append(point)
    for point in sorted(points, key=len, reverse=True):
        with suppress(OSError):
            kernel.unmount(point)


def remove_tree(folder: Path) -> None:
    """RUN-19. A folder and what is in it, never across a mount and never through a link."""
    with suppress(OSError):
        _remove(folder, folder.lstat().st_dev)


def _remove(path: Path, device: int) -> None:
    found = path.lstat()
    if not stat.S_ISDIR(found.st_mode):
        path.unlink()
        return
    if found.st_dev != device:
        return
    if found.st_mode & 0o700 != 0o700:  # the kernel's own folder of an overlay has no rights at all
        path.chmod(0o700)
    for entry in os.scandir(path):
        with suppress(OSError):
            _remove(Path(entry.path), device)
    path.rmdir()
