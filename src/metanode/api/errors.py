"""What can go wrong for a caller: stable code, exit status, rule, and the smallest change that would pass."""

from typing import Final

import msgspec

from metanode.api.exits import ExitStatus
from metanode.api.explanation import Explanation
from metanode.api.ledger_codes import CODES, REFUSED, ROOMS
from metanode.primitives.refusal import Refusal


class ApiRefusal(Refusal):
    """Why a request is turned away before or by the node, as opposed to a transaction by the ledger."""

    MALFORMED = "api.malformed"
    """The body is not JSON (or, for a binary batch, not msgpack)."""
    INVALID_REQUEST = "api.invalid-request"
    """JSON, but not a JSON-RPC 2.0 request, or a batch that is empty or too long."""
    UNKNOWN_METHOD = "api.unknown-method"
    """No method of this name, or no resource at this path."""
    WRONG_VERB = "api.wrong-verb"
    """The path exists, but not with this HTTP method."""
    WRONG_MEDIA_TYPE = "api.wrong-media-type"
    """The content type of the body is not one this path takes."""
    INVALID_ARGUMENTS = "api.invalid-arguments"
    """An argument is unknown, missing, of another type or out of its range."""
    NOT_FOUND = "api.not-found"
    """Nothing of this name, number or identity exists."""
    CONFLICT = "api.conflict"
    """The request does not fit what is there now."""
    PRUNED = "api.pruned"
    """It existed, but this node no longer keeps it."""
    BEYOND_HEAD = "api.beyond-head"
    """That height is not final yet."""
    DEVELOPMENT_ONLY = "api.development-only"
    """Exists only on a chain whose genesis says development."""
    UNAUTHENTICATED = "api.unauthenticated"
    """A bearer token is due and none, or an unknown one, was given."""
    FORBIDDEN = "api.forbidden"
    """The token's scopes do not cover this method."""
    WRONG_HOST = "api.wrong-host"
    """The Host or Origin header names a host this node does not answer for (protection against DNS rebinding)."""
    BODY_TOO_LARGE = "api.body-too-large"
    """The body is longer than the limit."""
    HEADERS_TOO_LARGE = "api.headers-too-large"
    """Request line and headers together are longer than the limit, or too many."""
    RATE_LIMITED = "api.rate-limited"
    """This address or token has used up its requests for now."""
    BUSY = "api.busy"
    """Too many connections, streams or long polls are open, or too many long bodies arrive."""
    NOT_READY = "api.not-ready"
    """The node has not recovered yet, or is stopping."""
    TIMED_OUT = "api.timed-out"
    """The node did not answer, or the body did not arrive, in time; the outcome is not known."""
    ALREADY_KNOWN = "api.already-known"
    """Not an error: the transaction was in the pool or in a block before; sending it again changed nothing."""
    SLOW_CONSUMER = "api.slow-consumer"
    """A stream of events was cut off because its reader did not keep up."""
    INTERNAL = "api.internal"
    """A bug in this program; it is in the node's log."""
    UNREACHABLE = "client.unreachable"
    """No node answers at this URL."""
    BAD_ANSWER = "client.bad-answer"
    """What answered is not a Metanode node, or one this program does not understand."""
    DEADLINE = "client.deadline"
    """The deadline passed before the outcome was known."""
    UNKNOWN_OUTCOME = "client.unknown-outcome"
    """The connection broke after the request was sent; it may or may not have been carried out."""


class ApiError(msgspec.Struct, frozen=True, gc=False):
    """A refusal as a value: the stable code, one sentence with the value and the limit, and, where the one who refused
    knows better than the table, the smallest change that would pass.
    """

    code: str
    detail: str = ""
    fix: str = ""


class ErrorForm(msgspec.Struct, frozen=True, kw_only=True):
    """HTTP-2. The one shape in which an error is told, everywhere."""

    code: str
    exit: int
    message: str
    rule: str
    fix: str
    retryable: bool


class ErrorBody(msgspec.Struct, frozen=True, kw_only=True):
    """The body of every HTTP answer that is an error."""

    error: ErrorForm


_E: Final = ExitStatus

EXPLANATIONS: Final[dict[str, Explanation]] = {
    ApiRefusal.MALFORMED: Explanation(_E.USAGE, 400, -32700, "HTTP-4", "send well-formed JSON in UTF-8"),
    ApiRefusal.INVALID_REQUEST: Explanation(
        _E.USAGE, 400, -32600, "HTTP-4", "send {jsonrpc: '2.0', id, method, params} or 1 to 100 of them"
    ),
    ApiRefusal.UNKNOWN_METHOD: Explanation(_E.USAGE, 404, -32601, "HTTP-3", "see /openrpc.json or /openapi.json"),
    ApiRefusal.WRONG_VERB: Explanation(_E.USAGE, 405, -32601, "HTTP-5", "use a verb of the Allow header"),
    ApiRefusal.WRONG_MEDIA_TYPE: Explanation(
        _E.USAGE,
        415,
        -32600,
        "HTTP-5",
        "send Content-Type: application/json (a binary batch: application/octet-stream)",
    ),
    ApiRefusal.INVALID_ARGUMENTS: Explanation(
        _E.USAGE, 400, -32602, "HTTP-3", "correct the named argument; its range is in /openapi.json"
    ),
    ApiRefusal.NOT_FOUND: Explanation(_E.NOT_FOUND, 404, -32001, "HTTP-3", "check the name; the chain may be another"),
    ApiRefusal.CONFLICT: Explanation(_E.CONFLICT, 409, -32003, "HTTP-3", "read the present state and ask again"),
    ApiRefusal.PRUNED: Explanation(
        _E.DATA_UNAVAILABLE, 410, -32030, "HTTP-3", "ask a node that keeps all blocks (retention_blocks = 0)"
    ),
    ApiRefusal.BEYOND_HEAD: Explanation(
        _E.NOT_FOUND, 404, -32001, "HTTP-3", "wait until the height is final, see node.status", retryable=True
    ),
    ApiRefusal.DEVELOPMENT_ONLY: Explanation(
        _E.NOT_ALLOWED, 403, -32002, "HTTP-10", "use a chain whose genesis says development = true"
    ),
    ApiRefusal.UNAUTHENTICATED: Explanation(
        _E.NOT_ALLOWED, 401, -32002, "HTTP-9", "send the header Authorization: Bearer <token>"
    ),
    ApiRefusal.FORBIDDEN: Explanation(_E.NOT_ALLOWED, 403, -32002, "HTTP-9", "use a token that has the scope"),
    ApiRefusal.WRONG_HOST: Explanation(
        _E.NOT_ALLOWED,
        421,
        -32002,
        "HTTP-8",
        "use the node's own address, or add the name to http.hosts in its settings",
    ),
    ApiRefusal.BODY_TOO_LARGE: Explanation(_E.USAGE, 413, -32600, "HTTP-11", "split the request"),
    ApiRefusal.HEADERS_TOO_LARGE: Explanation(_E.USAGE, 431, -32600, "HTTP-11", "send fewer or shorter headers"),
    ApiRefusal.RATE_LIMITED: Explanation(
        _E.NETWORK, 429, -32020, "HTTP-12", "wait as long as Retry-After says; submit in batches", retryable=True
    ),
    ApiRefusal.BUSY: Explanation(
        _E.NETWORK, 503, -32021, "HTTP-12", "close connections that are not needed, or ask another node", retryable=True
    ),
    ApiRefusal.NOT_READY: Explanation(_E.NETWORK, 503, -32021, "HTTP-6", "wait until /ready says 200", retryable=True),
    ApiRefusal.TIMED_OUT: Explanation(
        _E.OUTCOME_UNKNOWN, 504, -32022, "HTTP-13", "ask again; submitting again is safe", retryable=True
    ),
    ApiRefusal.ALREADY_KNOWN: Explanation(_E.OK, 200, -32003, "HTTP-14", "nothing: wait for it with transaction.wait"),
    ApiRefusal.SLOW_CONSUMER: Explanation(
        _E.NETWORK, 503, -32021, "HTTP-15", "connect again with Last-Event-ID and read faster", retryable=True
    ),
    ApiRefusal.INTERNAL: Explanation(_E.UNEXPECTED, 500, -32603, "HTTP-2", "report it with the node's log"),
    ApiRefusal.UNREACHABLE: Explanation(
        _E.NETWORK, 503, -32021, "HTTP-16", "start the node (`bpi up`), or correct the URL", retryable=True
    ),
    ApiRefusal.BAD_ANSWER: Explanation(_E.NETWORK, 502, -32021, "HTTP-16", "check the URL and the versions of both"),
    ApiRefusal.DEADLINE: Explanation(
        _E.OUTCOME_UNKNOWN, 504, -32022, "HTTP-16", "wait again with the same identity", retryable=True
    ),
    ApiRefusal.UNKNOWN_OUTCOME: Explanation(
        _E.OUTCOME_UNKNOWN, 504, -32022, "HTTP-16", "send the same bytes again: resubmission is safe", retryable=True
    ),
}
"""HTTP-2. Every code of this room. Codes of other rooms are explained by `explain`."""


def explain(code: str) -> Explanation:
    """HTTP-2. What any stable code means: by itself, by its room, else a refused transaction."""
    exact = EXPLANATIONS.get(code) or CODES.get(code)
    return exact or ROOMS.get(code.partition(".")[0], REFUSED)


def error_form(error: ApiError) -> ErrorForm:
    """HTTP-2. The error as callers see it."""
    meaning = explain(error.code)
    return ErrorForm(
        code=error.code,
        exit=meaning.exit,
        message=error.detail or error.code,
        rule=meaning.rule,
        fix=error.fix or meaning.fix,
        retryable=meaning.retryable,
    )
