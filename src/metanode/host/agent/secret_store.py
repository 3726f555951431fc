"""The secrets that one node keeps: sealed to it, a file each, found by name, version and commitment."""

import re
import threading
from pathlib import Path
from typing import Final

from metanode.host.disk import Disk, read_file, write_durably
from metanode.primitives.codec import encode
from metanode.primitives.refusal import Rejected
from metanode.records.secret import SEALED_BYTES_MAX, SEALED_SECRETS, SealedSecret, SecretLabel, SecretRefusal

KEPT_MAX: Final = 1_024
"""Most envelopes of a node: at most 75 MB, and far more than 256 replicas use."""
_NAME: Final = re.compile(r"[a-z][a-z0-9-]{0,31}\.[1-9][0-9]{0,9}\.[0-9a-f]{64}", re.ASCII)


def _file_name(secret: str, version: int, commitment: bytes) -> str:
    return f"{secret}.{version}.{commitment.hex()}"


class SecretStore:
    """SECRET-4. Only envelopes are ever written here: who has the disk and not the node's key has nothing. Every
    method raises `Fault` where the disk fails."""

    def __init__(self, folder: Path, disk: Disk) -> None:
        disk.make_folder(folder)
        self._folder: Final = folder
        self._disk: Final = disk
        self._lock: Final = threading.Lock()

    def put(self, sealed: SealedSecret) -> None:
        """Keep an envelope; another of the same meaning is replaced. Raises `Rejected` where there is no room."""
        label = sealed.label
        name = _file_name(label.secret, label.version, label.commitment)
        with self._lock:
            names = self._names()
            if name not in names and len(names) >= KEPT_MAX:
                raise Rejected(SecretRefusal.FULL, f"{KEPT_MAX} secrets are kept here: bpi secret rm makes room")
            write_durably(self._disk, self._folder / name, encode(sealed))

    def find(self, secret: str, version: int, commitment: bytes) -> SealedSecret | None:
        """The envelope of this meaning. Raises `Rejected` where the file holds none: it was damaged."""
        path = self._folder / _file_name(secret, version, commitment)
        return SEALED_SECRETS.decode(read_file(path, SEALED_BYTES_MAX)) if path.is_file() else None

    def labels(self) -> tuple[SecretLabel, ...]:
        """What every envelope here is about, by name and version; a damaged file is left out."""
        found = []
        for name in self._names():
            try:
                found.append(SEALED_SECRETS.decode(read_file(self._folder / name, SEALED_BYTES_MAX)).label)
            except Rejected:
                continue
        return tuple(sorted(found, key=lambda one: (one.secret, one.version, one.commitment)))

    def remove(self, secret: str, below: int = 0) -> int:
        """Forget every envelope of a secret, or only those of versions below one; how many there were."""
        with self._lock:
            gone = [
                name
                for name in self._names()
                if name.partition(".")[0] == secret and (not below or int(name.split(".")[1]) < below)
            ]
            for name in gone:
                self._disk.remove(self._folder / name)
            self._disk.sync_folder(self._folder)
        return len(gone)

    def discard(self, secret: str, version: int, commitment: bytes) -> None:
        """Forget one envelope, which did not open."""
        with self._lock:
            self._disk.remove(self._folder / _file_name(secret, version, commitment))
            self._disk.sync_folder(self._folder)

    def _names(self) -> tuple[str, ...]:
        return tuple(sorted(path.name for path in self._folder.iterdir() if _NAME.fullmatch(path.name)))
