"""The second of the three kinds of wrong: the world failed. Only the host sees it; it stops a node, never bends it."""

import errno
from enum import StrEnum
from pathlib import Path
from typing import Final


class FaultReason(StrEnum):
    """What of the world failed; the value is a stable code, `room.kebab-name`."""

    DISK_FULL = "disk.full"
    """No space, or no quota, is left where the node must write."""
    DISK_READ_ONLY = "disk.read-only"
    """The file system is mounted read-only, often because the kernel saw errors on it."""
    DISK_NOT_ALLOWED = "disk.not-allowed"
    """Permissions of the operating system forbid it."""
    DISK_MISSING = "disk.missing"
    """A file or folder that must be there is not."""
    DISK_FAILED = "disk.failed"
    """The disk reported an error, or lost a write it had promised (a failed fsync is never tried again)."""
    DIRECTORY_NOT_INITIALISED = "directory.not-initialised"
    """The folder is not a data directory."""
    DIRECTORY_EXISTS = "directory.exists"
    """`init` would write over a data directory."""
    DIRECTORY_LOCKED = "directory.locked"
    """Another process runs on this data directory."""
    DIRECTORY_GONE = "directory.gone"
    """The data directory was deleted, moved away or replaced while its node ran."""
    DIRECTORY_UNKNOWN_FORMAT = "directory.unknown-format"
    """The data directory was written by a newer program, or its format file is not readable."""
    DIRECTORY_OTHER_CHAIN = "directory.other-chain"
    """The data directory, or a part of it, belongs to another chain or another validator."""
    DIRECTORY_UNPROVED = "directory.unproved"
    """Its genesis has a BLS key without a proof of possession, or one that cancels another out: no chain starts so."""
    JOURNAL_DAMAGED = "journal.damaged"
    """The journal is damaged in the middle: nothing may be added to it."""
    GUARD_UNUSABLE = "guard.unusable"
    """The sign guard is missing, damaged or restored: nothing may be signed."""
    STORE_DAMAGED = "store.damaged"
    """The store does not open or does not read."""
    BLOCK_LOG_DAMAGED = "block-log.damaged"
    """A block that was durable cannot be read back."""
    KEY_FILE_UNREADABLE = "keys.unreadable"
    """A key file is not one, holds another key than expected, or is open to others."""
    KEY_WRONG_PASSWORD = "keys.wrong-password"  # noqa: S105
    """The password does not open the key file."""
    KEY_PASSWORD_MISSING = "keys.password-missing"  # noqa: S105
    """Nobody said where the password is."""
    KEY_DEVELOPMENT_ONLY = "keys.development-only"
    """A development key on a chain that is not a development chain."""
    KEY_EXISTS = "keys.exists"
    """A key file of this name is there already and is not written over."""
    KEY_UNKNOWN = "keys.unknown"
    """There is no key file of this name."""
    SETTINGS_NOT_TOML = "settings.not-toml"
    """The settings are not a TOML file."""
    SETTINGS_UNKNOWN_KEY = "settings.unknown-key"
    """A key that no room reads: most often a misspelt one."""
    SETTINGS_WRONG_VALUE = "settings.wrong-value"
    """A value of the wrong type or outside its range."""
    BLOB_DAMAGED = "blob.damaged"
    """Content that was stored under its digest has other bytes now."""
    RECEIPTS_DAMAGED = "receipts.damaged"
    """A receipt that this node has written cannot be read back, or does not follow the one before it."""
    RECEIPTS_OTHER_NODE = "receipts.other-node"
    """The log of receipts is that of another node, another chain or another key."""
    RECEIPTS_LOST = "receipts.lost"
    """The chain has pinned receipts of this node that its log does not hold."""
    BACKUP_DAMAGED = "backup.damaged"
    """A backup lacks a file, or a file differs from what was written."""
    PORT_TAKEN = "port.taken"
    """Another program listens there, or the address is not this machine's."""
    NODE_HALTED = "node.halted"
    """The node stopped itself: to go on would do harm, or a bug was met. The log says why."""


class Fault(Exception):
    """The world failed. `reason` is the stable code, `detail` what happened where, `fix` the smallest change that
    would help. A fault while running ends the node: nothing that was acknowledged is lost, everything else is refused.
    """

    def __init__(self, reason: FaultReason, detail: str, fix: str) -> None:
        super().__init__(f"{reason}: {detail}; fix: {fix}")
        self.reason = reason
        self.detail = detail
        self.fix = fix


_BY_ERRNO: Final[dict[int, tuple[FaultReason, str]]] = {
    errno.ENOSPC: (FaultReason.DISK_FULL, "free some space there, or move the data directory, and start again"),
    errno.EDQUOT: (FaultReason.DISK_FULL, "raise the quota of this user and start again"),
    errno.EROFS: (FaultReason.DISK_READ_ONLY, "see the kernel's log, check the disk, remount it writable, start again"),
    errno.EACCES: (FaultReason.DISK_NOT_ALLOWED, "give the node's user this path, or run as the user who owns it"),
    errno.EPERM: (FaultReason.DISK_NOT_ALLOWED, "give the node's user this path, or run as the user who owns it"),
    errno.ENOENT: (FaultReason.DISK_MISSING, "check the path"),
    errno.ENOTDIR: (FaultReason.DISK_MISSING, "check the path: a part of it is a file"),
}


def disk_fault(error: OSError, what: str) -> Fault:
    """The fault an error of the operating system stands for. `what`: "writing /data/journal/…"."""
    again = "check the disk (dmesg, SMART); then start again: what was acknowledged is on it"
    reason, fix = _BY_ERRNO.get(error.errno or 0, (FaultReason.DISK_FAILED, again))
    return Fault(reason, f"{what}: {error.strerror or error}", fix)


def halted(reason: str) -> Fault:
    """What a node ends with that stopped itself."""
    fix = "read the log above; nothing acknowledged is lost, start it again when the cause is mended"
    return Fault(FaultReason.NODE_HALTED, reason, fix)


def repair_fix(root: Path) -> str:
    """What mends a data directory whose blocks or state are damaged."""
    return f"run `bpi node repair --data {root}`: it sets the damaged part aside, the node fetches it from its peers"
