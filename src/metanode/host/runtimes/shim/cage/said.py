"""What the shim itself knows of a caged job: its two streams, and at its end what its supervisor wrote down."""

import hashlib
import json
from pathlib import Path
from typing import Any, Final

REPORT: Final = "witness.json"
"""In the container's folder, once its job has ended by itself: what the supervisor saw."""
OBSERVATIONS: Final = "observations"
"""Single observations, in the same folder."""
LEFT: Final = "left"
"""The files that the job left, by their place in the plan."""


class Said:
    """DET-7. Digests of standard output and standard error, each whole, whatever the log keeps of them."""

    def __init__(self, folder: Path) -> None:
        self._folder: Final = folder
        self._streams: Final = {1: hashlib.sha256(), 2: hashlib.sha256()}
        self._bytes: Final = {1: 0, 2: 0}

    def hear(self, stream: int, data: bytes) -> None:
        """The job has said something."""
        self._streams[stream].update(data)
        self._bytes[stream] += len(data)

    def message(self) -> dict[str, Any] | None:
        """All of it, for the agent; nothing where the job was ended from outside."""
        try:
            report: dict[str, Any] = json.loads((self._folder / REPORT).read_bytes())
        except (OSError, ValueError):
            return None
        streams = [[self._bytes[number], self._streams[number].hexdigest()] for number in (1, 2)]
        return {**report, "streams": streams, "folder": str(self._folder)}
