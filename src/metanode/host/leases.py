"""Who is using what of a folder, told by locks of the operating system: they end with their process, however it ends.

staging/<name>   a file or folder being made; its maker holds a lock on it, so what nobody holds is left over
leases/<name>    names of what somebody uses, one a line; locked likewise
lock             shared while a name is added, alone while what is unused is taken away
"""

import fcntl
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Lock
from typing import Final, Self

from metanode.host.disk import FOLDER_MODE, Disk
from metanode.host.fault import disk_fault

LEASE_BYTES_MAX: Final = 64 << 20
"""Longest lease: some 800,000 digests, more than a store has blobs."""


class Lease:
    """IMG-17. What its owner uses, while it is open: no collection takes it, in whatever process. A killed owner's
    lease is over when its process is. Close it, or use it in a `with`.
    """

    def __init__(self, leases: "Leases", path: Path, file: int) -> None:
        """Made by `Leases.lease`. Several threads may use one lease."""
        self._leases = leases
        self._path = path
        self._file = file
        self._names: dict[str, None] = {}
        self._end = 0
        self._mutex = Lock()

    def hold(self, *names: str) -> None:
        """IMG-17. Hold these (digests, or names of unpacked roots) as well. After it returns, ask whether they are
        there: a collection that had begun before may just have taken them.
        """
        with self._mutex:
            new = [name for name in dict.fromkeys(names) if name not in self._names]
            data = "".join(f"{name}\n" for name in new).encode()
            if data:
                with self._leases.shared():
                    self._leases.disk.write(self._file, self._end, data)
            self._end += len(data)
            self._names.update(dict.fromkeys(new))

    def release(self, *names: str) -> None:
        """IMG-17. Hold these no longer; no harm where they were not held."""
        with self._mutex:
            left = {name: None for name in self._names if name not in names}
            data = "".join(f"{name}\n" for name in left).encode()
            if len(data) < self._end:
                with self._leases.shared():
                    self._leases.disk.write(self._file, 0, data)
                    self._leases.disk.cut(self._file, len(data))
            self._names, self._end = left, len(data)

    def close(self) -> None:
        """Use nothing any more."""
        with suppress(FileNotFoundError):
            self._path.unlink()
        self._leases.disk.close(self._file)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Leases:
    """IMG-17. The locks of one folder. Opening it sweeps what a crash left over."""

    def __init__(self, folder: Path, disk: Disk, random: Callable[[int], bytes]) -> None:
        """`random`: names that no other process takes."""
        self.disk = disk
        self.staging = folder / "staging"
        self._folder = folder / "leases"
        self._lock = folder / "lock"
        self._random = random
        for one in (self.staging, self._folder):
            disk.make_folder(one)
        self.sweep()

    def lease(self, *names: str) -> Lease:
        """A new lease that holds these names."""
        lease = Lease(self, *self._locked(self._folder))
        lease.hold(*names)
        return lease

    def new_name(self) -> Path:
        """A name below `staging` that nobody has."""
        return self.staging / self._random(12).hex()

    def new_file(self) -> tuple[Path, int]:
        """An empty file below `staging`, open and locked; it is left over as soon as nobody has it open."""
        return self._locked(self.staging)

    def new_folder(self) -> tuple[Path, int]:
        """An empty folder below `staging`, likewise."""
        path = self.new_name()
        with self.shared():
            try:
                path.mkdir(FOLDER_MODE)
                folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
                fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                raise disk_fault(error, f"creating {path}") from error
        return path, folder

    def held(self) -> frozenset[str]:
        """IMG-17. What all leases of living processes hold. Ask while `alone`."""
        names: set[str] = set()
        for path in self._folder.iterdir():
            with _opened(path) as file:
                if file is not None and not _lock_if_free(file):
                    names.update(self.disk.read(file, 0, LEASE_BYTES_MAX).decode("ascii", "replace").splitlines())
        return frozenset(names)

    def sweep(self) -> int:
        """IMG-16. Remove what was being made, and what leases were left, by processes that are no more; how many."""
        swept = 0
        with self.alone():
            for path in (*self.staging.iterdir(), *self._folder.iterdir()):
                with _opened(path) as file:
                    if file is not None and _lock_if_free(file):
                        discard(path)
                        swept += 1
        return swept

    @contextmanager
    def shared(self) -> Iterator[None]:
        """While a name is added: many at once, but nobody `alone`."""
        with self._locking(fcntl.LOCK_SH):
            yield

    @contextmanager
    def alone(self) -> Iterator[None]:
        """While what is unused is looked for and taken away: nobody else adds a name. Waits for those who do."""
        with self._locking(fcntl.LOCK_EX):
            yield

    @contextmanager
    def _locking(self, kind: int) -> Iterator[None]:
        try:
            file = os.open(self._lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise disk_fault(error, f"opening {self._lock}") from error
        try:
            fcntl.flock(file, kind)
            yield
        finally:
            os.close(file)

    def _locked(self, folder: Path) -> tuple[Path, int]:
        path = folder / self._random(12).hex()
        with self.shared():
            file = self.disk.create(path)
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return path, file


def discard(path: Path) -> None:
    """Remove a file, or a folder and all that is in it; links in it are not followed (see `shutil.rmtree`)."""
    try:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    except OSError as error:
        raise disk_fault(error, f"removing {path}") from error


@contextmanager
def _opened(path: Path) -> Iterator[int | None]:
    """A file or folder for looking at its lock; None where it is gone by now."""
    try:
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        yield None
        return
    except OSError as error:
        raise disk_fault(error, f"opening {path}") from error
    try:
        yield file
    finally:
        os.close(file)


def _lock_if_free(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
