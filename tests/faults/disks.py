"""A small file system for each data directory, which can be filled to the last byte and emptied again."""

import os
import shutil
import subprocess
from pathlib import Path
from typing import Final

SIZE: Final = 96 << 20
"""A node of a short run needs some megabytes."""
FREE_BYTES_MIN: Final = 0
"""For `storage.free_bytes_min`: nodes here are to meet the full disk itself, not to stop before."""
BALLAST: Final = "ballast"
_CHUNK: Final = bytes(1 << 20)


def why_no_disks(folder: Path) -> str:
    """Why no small file system can be mounted here; empty where it can."""
    if os.geteuid() != 0:
        return "mounting a small file system needs root"
    if shutil.which("mount") is None:
        return "no `mount` command"
    probe = folder / "probe"
    why = mount(probe)
    if not why:
        unmount(probe)
    return why


def mount(folder: Path) -> str:
    """A small file system at this folder, which is made; why not, if it cannot be."""
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stderr.strip() if done.returncode else ""


def unmount(folder: Path) -> None:
    """Take it away, with all that is in it."""
    subprocess.run(["umount", "--lazy", str(folder)], capture_output=True, check=False)


def fill(folder: Path) -> None:
    """Not one byte is free from now on."""
    with (folder / BALLAST).open("wb", buffering=0) as file:
        try:
            while True:
                file.write(_CHUNK)
        except OSError:
            pass


def empty(folder: Path) -> None:
    """There is room again."""
    (folder / BALLAST).unlink(missing_ok=True)
