"""The store: rows of bytes in RocksDB. Written unsynced, made durable by `flush`, bounded in memory."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from shutil import rmtree
from typing import Any, Final, TypeVar

from rocksdict import (
    AccessType,
    BlockBasedOptions,
    Cache,
    DbClosedError,
    DBCompressionType,
    Options,
    Rdict,
    RdictIter,
    WriteBatch,
    WriteOptions,
)

from metanode.host.disk import FOLDER_MODE
from metanode.host.fault import Fault, FaultReason, repair_fix

BLOCK_CACHE_BYTES: Final = 32 << 20
"""Hot rows in memory; a validator must stay below 250 MB altogether."""
WRITE_BUFFER_BYTES: Final = 8 << 20
"""One memtable; `WRITE_BUFFERS` of them at most."""
WRITE_BUFFERS: Final = 3
"""One written, one flushed, one spare."""
OPEN_FILES_MAX: Final = 256
"""Open table files: each holds its index in memory."""
KEYS_AT_ONCE: Final = 1_000
"""Rows read in one call: RocksDB holds the 8 KiB block of each until all are read."""
WAL_BYTES_MAX: Final = 64 << 20
"""Above this memtables are flushed, so that opening after a crash reads little."""
VIEW_TRIES: Final = 10
"""So often a view of a store that is being written is opened: each takes a fraction of a second, a merge some."""
Result = TypeVar("Result")


def _options() -> Options:
    options = Options(raw_mode=True)
    options.create_if_missing(True)  # noqa: FBT003
    options.set_paranoid_checks(True)
    options.set_max_background_jobs(2)
    options.set_write_buffer_size(WRITE_BUFFER_BYTES)
    options.set_max_write_buffer_number(WRITE_BUFFERS)
    options.set_max_total_wal_size(WAL_BYTES_MAX)
    options.set_max_open_files(OPEN_FILES_MAX)
    options.set_compression_type(DBCompressionType.lz4())
    options.set_level_compaction_dynamic_level_bytes(True)
    options.set_keep_log_file_num(2)
    options.set_max_log_file_size(1 << 20)
    options.set_max_manifest_file_size(4 << 20)
    options.set_stats_dump_period_sec(0)
    options.set_skip_stats_update_on_db_open(True)
    table = BlockBasedOptions()
    table.set_block_cache(Cache(BLOCK_CACHE_BYTES))
    table.set_block_size(8 << 10)
    table.set_bloom_filter(10, False)  # noqa: FBT003
    table.set_cache_index_and_filter_blocks(True)
    table.set_pin_l0_filter_and_index_blocks_in_cache(True)
    options.set_block_based_table_factory(table)
    return options


def _fault(path: Path, error: Exception) -> Fault:
    text = str(error)
    lowered = text.lower()
    if "no space left" in lowered or "quota exceeded" in lowered:
        fix = "free some space there, or move the data directory, and start again"
        return Fault(FaultReason.DISK_FULL, f"{path}: {text}", fix)
    if "read-only file system" in lowered:
        return Fault(FaultReason.DISK_READ_ONLY, f"{path}: {text}", "check the disk, remount it writable, start again")
    if ("lock" in lowered and "resource temporarily unavailable" in lowered) or "lock hold by" in lowered:
        return Fault(FaultReason.DIRECTORY_LOCKED, f"{path}: {text}", "stop the other process that has it open")
    if "permission denied" in lowered:
        return Fault(FaultReason.DISK_NOT_ALLOWED, f"{path}: {text}", "give the node's user this folder")
    return Fault(FaultReason.STORE_DAMAGED, f"{path}: {text}", repair_fix(path.parent))


def copy_store(source: Path, target: Path) -> None:
    """DISK-21. The rows of a store as of one batch, in a new store. Another process may have the source open, and go on
    writing to it: it is read as RocksDB's secondary instances read. Raises `Fault`."""
    reading = target.with_name(target.name + ".reading")
    rows = _open_beside(source, reading)
    copy = Store(target)
    try:
        found, batch = rows.iter(), dict[bytes, bytes | None]()
        found.seek(b"")
        while found.valid():
            batch[found.key()] = found.value()
            if len(batch) >= KEYS_AT_ONCE:
                copy.write(batch)
                batch.clear()
            found.next()
        found.status()
        copy.write(batch)
    except Fault:
        raise
    except Exception as error:
        raise _fault(source, error) from error
    finally:
        copy.close()
        rows.close()
        rmtree(reading, ignore_errors=True)
    for left in ("LOCK", "LOG"):
        (target / left).unlink(missing_ok=True)


def _open_beside(source: Path, reading: Path) -> Rdict:
    """A view of a store that may belong to another process. All its files are opened at once, so that none can be taken
    away later; one may be merged away between its being named and opened, then there are newer names."""
    options = _options()
    options.create_if_missing(False)  # noqa: FBT003
    options.set_max_open_files(-1)
    for tries_left in reversed(range(VIEW_TRIES)):
        try:
            return Rdict(str(source), options, access_type=AccessType.secondary(str(reading)))
        except Exception as error:
            if not tries_left:
                raise _fault(source, error) from error
    raise AssertionError("the last try returns or raises")


class Store:
    """Rows sorted by key. Reading sees every write at once; a write is durable after the next `flush`.

    RocksDB keeps a log of writes: a killed process loses nothing, a power cut loses only whole batches written after
    the last `flush`, the newest first.
    """

    def __init__(self, path: Path) -> None:
        """Open, or make where there is none. Raises `Fault`."""
        self._path = path
        try:
            path.mkdir(FOLDER_MODE, parents=True, exist_ok=True)
            self._rows = Rdict(str(path), _options(), access_type=AccessType.read_write())
        except Exception as error:
            raise _fault(path, error) from error
        self._unsynced: Final = WriteOptions()
        self._closed = False
        self._failed: Fault | None = None

    def get(self, key: bytes) -> bytes | None:
        """The value, or None. Raises `Fault`."""
        value: bytes | None = self._guarded(self._rows.get, key)
        return value

    def get_many(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """The values in the order of the keys, None where there is none. Raises `Fault`."""
        get: Callable[..., list[bytes | None]] = self._rows.get  # type: ignore[assignment]
        values: list[bytes | None] = []
        for at in range(0, len(keys), KEYS_AT_ONCE):
            values += self._guarded(get, list(keys[at : at + KEYS_AT_ONCE]))
        return values

    def scan(self, prefix: bytes, start: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        """All rows whose key begins with the prefix, sorted, from `start` (a whole key) on, as of this call.
        Raises `Fault`, also at the end.
        """
        rows = self._guarded(self._rows.iter)
        self._guarded(rows.seek, max(prefix, start))
        return self._walk(rows, prefix)

    def _walk(self, rows: RdictIter, prefix: bytes) -> Iterator[tuple[bytes, bytes]]:
        """DISK-9. An iterator of RocksDB ends the same way at the last row and at a damaged one: ask which it was.

        No upper bound is given to RocksDB: through rocksdict 0.3.29 a bound does not live as long as its iterator.
        """
        valid, following = rows.valid, rows.next
        while valid():
            key = rows.key()
            if not key.startswith(prefix):
                return
            yield key, rows.value()
            following()
        self._guarded(rows.status)

    def write(self, rows: Mapping[bytes, bytes | None]) -> None:
        """DISK-8. One atomic batch: a value puts, None deletes.

        Visible at once, durable after `flush`. Raises `Fault`.
        """
        batch = WriteBatch(raw_mode=True)
        put, delete = batch.put, batch.delete
        for key, value in rows.items():
            if value is None:
                delete(key)
            else:
                put(key, value)
        self._written(self._rows.write, batch, self._unsynced)

    def flush(self) -> None:
        """DISK-8. Return when everything written so far is durable. May be called in a thread. Raises `Fault`."""
        self._written(self._rows.flush_wal, True)  # noqa: FBT003

    def statistics(self) -> dict[str, int]:
        """Bytes of memory and disk that RocksDB says it uses, for metrics."""
        names = {
            "memtable_bytes": "rocksdb.cur-size-all-mem-tables",
            "cache_bytes": "rocksdb.block-cache-usage",
            "table_reader_bytes": "rocksdb.estimate-table-readers-mem",
            "disk_bytes": "rocksdb.total-sst-files-size",
        }
        return {name: int(self._guarded(self._rows.property_int_value, key) or 0) for name, key in names.items()}

    def close(self) -> None:
        """Flush and close. Raises `Fault`."""
        if not self._closed:
            self._closed = True
            try:
                self._written(self._rows.flush_wal, True)  # noqa: FBT003
            finally:
                self._written(self._rows.close)

    def abandon(self) -> None:
        """Write nothing more, not even when closed: RocksDB makes new files by their path, and what is there now may
        be another store. What was written is in its log."""
        self._closed = True

    def _written(self, call: Callable[..., Result], *arguments: Any) -> None:
        """RocksDB says once why it cannot write, and then only that it could not ("previous error"): the first cause is
        what is told of every later try, so that a full disk is not taken for a damaged store when that is closed."""
        try:
            self._guarded(call, *arguments)
        except Fault as fault:
            self._failed = self._failed or fault
            raise self._failed from fault.__cause__

    def _guarded(self, call: Callable[..., Result], *arguments: Any) -> Result:
        try:
            return call(*arguments)
        except DbClosedError as error:
            raise AssertionError("the store is closed: whoever closed it must be its only owner") from error
        except Exception as error:  # rocksdict raises a bare Exception with RocksDB's sentence
            raise _fault(self._path, error) from error
