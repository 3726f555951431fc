"""Time: the wall clock, and a clock that never goes back."""

import time
from typing import Final


class Clock:
    """Unix time in milliseconds that never runs backwards in one process.

    Machines compare instants; a step back of the wall clock (NTP, a suspended laptop) is shown as time standing still
    until the wall clock has caught up. A step forward is taken at once: durations on the wire are header time anyway.
    """

    def __init__(self) -> None:
        self._last_ms = 0
        self.stood_still_ms = 0

    def now_ms(self) -> int:
        """Milliseconds since 1970, never less than what was said before. `stood_still_ms`: how far it is ahead."""
        wall_ms = time.time_ns() // NANOSECONDS_A_MS
        self.stood_still_ms = max(0, self._last_ms - wall_ms)
        self._last_ms = max(self._last_ms, wall_ms)
        return self._last_ms


NANOSECONDS_A_MS: Final = 1_000_000
"""A unit."""
