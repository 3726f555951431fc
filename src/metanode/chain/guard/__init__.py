"""The sign guard: one record that decides whether a key may speak; and the question a node asks before it votes."""

from metanode.chain.guard.guard import Guard, Produce, Produced, Refuse, Release, Request, Store
from metanode.chain.guard.record import (
    NO_COMMIT,
    NOTHING_SIGNED,
    STEPS,
    GuardRecord,
    GuardRefusal,
    encode_record,
    place_of,
    read_record,
    statement_digest,
)
from metanode.chain.guard.startup import LastWord, LastWordAsked, Startup, StartupRefusal, highest_word

__all__ = [
    "NOTHING_SIGNED",
    "NO_COMMIT",
    "STEPS",
    "Guard",
    "GuardRecord",
    "GuardRefusal",
    "LastWord",
    "LastWordAsked",
    "Produce",
    "Produced",
    "Refuse",
    "Release",
    "Request",
    "Startup",
    "StartupRefusal",
    "Store",
    "encode_record",
    "highest_word",
    "place_of",
    "read_record",
    "statement_digest",
]
