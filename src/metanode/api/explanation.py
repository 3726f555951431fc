"""What an error code means for whoever meets it."""

import msgspec

from metanode.api.exits import ExitStatus


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
