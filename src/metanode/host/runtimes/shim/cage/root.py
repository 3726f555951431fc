"""DET-4, DET-8. What of the file system of a caged job is made: chance, an empty /proc, the files it is given."""

import errno
import hashlib
import os
from pathlib import Path
from typing import Final

from metanode.host.runtimes.caging import FILE_BYTES_MAX, INPUT_FOLDER, Input
from metanode.host.runtimes.plan import ContainerPlan
from metanode.host.runtimes.shim import kernel
from metanode.host.runtimes.shim.cage.made import START_S, seeded

DEVICES: Final = ("null", "zero", "full")
"""Devices that give everybody the same."""
RANDOM_BYTES: Final = 1 << 20
"""Of /dev/random and /dev/urandom, which are the same file: so much, and the same at every opening."""
DEV_SIZE: Final = "2m"
_PIECE: Final = 1 << 20
_SAFE: Final = kernel.NO_SUID | kernel.NO_DEVICES | kernel.NO_EXECUTION


def open_inputs(plan: ContainerPlan) -> list[tuple[int, Input]]:
    """The files a job is given, opened while the host is in sight."""
    given = plan.cage.inputs if plan.cage is not None else ()
    return [(os.open(one.source, os.O_RDONLY | os.O_CLOEXEC), one) for one in given]


def random_files(plan: ContainerPlan) -> None:
    """DET-3. Chance as files, where programs read it."""
    if plan.cage is None:
        return
    Path("/dev/urandom").write_bytes(seeded(plan.cage.seed, b"device", 0, RANDOM_BYTES))
    Path("/dev/urandom").chmod(0o444)
    os.link("/dev/urandom", "/dev/random")


def same_times(folder: Path) -> None:
    """DET-4. Files that are made for the container and seen through a mount: none is younger than the other."""
    for path in folder.iterdir():
        os.utime(path, (START_S, START_S))


def empty_proc() -> None:
    """DET-4. Nothing of processes and of the machine is to be seen."""
    kernel.mount("tmpfs", "/proc", "tmpfs", _SAFE | kernel.READ_ONLY, "mode=0555,size=4k")


def give(inputs: list[tuple[int, Input]]) -> None:
    """DET-8. Copies in memory, read-only; what has not the digest that it was given by ends the start."""
    if not inputs:
        return
    kernel.mount("tmpfs", INPUT_FOLDER, "tmpfs", _SAFE, f"mode=0755,size={len(inputs) * (FILE_BYTES_MAX + 8192)}")
    for file, one in inputs:
        _copy(file, one)
        os.close(file)
    kernel.restrict_mount(INPUT_FOLDER, _SAFE | kernel.READ_ONLY)


def _copy(file: int, one: Input) -> None:
    seen, length = hashlib.sha256(), 0
    with Path(one.target).open("wb") as target:
        while piece := os.read(file, _PIECE):
            length += len(piece)
            seen.update(piece)
            if length > FILE_BYTES_MAX:
                raise OSError(errno.EFBIG, os.strerror(errno.EFBIG), f"input {one.target}")
            target.write(piece)
        os.fchmod(target.fileno(), 0o444)
    if seen.digest() != one.digest:
        raise OSError(errno.EBADMSG, "is not what its digest says", f"input {one.target}")
