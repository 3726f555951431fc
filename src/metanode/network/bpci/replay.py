"""The replay window of one session and direction."""

from typing import Final

WINDOW: Final = 8192
"""Counters below the highest that may still arrive: what several carriers reorder, as in WireGuard."""
_WORD_BITS: Final = 64
_WORDS: Final = WINDOW // _WORD_BITS + 1


class ReplayWindow:
    """BPCI-R4. Each counter once, none more than `WINDOW` below the highest (RFC 6479: a ring of words, one spare).

    `fresh` before the record is opened, `accept` after: a forged record must not move the window.
    """

    __slots__ = ("_ring", "_top")

    def __init__(self) -> None:
        self._ring: list[int] = [0] * _WORDS
        self._top = -1

    def fresh(self, counter: int) -> bool:
        """Whether this counter may still be accepted."""
        if counter > self._top:
            return True
        if counter <= self._top - WINDOW:
            return False
        return not self._ring[(counter >> 6) % _WORDS] >> (counter & 63) & 1

    def accept(self, counter: int) -> None:
        """Mark a fresh counter as seen."""
        if counter > self._top:
            words = min((counter >> 6) - (self._top >> 6 if self._top >= 0 else -1), _WORDS)
            for step in range(words):
                self._ring[((counter >> 6) - step) % _WORDS] = 0
            self._top = counter
        self._ring[(counter >> 6) % _WORDS] |= 1 << (counter & 63)
