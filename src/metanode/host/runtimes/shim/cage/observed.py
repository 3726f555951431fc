"""DET-7. What a caged job was told, one observation after another, in a chain of digests: SHA-256(digest before ‖
observation)."""

import hashlib
import struct
from pathlib import Path
from typing import Final

OBSERVATION: Final = struct.Struct(">IqI")
"""Number of the call, its result, the length of the bytes it wrote, which follow."""
KEPT: Final = struct.Struct(">Iq8s")
"""What is kept of each, to find the first that differs: number, result, the first bytes of the chain behind it."""
KEPT_MAX: Final = 1 << 18
"""Observations kept one by one; the chain counts all."""
FIRST: Final = bytes(32)
"""The chain before its first observation."""
_BUFFER_BYTES: Final = 64 << 10


class Observed:
    """The chain, and the file in which single observations are kept."""

    def __init__(self, path: Path) -> None:
        self._file: Final = path.open("wb", buffering=_BUFFER_BYTES)
        self.chain = FIRST
        self.count = 0

    def note(self, number: int, result: int, data: bytes = b"") -> None:
        """One more."""
        self.chain = hashlib.sha256(self.chain + OBSERVATION.pack(number, result, len(data)) + data).digest()
        if self.count < KEPT_MAX:
            self._file.write(KEPT.pack(number, result, self.chain[:8]))
        self.count += 1

    def close(self) -> None:
        """All of it is in the file."""
        self._file.close()
