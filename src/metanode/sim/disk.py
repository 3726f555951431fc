"""The disk of a pretend computer: what survives a killed process, and what survives a power cut."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Final

import msgspec

from metanode.chain.guard import NOTHING_SIGNED, encode_record
from metanode.node.boot import first_rows
from metanode.records.genesis import Genesis
from metanode.records.vote import ROUND_MAX

LAST_STEP: Final = 4
"""Of a round, as the guard counts them: a floor is above every word of its height."""


class SimRows:
    """The store: a dictionary, sorted when scanned. `unsynced` undoes the batches since the last checkpoint."""

    def __init__(self) -> None:
        self.values: dict[bytes, bytes] = {}
        self.unsynced: list[dict[bytes, bytes | None]] = []

    def get(self, key: bytes) -> bytes | None:
        """The value of a row."""
        return self.values.get(key)

    def get_many(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """The values of many rows."""
        return [self.values.get(key) for key in keys]

    def scan(self, prefix: bytes, start: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        """Rows with the prefix, ascending, as they are at this call."""
        return iter(sorted(row for row in self.values.items() if row[0].startswith(prefix) and row[0] >= start))

    def write(self, rows: Mapping[bytes, bytes | None]) -> None:
        """One atomic batch."""
        self.unsynced.append({key: self.values.get(key) for key in rows})
        self._put(rows)

    def _put(self, rows: Mapping[bytes, bytes | None]) -> None:
        for key, value in rows.items():
            if value is None:
                self.values.pop(key, None)
            else:
                self.values[key] = value

    def lose(self, batches: int) -> None:
        """The last so many batches never reached the disk."""
        for _ in range(batches):
            self._put(self.unsynced.pop())


class SimArchive:
    """The block log. `unsynced` are the heights appended since the last checkpoint, in their order."""

    def __init__(self) -> None:
        self.blocks: dict[int, bytes] = {}
        self.unsynced: list[int] = []

    @property
    def first(self) -> int:
        """The lowest height kept."""
        return next(iter(self.blocks), 0)

    @property
    def last(self) -> int:
        """The highest height kept."""
        return next(reversed(self.blocks), 0)

    def block(self, height: int) -> bytes | None:
        """The bytes of a final block."""
        return self.blocks.get(height)

    def append(self, height: int, block: bytes) -> None:
        """One more block: the next one, as the real log insists."""
        assert not self.blocks or height == self.last + 1, f"block {height} after {self.last}"
        self.blocks[height] = block
        self.unsynced.append(height)

    def lose(self, blocks: int) -> None:
        """The last so many blocks never reached the disk."""
        for _ in range(blocks):
            del self.blocks[self.unsynced.pop()]


@dataclass(slots=True)
class SimDisk:
    """What survives a crash. The journal and the guard's record are durable as soon as they are written (DISK-1),
    unless the disk fails: the faults here are what the next start finds of it, as `host` would tell the node.

    `slot_before`: what the guard's other slot holds. `whole`: whether the journal is good to its end; `guarded`:
    whether one of the guard's slots is.
    """

    journal: list[bytes] = field(default_factory=list)
    rows: SimRows = field(default_factory=SimRows)
    archive: SimArchive = field(default_factory=SimArchive)
    guard: bytes = b""
    slot_before: bytes = b""
    whole: bool = True
    guarded: bool = True

    @property
    def may_vote(self) -> bool:
        """DISK-6, DISK-19. Whether what is found lets the node speak."""
        return self.whole and self.guarded

    def opened(self) -> None:
        """DISK-6. A damaged journal is begun anew with what was before the damage: the next start finds it whole."""
        self.whole = True

    def store_guard(self, record: bytes) -> None:
        """DISK-18. The other slot is written."""
        self.slot_before, self.guard = self.guard, record

    def checkpoint(self, records: Sequence[bytes]) -> None:
        """DISK-7. Store and log are synced, then the journal begins anew."""
        self.rows.unsynced.clear()
        self.archive.unsynced.clear()
        self.journal[:] = records

    def cut_power(self, random: Random) -> None:
        """Of what was written since the last checkpoint, store and log each keep some beginning, not the same one."""
        self.rows.lose(random.randint(0, len(self.rows.unsynced)))
        self.archive.lose(random.randint(0, len(self.archive.unsynced)))


def lose_tail(disk: SimDisk, random: Random) -> None:
    """A sync that lied, or the last sector lost: some of the last records are gone, and nothing shows it."""
    del disk.journal[len(disk.journal) - random.randint(0, min(len(disk.journal), 6)) :]


def flip_bits(disk: SimDisk, random: Random) -> None:
    """A record that is not the last does not read any more: the journal ends before it, and is damaged (DISK-5)."""
    if len(disk.journal) > 1:
        del disk.journal[random.randrange(len(disk.journal) - 1) :]
        disk.whole = False


def tear_slot(disk: SimDisk, random: Random) -> None:
    """The guard's newer slot is torn, or rots: the other one holds (DISK-17)."""
    del random
    disk.guard = disk.slot_before


def lose_guard(disk: SimDisk, random: Random) -> None:
    """Both slots are bad, or the file is gone: nothing is signed until somebody vouches (DISK-19)."""
    del random
    disk.guard, disk.slot_before, disk.guarded = b"", b"", False


def vouch(disk: SimDisk, chain_id: bytes, height: int) -> None:
    """DISK-20. The operator says that nothing above this height was signed."""
    floor = msgspec.structs.replace(NOTHING_SIGNED, chain_id=chain_id, height=height, round=ROUND_MAX, step=LAST_STEP)
    disk.guard, disk.guarded = encode_record(floor), True


def empty_disk(genesis: Genesis) -> SimDisk:
    """The disk of a node that was just initialised."""
    disk = SimDisk()
    disk.rows.write(first_rows(genesis))
    disk.checkpoint(())
    return disk
