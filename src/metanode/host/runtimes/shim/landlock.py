"""Landlock: a second lock on the file system, by path, that holds even if a mount were wrong. Left out where absent."""

import os
from contextlib import suppress
from pathlib import Path
from typing import Final

from metanode.host.runtimes.shim import kernel

_EXECUTE: Final = 1 << 0
_WRITE_FILE: Final = 1 << 1
_READ_FILE: Final = 1 << 2
_READ_DIR: Final = 1 << 3
_IOCTL_DEVICE: Final = 1 << 15
_FILE_RIGHTS: Final = _EXECUTE | _WRITE_FILE | _READ_FILE | 1 << 14 | _IOCTL_DEVICE
"""What may be allowed on a single file; the others are of folders."""
_LAST_RIGHT: Final = {1: 12, 2: 13, 3: 14, 4: 14}
"""The highest right of each version of Landlock; from version 5 on it is 15."""
_SCOPES_VERSION: Final = 6
_SCOPES: Final = 0b11
"""No abstract Unix socket and no signal of anybody outside."""


def handled(version: int) -> int:
    """Every right that a version knows."""
    return (1 << (_LAST_RIGHT.get(version, 15) + 1)) - 1


def restrict(writable: tuple[str, ...], version: int) -> None:
    """RUN-14. Read and execute everywhere, write in these places and where the kernel's own files decide."""
    rights = handled(version)
    ruleset = kernel.landlock_ruleset(rights, 0, _SCOPES if version >= _SCOPES_VERSION else 0)
    try:
        kernel.landlock_allow(ruleset, "/", _EXECUTE | _READ_FILE | _READ_DIR)
        for path in ("/proc", "/dev"):
            kernel.landlock_allow(ruleset, path, (_WRITE_FILE | _READ_FILE | _READ_DIR | _IOCTL_DEVICE) & rights)
        for path in writable:
            with suppress(FileNotFoundError):
                is_folder = Path(path).is_dir()
                kernel.landlock_allow(ruleset, path, rights if is_folder else rights & _FILE_RIGHTS)
        kernel.landlock_restrict(ruleset)
    finally:
        os.close(ruleset)
