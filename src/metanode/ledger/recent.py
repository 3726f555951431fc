"""Values at the tip that were read or written lately: the pool reads an account, its block does, the next one does."""

from collections.abc import Mapping
from typing import Final

GENERATION_MAX: Final = 32_768
"""Values of one of the two generations kept; both together take some 15 MB."""

REMEMBERED_BYTES_MAX: Final = 64
"""Longer keys are not remembered when they are only read: a stranger's call may name any coin and any address."""


class Absent:
    """What `Recent` answers for a key it does not remember."""


ABSENT: Final = Absent()


class Recent:
    """A bounded memory in two generations: when the young one is full the old one goes, and it becomes the old one.

    Whoever owns it tells it every write to the tip, so that what it remembers is true.
    """

    __slots__ = ("_old", "_young")

    def __init__(self) -> None:
        self._young: dict[bytes, bytes | None] = {}
        self._old: dict[bytes, bytes | None] = {}

    def get(self, key: bytes) -> bytes | Absent | None:
        """The value at the tip (`None`: the key is absent there), or `ABSENT`."""
        value = self._young.get(key, ABSENT)
        return self._old.get(key, ABSENT) if value is ABSENT else value

    def note(self, values: Mapping[bytes, bytes | None]) -> None:
        """Remember values as they are at the tip now."""
        self._young.update(values)
        if len(self._young) > GENERATION_MAX:
            self._old, self._young = self._young, {}

    def __len__(self) -> int:
        return len(self._young) + len(self._old)
