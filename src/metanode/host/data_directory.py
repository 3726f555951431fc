"""The data directory: where everything of one node is, whose it is, and that only one process uses it."""

import fcntl
import os
import tomllib
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from metanode.host.disk import FILE_MODE, Disk, read_file, write_durably
from metanode.host.fault import Fault, FaultReason, disk_fault
from metanode.host.guard_file import GuardFile
from metanode.host.journal import Journal
from metanode.primitives.names import Hash
from metanode.primitives.refusal import Rejected
from metanode.records.genesis import GENESIS_BYTES_MAX, Genesis, dump_toml, genesis_hash, load_toml

FORMAT: Final = 1
"""Version of the whole directory. A newer one is refused: an older program would not know what it breaks."""
_FORMAT_BYTES_MAX: Final = 4096
_LOCK_BYTES_MAX: Final = 32


@dataclass(frozen=True, slots=True)
class Layout:
    """Where things are below the root. Pure names; nothing here touches the disk."""

    root: Path

    @property
    def format_file(self) -> Path:
        """Version and owner; written last by `create`: without it the directory is not one."""
        return self.root / "FORMAT"

    @property
    def lock_file(self) -> Path:
        """Locked by the running process, whose id it holds."""
        return self.root / "LOCK"

    @property
    def genesis(self) -> Path:
        """The chain."""
        return self.root / "genesis.toml"

    @property
    def settings(self) -> Path:
        """What the operator chose."""
        return self.root / "node.toml"

    @property
    def keys(self) -> Path:
        """Key files of the validator."""
        return self.root / "keys"

    @property
    def guard(self) -> Path:
        """The sign guard."""
        return self.root / "guard"

    @property
    def journal(self) -> Path:
        """Segments of the journal."""
        return self.root / "journal"

    @property
    def store(self) -> Path:
        """RocksDB's files."""
        return self.root / "store"

    @property
    def blocks(self) -> Path:
        """Segments of the block log."""
        return self.root / "blocks"

    @property
    def logs(self) -> Path:
        """Log files, where logging to files is on."""
        return self.root / "logs"


@dataclass(frozen=True, slots=True)
class Owner:
    """What the format file says. `identity`: the digest the guard carries (`guard_identity`), zeros for an observer,
    who holds no keys and has no guard."""

    chain_id: Hash
    identity: bytes
    created_ms: int

    @property
    def is_validator(self) -> bool:
        """Whether there must be a guard."""
        return any(self.identity)


NO_IDENTITY: Final = bytes(32)
"""Of an observer."""


def create(
    root: Path,
    genesis: Genesis,
    identity: bytes,
    now_ms: int,
    disk: Disk,
    salt: Callable[[int], bytes],
) -> Layout:
    """DISK-13. Make a data directory: genesis, an empty journal, for validators a guard, and last the format file.

    Killed half-way it can be run again. Keys and settings may be there already. Raises `Fault` where a node lives
    or may have signed.
    """
    layout = Layout(root)
    disk.make_folder(root)
    lock = lock_directory(layout.root, layout.lock_file)
    try:
        if layout.format_file.exists():
            raise Fault(
                FaultReason.DIRECTORY_EXISTS, f"{root} is a data directory already", "use it, or choose another"
            )
        if layout.guard.exists() and GuardFile.open(layout.guard, identity, disk).record:
            fix = "restore the file FORMAT, or choose another directory; never delete a guard that may have signed"
            raise Fault(FaultReason.DIRECTORY_EXISTS, f"{layout.guard} has allowed signatures", fix)
        write_durably(disk, layout.genesis, dump_toml(genesis).encode())
        Journal.create(layout.journal, disk, salt)
        disk.remove(layout.guard)
        if identity != NO_IDENTITY:
            GuardFile.create(layout.guard, identity, disk)
        write_format(layout, Owner(genesis_hash(genesis), identity, now_ms), disk)
    finally:
        os.close(lock)
    return layout


def write_format(layout: Layout, owner: Owner, disk: Disk) -> None:
    """DISK-13. The last step of making a data directory."""
    lines = (
        "# A Metanode data directory. Written once by `init`; not to be edited.",
        f"format = {FORMAT}",
        f'chain_id = "{owner.chain_id.hex()}"',
        f'identity = "{owner.identity.hex()}"',
        f"created_ms = {owner.created_ms}",
    )
    write_durably(disk, layout.format_file, ("\n".join(lines) + "\n").encode())


def read_format(layout: Layout) -> Owner:
    """DISK-14. Whose directory it is. Raises `Fault` where it is none, or one of a newer program."""
    try:
        is_there = layout.format_file.exists()
    except OSError as error:
        raise disk_fault(error, f"looking into {layout.root}") from error
    if not is_there:
        fix = f"run `bpi node init --data {layout.root}` first, or name the right directory"
        if layout.store.exists():
            fix = "put the file FORMAT back, from a backup of this directory: a node has run here, and may have signed"
        raise Fault(FaultReason.DIRECTORY_NOT_INITIALISED, f"{layout.root} has no file FORMAT", fix)
    try:
        found: dict[str, Any] = tomllib.loads(read_file(layout.format_file, _FORMAT_BYTES_MAX).decode())
        version = found["format"]
        if version == FORMAT:
            owner = Owner(Hash(bytes.fromhex(found["chain_id"])), bytes.fromhex(found["identity"]), found["created_ms"])
            if len(owner.chain_id) == len(owner.identity) == 32 and isinstance(owner.created_ms, int):
                return owner
    except (ValueError, KeyError, TypeError) as error:
        fix = "restore the file FORMAT from a backup of this directory"
        raise Fault(FaultReason.DIRECTORY_UNKNOWN_FORMAT, f"{layout.format_file}: {error}", fix) from error
    fix = "start it with the program that wrote it, or a newer one"
    detail = f"{layout.root} has format {version!r}, this program knows {FORMAT}"
    raise Fault(FaultReason.DIRECTORY_UNKNOWN_FORMAT, detail, fix)


class DataDirectory:
    """An open data directory, locked until `close` or the end of the process, however it ends."""

    def __init__(self, root: Path) -> None:
        """DISK-14. Raises `Fault` where it is not one, is of a newer format, another chain, or in use."""
        self.layout: Final = Layout(root)
        self.owner: Final = read_format(self.layout)
        self._lock = lock_directory(self.layout.root, self.layout.lock_file)
        try:
            self.genesis: Final = load_genesis(self.layout, self.owner.chain_id)
        except Fault:
            self.close()
            raise

    def check_ours(self) -> None:
        """DISK-25. Raises `Fault` where the lock that is held is not the one in the directory any more: another process
        could take that one, and sign with the same key."""
        try:
            held, there = os.fstat(self._lock), self.layout.lock_file.stat()
            same = (held.st_dev, held.st_ino) == (there.st_dev, there.st_ino)
        except FileNotFoundError:
            same = False
        except OSError as error:
            raise disk_fault(error, f"looking at {self.layout.lock_file}") from error
        if not same:
            fix = "start it where its data directory is now; never let two directories sign with one key"
            detail = f"{self.layout.root} was deleted, moved or replaced while its node ran"
            raise Fault(FaultReason.DIRECTORY_GONE, detail, fix)

    def close(self) -> None:
        """Let others in."""
        if self._lock >= 0:
            os.close(self._lock)
        self._lock = -1


def load_genesis(layout: Layout, chain_id: Hash) -> Genesis:
    """GEN-1. The chain of the directory: its genesis must have the hash it was initialised with. Raises `Fault`."""
    fix = "put the genesis file back that this directory was initialised with"
    try:
        genesis = load_toml(read_file(layout.genesis, GENESIS_BYTES_MAX).decode())
    except (Rejected, UnicodeDecodeError) as error:
        raise Fault(FaultReason.DIRECTORY_OTHER_CHAIN, f"{layout.genesis}: {error}", fix) from error
    found = genesis_hash(genesis)
    if found != chain_id:
        detail = f"{layout.genesis} is chain {found.hex()[:16]}…, the directory is of {chain_id.hex()[:16]}…"
        raise Fault(FaultReason.DIRECTORY_OTHER_CHAIN, detail, fix)
    return genesis


def lock_directory(root: Path, path: Path) -> int:
    """DISK-15. One process a directory: an advisory lock that ends with the process, and its id for people. Raises
    `Fault`."""
    try:
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, FILE_MODE)
    except OSError as error:
        raise disk_fault(error, f"opening {path}") from error
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.pread(file, _LOCK_BYTES_MAX, 0).decode(errors="replace").strip() or "unknown"
        os.close(file)
        fix = f"stop process {holder} first, or use another data directory; two nodes with one key would sign twice"
        raise Fault(FaultReason.DIRECTORY_LOCKED, f"{root} is in use by process {holder}", fix) from None
    except OSError as error:
        os.close(file)
        raise disk_fault(error, f"locking {path}") from error
    with suppress(OSError):  # a full disk must not keep a node from starting: the id is for people
        os.ftruncate(file, 0)
        os.pwrite(file, f"{os.getpid()}\n".encode(), 0)
    return file
