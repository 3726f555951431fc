"""Waiting for what becomes true by itself, so long and no longer."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Patience:
    """Asks again after a pause, until the limit."""

    limit_s: float
    pause_s: float

    def __call__(self, true: Callable[[], Any], what: str) -> Any:
        """The first answer that is true. What is not true after so long does not become so."""
        deadline = time.monotonic() + self.limit_s
        while not (found := true()):
            assert time.monotonic() < deadline, what
            time.sleep(self.pause_s)
        return found
