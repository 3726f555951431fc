"""Exit statuses of both commands: every error code leads to exactly one of them."""

from enum import IntEnum

import msgspec


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


class Explanation(msgspec.Struct, frozen=True, gc=False):
    """HTTP-2. What a code means for a caller. `rpc_code` is JSON-RPC's number, `rule` the rule that was broken, `fix`
    the smallest change that would pass.
    """

    exit: ExitStatus
    http_status: int
    rpc_code: int
    rule: str
    fix: str
    retryable: bool = False
