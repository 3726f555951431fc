"""The state as one block sees it while it is executed: reads remembered, writes undoable."""

from collections.abc import Callable, Mapping
from typing import Final, Protocol


class Readable(Protocol):
    """Anything keys can be read from: a view, or the tip of the ledger."""

    def get(self, key: bytes) -> bytes | None:
        """The value of a key, `None` when absent."""
        ...


class _Missing:
    """Marks what has not been looked up."""


_MISSING: Final = _Missing()


class View:
    """Writes go to memory only; whoever made the view decides what becomes of them.

    `lookup` answers what was not read before; `known` are values read in bulk beforehand.
    """

    __slots__ = ("_before", "_lookup", "_undo", "_values")

    def __init__(
        self, lookup: Callable[[bytes], bytes | None], known: Mapping[bytes, bytes | None] | None = None
    ) -> None:
        self._lookup = lookup
        self._values: dict[bytes, bytes | None] = dict(known or {})
        self._before: dict[bytes, bytes | None] = {}
        self._undo: list[tuple[bytes, bytes | None]] = []

    def get(self, key: bytes) -> bytes | None:
        """The value of a key, earlier writes included; `None` when absent."""
        value = self._values.get(key, _MISSING)
        if isinstance(value, _Missing):
            value = self._values[key] = self._lookup(key)
        return value

    def put(self, key: bytes, value: bytes | None) -> None:
        """Set a key, or delete it with `None`."""
        old = self.get(key)
        if key not in self._before:
            self._before[key] = old
        self._undo.append((key, old))
        self._values[key] = value

    def mark(self) -> int:
        """A point to return to."""
        return len(self._undo)

    def undo(self, mark: int) -> None:
        """Forget every write since `mark`."""
        while len(self._undo) > mark:
            key, value = self._undo.pop()
            self._values[key] = value

    def writes(self) -> dict[bytes, bytes | None]:
        """What is different from before, in the order of first writing."""
        values = self._values
        return {key: values[key] for key, old in self._before.items() if values[key] != old}

    def before(self, key: bytes) -> bytes | None:
        """What a written key held when the view was made."""
        return self._before[key]
