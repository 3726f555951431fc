"""How the agent sees the chain: which header it has proved last, since when nothing new comes, and why."""

import logging
from dataclasses import dataclass
from typing import Final

QUIET_PARTS: Final = 2
"""A part of the heartbeat timeout, half: no header for so long, and the agent says that the chain stands still."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What an operator is told. `light`: green, yellow (nothing new comes), red (for so long that the committee counts
    the node as lost). `height` 0: no header was proved yet. Times in milliseconds of Unix time."""

    light: str
    words: str
    height: int
    header_ms: int
    heard_ms: int


class Sight:
    """AGENT-20. Kept by whoever follows the chain; says each change once, in the log."""

    def __init__(self, now_ms: int) -> None:
        self._log: Final = logging.getLogger("metanode.agent")
        self._height = 0
        self._header_ms = 0
        self._heard_ms = now_ms
        self._timeout_ms = 0
        self._why = "no header was proved yet"
        self._told = True

    def proved(self, now_ms: int, height: int, header_ms: int, timeout_ms: int) -> None:
        """A header was proved. `timeout_ms`: how long the committee waits for a word of a node."""
        if self._why and self._height:
            self._log.info("the chain is back", extra={"height": height})
        self._height, self._header_ms, self._heard_ms, self._timeout_ms = height, header_ms, now_ms, timeout_ms
        self._why, self._told = "", False

    def away(self, why: str) -> None:
        """No chain node answers with what can be proved."""
        self._why = f"out of reach: {why}"
        self._tell()

    def quiet(self, now_ms: int) -> None:
        """A chain node answers, and has nothing new."""
        if self._height and now_ms - self._heard_ms >= self._timeout_ms // QUIET_PARTS:
            self._why = self._why or "a node answers, but no block comes"
            self._tell()

    def _tell(self) -> None:
        if not self._told:
            self._log.warning("no news of the chain: what runs goes on, nothing new begins", extra={"why": self._why})
        self._told = True

    def seen(self, now_ms: int) -> Seen:
        """What to tell an operator now."""
        age_ms = max(0, now_ms - self._heard_ms)
        if not self._why:
            light, words = "green", f"height {self._height}, {age_ms / 1_000:.1f} s ago"
        else:
            lost = self._height and age_ms > self._timeout_ms
            light = "red" if lost else "yellow"
            consequence = "the committee counts this node as lost" if lost else "what runs goes on, nothing new begins"
            words = f"{self._why}; nothing new for {age_ms / 1_000:.1f} s: {consequence}"
        return Seen(light, words, self._height, self._header_ms, self._heard_ms)
