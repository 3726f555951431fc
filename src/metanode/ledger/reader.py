"""What the ledger asks of whoever keeps the committed state: RocksDB in host, a dictionary in sim."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol


class Reader(Protocol):
    """LEDGER-S1. The committed keys and values, read synchronously. Raw keys begin with two letters: module and kind.

    | key | value | module |
    |---|---|---|
    | `aa` ‖ address(20) | `Account`: nonces of its lanes, keys, threshold | accounts |
    | `ar` ‖ address(20) ‖ role | one byte 1 | accounts |
    | `ac` ‖ role | number of holders, 8 bytes big-endian | accounts |
    | `cb` ‖ address(20) ‖ coin | balance, 16 bytes big-endian, absent for zero | coin |
    | `cd` ‖ coin | `CoinDefinition` | coin |
    | `cs` ‖ coin | supply, 16 bytes big-endian, absent for zero | coin |
    | `gp` | `Parameters` | governance |
    | `gr` | `RulesSchedule` | governance |
    | `gv` | `ValidatorList` that signs the next height | governance |
    | `gd` | `Docket`: numbers and queues | governance |
    | `go` ‖ number(8) | `Proposal` that is open or waits to be applied | governance |
    | `gj` ‖ vote key(32) | `Conviction` | governance |
    | `gx` | `PastSets`: hashes of replaced sets, oldest first | governance |
    | `gh` ‖ validators hash(32) | `ValidatorList` replaced within the evidence period | governance |
    """

    def get(self, key: bytes) -> bytes | None:
        """The value of a key, `None` when absent."""
        ...

    def get_many(self, keys: Sequence[bytes]) -> Sequence[bytes | None]:
        """The values of many keys, in their order: one bulk call."""
        ...

    def scan(self, prefix: bytes = b"", after: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        """Keys with `prefix`, greater than `after`, in ascending order, with their values."""
        ...


class MemoryReader:
    """A `Reader` over a dictionary: the store of the pretend world and of tests."""

    def __init__(self, values: Mapping[bytes, bytes] | None = None) -> None:
        self.values = dict(values or {})

    def apply(self, writes: Mapping[bytes, bytes | None]) -> None:
        """What a store does when a block is final: put values, delete where `None`."""
        for key, value in writes.items():
            if value is None:
                self.values.pop(key, None)
            else:
                self.values[key] = value

    def get(self, key: bytes) -> bytes | None:
        """The value of a key, `None` when absent."""
        return self.values.get(key)

    def get_many(self, keys: Sequence[bytes]) -> Sequence[bytes | None]:
        """The values of many keys, in their order."""
        return [self.values.get(key) for key in keys]

    def scan(self, prefix: bytes = b"", after: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        """Keys with `prefix`, greater than `after`, in ascending order, with their values."""
        for key in sorted(key for key in self.values if key.startswith(prefix) and key > after):
            yield key, self.values[key]
