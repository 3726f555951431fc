"""DET-9. What a job leaves: the files that its plan names, copied while it stands still at its end."""

import hashlib
import os
import stat
from contextlib import suppress
from pathlib import Path
from typing import Final

from metanode.host.runtimes.caging import FILE_BYTES_MAX
from metanode.host.runtimes.shim import kernel

_PIECE: Final = 1 << 20


def collect(pid: int, paths: tuple[str, ...], folder: Path) -> list[list[object]]:
    """[path, bytes, SHA-256 in hex] of each file, empty where there is none; copies are in `folder` by their place."""
    root = os.open(f"/proc/{pid}/root", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        return [_collected(root, path, folder / str(place)) for place, path in enumerate(paths)]
    finally:
        os.close(root)


def _collected(root: int, path: str, copy: Path) -> list[object]:
    with suppress(OSError):
        file = kernel.open_inside(root, path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_NOCTTY)
        try:
            if stat.S_ISREG(os.fstat(file).st_mode):
                return _copied(file, path, copy)
        finally:
            os.close(file)
    return [path, 0, ""]


def _copied(file: int, path: str, copy: Path) -> list[object]:
    seen, length = hashlib.sha256(), 0
    copy.parent.mkdir(0o700, exist_ok=True)
    with copy.open("wb") as target:
        while (piece := os.read(file, _PIECE)) and length <= FILE_BYTES_MAX:
            length += len(piece)
            seen.update(piece)
            target.write(piece)
    return [path, length, seen.hexdigest()]
