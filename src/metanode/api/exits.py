"""Exit statuses of both commands: every error code leads to exactly one of them."""

from enum import IntEnum


class ExitStatus(IntEnum):
    """HTTP-1. What a shell sees; the numbers never change their meaning."""

    OK = 0
    UNEXPECTED = 1
    USAGE = 2
    NOT_FOUND = 3
    NOT_ALLOWED = 4
    CONFLICT = 5
    DENIED_BY_POLICY = 10
    HELD_FOR_REVIEW = 11
    OBLIGATION_OPEN = 12
    CONSENSUS = 20
    INVALID_PROOF = 21
    DATA_UNAVAILABLE = 30
    ANCHOR = 40
    CONFIGURATION = 50
    BUILD = 51
    TEST_FAILED = 52
    NETWORK = 60
    OUTCOME_UNKNOWN = 61
    RUNTIME = 70
    INSUFFICIENT = 80
    EXPIRED = 81
    INTERRUPTED = 130
    TERMINATED = 143
