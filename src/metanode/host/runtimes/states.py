"""How far a container is, how it ended, where its log is: said by the shim, read by everybody."""

from dataclasses import dataclass
from enum import StrEnum


class Phase(StrEnum):
    """How far a container is."""

    CREATED = "created"
    """Accepted; nothing runs."""
    STARTING = "starting"
    """Its first process is being made."""
    RUNNING = "running"
    """Its program runs."""
    PAUSED = "paused"
    """All its processes stand still."""
    EXITED = "exited"
    """Its program has ended, or never began."""


@dataclass(frozen=True, slots=True)
class Exit:
    """How a program ended. `code`: its own, or 128 and the signal's number; `signal` 0 where it ended by itself; `oom`:
    the kernel killed something in the container for want of memory; `at_ns`: Unix time."""

    code: int
    signal: int
    oom: bool
    at_ns: int


@dataclass(frozen=True, slots=True)
class LogMark:
    """Where a log is. `end`: bytes of all records ever; `first`: of those no longer kept; `lost`: bytes the disk did
    not take; `digest`: of the chain at `end`, 64 hex digits."""

    end: int
    first: int
    lost: int
    digest: str
