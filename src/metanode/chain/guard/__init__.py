"""The sign guard: one record that decides whether a key may speak; and the question a node asks before it votes."""

from metanode.chain.guard.guard import Guard, Produce, Produced, Refuse, Release, Request, Store
from metanode.chain.guard.record import (
    NO_COMMIT,
    NOTHING_SIGNED,
    GuardRecord,
    GuardRefusal,
    encode_record,
    read_record,
    statement_digest,
)

__all__ = [
    "NOTHING_SIGNED",
    "NO_COMMIT",
    "Guard",
    "GuardRecord",
    "GuardRefusal",
    "Produce",
    "Produced",
    "Refuse",
    "Release",
    "Request",
    "Store",
    "encode_record",
    "read_record",
    "statement_digest",
]
