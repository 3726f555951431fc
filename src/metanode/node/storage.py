"""How the node reads what the host stores: rows, and final blocks."""

from collections.abc import Iterator, Sequence
from typing import Protocol

from metanode.node.rows import STATE


class Rows(Protocol):
    """The rows of the store, as of the last `WriteStore`: RocksDB in host, a dictionary in sim."""

    def get(self, key: bytes) -> bytes | None:
        """The value of a row, `None` where there is none."""
        ...

    def get_many(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """The values of many rows, in their order."""
        ...

    def scan(self, prefix: bytes, start: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        """Rows whose key begins with the prefix, ascending, from the whole key `start` on, as they are at this call,
        whatever is written while they are read."""
        ...


class Archive(Protocol):
    """The log of final blocks."""

    @property
    def first(self) -> int:
        """The lowest height kept, 0 where nothing is."""
        ...

    @property
    def last(self) -> int:
        """The highest height kept, 0 where nothing is."""
        ...

    def block(self, height: int) -> bytes | None:
        """The bytes of a `FinalBlock`, `None` where it is not kept."""
        ...


class StateRows:
    """The rows of the replicated state, as the ledger's `Reader`."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows

    def get(self, key: bytes) -> bytes | None:
        """The value of a key, `None` when absent."""
        return self._rows.get(STATE + key)

    def get_many(self, keys: Sequence[bytes]) -> Sequence[bytes | None]:
        """The values of many keys, in their order."""
        return self._rows.get_many([STATE + key for key in keys])

    def scan(self, prefix: bytes = b"", after: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        """Keys with `prefix`, greater than `after`, in ascending order, with their values."""
        start = STATE + after + b"\0" if after else b""
        for key, value in self._rows.scan(STATE + prefix, start):
            yield key[1:], value
