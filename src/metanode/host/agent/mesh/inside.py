"""MESH-13. Sockets of another network namespace: a socket belongs, for life, to where it was made."""

import ctypes
import os
import threading
from collections.abc import Callable
from typing import Final, TypeVar

CLONE_NEWNET: Final = 0x4000_0000
"""setns(2): a network namespace."""
_LIBC: Final = ctypes.CDLL(None, use_errno=True)

Made = TypeVar("Made")


def _enter(namespace: int) -> None:
    if _LIBC.setns(namespace, CLONE_NEWNET):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), "setns")


def inside(namespace: int, make: Callable[[], Made]) -> Made:
    """What `make` makes in the network namespace of an open file, by a thread that enters it and ends. Raises
    `OSError`: EPERM where this process may not enter."""
    made: list[Made] = []
    failed: list[OSError] = []

    def enter() -> None:
        try:
            _enter(namespace)
            made.append(make())
        except OSError as error:
            failed.append(error)

    thread = threading.Thread(target=enter, name="enter-namespace")
    thread.start()
    thread.join()
    if failed:
        raise failed[0]
    return made[0]


def same_namespace(one: int, other: int) -> bool:
    """Whether two open files are the same namespace."""
    first, second = os.fstat(one), os.fstat(other)
    return (first.st_dev, first.st_ino) == (second.st_dev, second.st_ino)
