"""What stays in a store although no image has it: specifications of workloads, for one."""

from pathlib import Path
from typing import Annotated, Final

import msgspec

from metanode.docklock.images import Digest, parse_digest
from metanode.host.blobs import BlobRefusal, BlobStore
from metanode.host.disk import read_file, write_durably
from metanode.host.fault import Fault, FaultReason
from metanode.primitives.refusal import Rejected

PINS_MAX: Final = 65_536
"""Most pins of a store: as many as it has blobs."""
REASON_MAX: Final = 128
"""Longest reason in characters."""
_BYTES_MAX: Final = 32 << 20

_Pins = dict[str, Annotated[str, msgspec.Meta(max_length=REASON_MAX)]]


class Pins:
    """IMG-17. The file `pins.json` of a store: digests and why they stay. Durable when a method returns."""

    def __init__(self, store: BlobStore) -> None:
        self._store = store
        self._path = store.folder / "pins.json"

    def all(self) -> dict[Digest, str]:
        """Every pin, with its reason. Raises `Fault` where the file is damaged."""
        return {parse_digest(text): reason for text, reason in self._read().items()}

    def add(self, digest: Digest, reason: str) -> None:
        """Keep content; pinned again, the new reason counts. Refused: what is not here, and too many."""
        with self._store.leases.alone():
            pins = self._read()
            if not self._store.has(digest):
                raise Rejected(BlobRefusal.MISSING, f"no {digest} to be pinned")
            if len(pins) >= PINS_MAX and str(digest) not in pins:
                raise Rejected(BlobRefusal.QUOTA, f"{len(pins)} pins, at most {PINS_MAX}")
            self._write(pins | {str(digest): reason[:REASON_MAX]})

    def remove(self, digest: Digest) -> None:
        """Keep it no longer; no harm where it was not pinned."""
        with self._store.leases.alone():
            pins = self._read()
            if pins.pop(str(digest), None) is not None:
                self._write(pins)

    def _read(self) -> _Pins:
        if not self._path.exists():
            return {}
        return decode_pins(read_file(self._path, _BYTES_MAX), self._path)

    def _write(self, pins: _Pins) -> None:
        write_durably(self._store.disk, self._path, msgspec.json.encode(pins))


def decode_pins(data: bytes, path: Path) -> _Pins:
    """The file's content. Raises `Fault` where it is damaged: to go on would take away what must stay."""
    try:
        found: _Pins = msgspec.json.decode(data, type=_Pins)
        for text in found:
            parse_digest(text)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, Rejected) as error:
        fix = f"rm {path}; then pin again what must stay, before anything is collected"
        raise Fault(FaultReason.BLOB_DAMAGED, f"{path}: {error}", fix) from None
    return found
