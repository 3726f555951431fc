"""Content by its digest on the disk: images, specifications of workloads, whatever is too large for a chain.

    blobs/sha256/<hex>   content, whole and checked, never changed
    staging/<name>       what is being written; its owner holds a lock on it, so what nobody holds is left over
    leases/<name>        what somebody is using now; locked likewise
    lock                 shared while a name is added, alone while unused content is taken away

Several processes may use one store. Every method raises `Fault` where the disk fails.
"""

import os
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO, Final, Self

from metanode.docklock.images import Digest
from metanode.host.disk import Disk
from metanode.host.fault import Fault, FaultReason, disk_fault
from metanode.host.leases import Lease, Leases
from metanode.primitives.refusal import Refusal, Rejected

QUOTA_BYTES: Final = 64 << 30
"""What a store may hold where nobody says otherwise."""
BLOBS_MAX: Final = 65_536
"""Most blobs of a store: each has a file of its own, and usage is counted by looking at them."""
SMALL_BYTES_MAX: Final = 8 << 20
"""Largest blob that is read at once, and then checked again: documents, not layers."""
CHUNK_BYTES: Final = 1 << 20
"""What is read and written at once."""
_NAME: Final = re.compile(r"[0-9a-f]{64}")


class BlobRefusal(Refusal):
    """Why content is not stored, or not given."""

    WRONG_DIGEST = "blob.wrong-digest"
    """The bytes have another digest than they were said to have."""
    TOO_LARGE = "blob.too-large"
    """More bytes than this kind of content may have, or than it was said to have."""
    QUOTA = "blob.quota"
    """The store would hold more than its quota, or more blobs than it can keep apart."""
    MISSING = "blob.missing"
    """No content of this digest is here."""


@dataclass(frozen=True, slots=True)
class Stored:
    """Content that is in the store: its digest, and its length in bytes."""

    digest: Digest
    size: int


@dataclass(frozen=True, slots=True)
class Collected:
    """What a collection took away: how many blobs, and their bytes together."""

    blobs: int
    bytes: int


class Writing:
    """One blob being written: `write` its bytes in order, then `commit`. Left without that, nothing is stored."""

    def __init__(self, store: "BlobStore", path: Path, file: int, bytes_max: int) -> None:
        """Made by `BlobStore.begin`."""
        self._store = store
        self._path = path
        self._file = file
        self._hasher = sha256()
        self._bytes_max = bytes_max
        self.size = 0

    def write(self, data: bytes) -> None:
        """The next bytes. Refused: more than may come."""
        if self.size + len(data) > self._bytes_max:
            raise Rejected(BlobRefusal.TOO_LARGE, f"more than {self._bytes_max} bytes")
        self._hasher.update(data)
        self._store.disk.write(self._file, self.size, data)
        self.size += len(data)

    def commit(self, expected: Digest | None = None, lease: Lease | None = None) -> Stored:
        """IMG-15. Store what was written, durably, under its digest; refused where another one is expected. With a
        lease, it holds the content from the first moment on.
        """
        stored = Stored(Digest(self._hasher.hexdigest()), self.size)
        if expected not in (None, stored.digest):
            raise Rejected(BlobRefusal.WRONG_DIGEST, f"{self.size} bytes are {stored.digest}, not {expected}")
        if lease is not None:
            lease.hold(str(stored.digest))
        self._store.publish(self._path, self._file, stored)
        return stored

    def close(self) -> None:
        """Forget what was not committed."""
        with suppress(FileNotFoundError):
            self._path.unlink()
        self._store.disk.close(self._file)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class BlobStore:
    """IMG-15. A folder of content by digest. `quota`: most bytes that its blobs may have together."""

    def __init__(self, folder: Path, disk: Disk, random: Callable[[int], bytes], quota: int = QUOTA_BYTES) -> None:
        """Open, or make where there is none; what a crash left half written is swept."""
        self.folder = folder
        self.disk = disk
        self.quota = quota
        self._blobs = folder / "blobs" / "sha256"
        for one in (folder, self._blobs.parent, self._blobs):
            disk.make_folder(one)
        self.leases = Leases(folder, disk, random)

    def has(self, digest: Digest) -> bool:
        """Whether content of this digest is here."""
        return self._path(digest).exists()

    def size(self, digest: Digest) -> int:
        """How long the content is, in bytes; refused where there is none."""
        try:
            return self._path(digest).stat().st_size
        except OSError as error:
            raise self._absent(digest, error) from error

    def begin(self, bytes_max: int) -> Writing:
        """IMG-15. A new blob of at most so many bytes. Refused where the quota has no room for a single one more."""
        if (used := self.used()) >= self.quota:
            raise Rejected(BlobRefusal.QUOTA, f"{used} bytes are stored, at most {self.quota}")
        path, file = self.leases.new_file()
        return Writing(self, path, file, bytes_max)

    def put(
        self, chunks: Iterable[bytes], bytes_max: int, expected: Digest | None = None, lease: Lease | None = None
    ) -> Stored:
        """IMG-15. Store content that comes in pieces: at most so many bytes, and of this digest where one is given."""
        with self.begin(bytes_max) as writing:
            for chunk in chunks:
                writing.write(chunk)
            return writing.commit(expected, lease)

    def publish(self, path: Path, file: int, stored: Stored) -> None:
        """IMG-15. Give a written file its name for ever: synced before it is renamed, the name synced after. Refused
        where the quota would be passed; counted alone, so that two writers cannot both have the last place.
        """
        self.disk.sync(file)
        with self.leases.alone():
            others = [one for one in self.list() if one.digest != stored.digest]
            total = stored.size + sum(one.size for one in others)
            if total > self.quota or len(others) >= BLOBS_MAX:
                detail = f"{total} bytes in {len(others) + 1} blobs, at most {self.quota} in {BLOBS_MAX}"
                raise Rejected(BlobRefusal.QUOTA, detail)
            self.disk.rename(path, self._path(stored.digest))
        self.disk.sync_folder(self._blobs)

    def open(self, digest: Digest) -> BinaryIO:
        """The content, to be read in pieces. It stays readable until it is closed, whatever a collection takes."""
        try:
            return self._path(digest).open("rb", buffering=0)
        except OSError as error:
            raise self._absent(digest, error) from error

    def read(self, digest: Digest, bytes_max: int = SMALL_BYTES_MAX) -> bytes:
        """IMG-15. Small content at once, checked again: a fault where the disk gives other bytes than it was given."""
        with self.open(digest) as file:
            data = b"".join(_chunks(file, bytes_max + 1))
        if len(data) > bytes_max:
            raise Rejected(BlobRefusal.TOO_LARGE, f"{digest} has more than {bytes_max} bytes")
        if sha256(data).hexdigest() != digest.hex:
            raise self._damaged(digest)
        return data

    def check(self, digest: Digest) -> None:
        """IMG-15. Read content of any length and compare its digest. Raises `Fault` where the disk changed it."""
        hasher = sha256()
        with self.open(digest) as file:
            for chunk in _chunks(file, 1 << 62):
                hasher.update(chunk)
        if hasher.hexdigest() != digest.hex:
            raise self._damaged(digest)

    def list(self) -> Iterator[Stored]:
        """Every blob, in no order."""
        try:
            with os.scandir(self._blobs) as found:
                for one in found:
                    if _NAME.fullmatch(one.name):
                        with suppress(FileNotFoundError):
                            yield Stored(Digest(one.name), one.stat().st_size)
        except OSError as error:
            raise disk_fault(error, f"reading {self._blobs}") from error

    def used(self) -> int:
        """Bytes of all blobs together."""
        return sum(stored.size for stored in self.list())

    def collect(self, kept: Callable[[frozenset[str]], frozenset[Digest]]) -> Collected:
        """IMG-17. Take away every blob that nobody holds and `kept` does not name. `kept` is told what is held, and is
        asked while nobody can begin to hold anything: what somebody gives up, he has named for `kept` before.
        """
        blobs = size = 0
        with self.leases.alone():
            held = self.leases.held()
            keep = {str(one) for one in kept(held)} | held
            for stored in list(self.list()):
                if str(stored.digest) not in keep:
                    self.disk.remove(self._path(stored.digest))
                    blobs, size = blobs + 1, size + stored.size
        self.disk.sync_folder(self._blobs)
        return Collected(blobs, size)

    def path(self, digest: Digest) -> Path:
        """Where the content is, for whoever opens it by name and looks at it again."""
        return self._path(digest)

    def _path(self, digest: Digest) -> Path:
        return self._blobs / digest.hex

    def _absent(self, digest: Digest, error: OSError) -> Exception:
        if isinstance(error, FileNotFoundError):
            return Rejected(BlobRefusal.MISSING, f"no {digest} in {self.folder}")
        return disk_fault(error, f"reading {self._path(digest)}")

    def _damaged(self, digest: Digest) -> Fault:
        path = self._path(digest)
        fix = f"rm {path}; then import or pull it again"
        return Fault(FaultReason.BLOB_DAMAGED, f"{path} has other bytes than its name says", fix)


def _chunks(file: BinaryIO, bytes_max: int) -> Iterator[bytes]:
    """What a file still has, at most so many bytes, in pieces."""
    try:
        while bytes_max and (chunk := file.read(min(CHUNK_BYTES, bytes_max))):
            bytes_max -= len(chunk)
            yield chunk
    except OSError as error:
        raise disk_fault(error, "reading a blob") from error
