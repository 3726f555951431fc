"""JSON-RPC 2.0 over POST /rpc: one request or a batch, notifications, parameters by name or by position."""

import asyncio
from collections.abc import Callable
from typing import Any, Final, Literal

import msgspec

from metanode.api.errors import ApiError, ApiRefusal, ErrorForm, error_form, explain
from metanode.api.method import Method
from metanode.api.methods import METHODS
from metanode.api.shapes import Answer, Request
from metanode.host.http_calls import Calls
from metanode.host.http_counts import Counts
from metanode.host.http_guard import Caller

CALLS_MAX: Final = 100
"""Most requests of one JSON-RPC batch; transactions travel in `transaction.submit_batch` instead."""

Id = str | int | float | None
_PROTOCOL_CODES: Final = (-32700, -32600, -32601, -32602)


class RpcRequest(msgspec.Struct, frozen=True):
    """One request. Without an id it is a notification."""

    jsonrpc: Literal["2.0"]
    method: str
    id: Id | msgspec.UnsetType = msgspec.UNSET
    params: msgspec.Raw = msgspec.Raw(b"{}")


class RpcError(msgspec.Struct, frozen=True):
    """An error as JSON-RPC wants it; `data` is the one shape of all our errors."""

    code: int
    message: str
    data: ErrorForm


_REQUESTS: Final = msgspec.json.Decoder(RpcRequest)
_BATCHES: Final = msgspec.json.Decoder(list[msgspec.Raw])
_ENCODER: Final = msgspec.json.Encoder()


def _answer(identifier: Id, outcome: Answer | ApiError) -> bytes:
    if isinstance(outcome, ApiError):
        meaning = explain(outcome.code)
        error = RpcError(meaning.rpc_code, outcome.detail or outcome.code, error_form(outcome))
        body: dict[str, Any] = {"jsonrpc": "2.0", "id": identifier, "error": error}
    else:
        body = {"jsonrpc": "2.0", "id": identifier, "result": outcome}
    return _ENCODER.encode(body)


def read_params(method: Method[Any, Any], params: bytes) -> Request | ApiError:
    """HTTP-4. The typed request; positional parameters are taken in the order of the fields."""
    try:
        if params[:1] == b"[":
            values = _BATCHES.decode(params)
            names = method.request.__struct_fields__
            if len(values) > len(names):
                return ApiError(ApiRefusal.INVALID_ARGUMENTS, f"{len(values)} parameters, at most {len(names)}")
            params = _ENCODER.encode(dict(zip(names, values, strict=False)))
        request: Request = msgspec.json.decode(params, type=method.request)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        return ApiError(ApiRefusal.INVALID_ARGUMENTS, str(error))
    return request


class Rpc:
    """HTTP-4. Text in, text out."""

    def __init__(self, calls: Calls, counts: Counts) -> None:
        self._calls: Final = calls
        self._counts: Final = counts

    async def handle(self, body: bytes, caller: Caller, take: Callable[[int], ApiError | None]) -> tuple[int, bytes]:
        """The HTTP status and the body to answer with, empty where there was nothing but notifications.

        `take` charges the caller for every request of a batch beyond the first.
        """
        stripped = body.lstrip(b" \t\r\n")
        if not stripped.startswith(b"["):
            answer, code = await self._one(stripped, caller)
            return (400 if code in _PROTOCOL_CODES else 200) if answer else 204, answer
        try:
            batch = _BATCHES.decode(stripped)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            return 400, self._refuse(None, ApiError(ApiRefusal.MALFORMED, str(error)))[0]
        if not 0 < len(batch) <= CALLS_MAX:
            detail = f"{len(batch)} requests in a batch, 1 to {CALLS_MAX}"
            return 400, self._refuse(None, ApiError(ApiRefusal.INVALID_REQUEST, detail))[0]
        refusal = take(len(batch) - 1)
        if refusal is not None:
            return explain(refusal.code).http_status, self._refuse(None, refusal)[0]
        answers = await asyncio.gather(*(self._one(bytes(raw), caller) for raw in batch))
        told = [answer for answer, _ in answers if answer]
        return (200, b"[" + b",".join(told) + b"]") if told else (204, b"")

    async def _one(self, raw: bytes, caller: Caller) -> tuple[bytes, int]:
        try:
            request = _REQUESTS.decode(raw)
        except msgspec.ValidationError as error:
            return self._refuse(None, ApiError(ApiRefusal.INVALID_REQUEST, str(error)))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            return self._refuse(None, ApiError(ApiRefusal.MALFORMED, str(error)))
        outcome = await self._carry_out(request, caller)
        if isinstance(request.id, msgspec.UnsetType):
            return b"", 0
        if isinstance(outcome, ApiError):
            return self._refuse(request.id, outcome)
        return _answer(request.id, outcome), 0

    async def _carry_out(self, request: RpcRequest, caller: Caller) -> Answer | ApiError:
        method = METHODS.get(request.method)
        if method is None:
            return ApiError(ApiRefusal.UNKNOWN_METHOD, f"no method {request.method[:80]!r}")
        arguments = read_params(method, bytes(request.params).strip())
        if isinstance(arguments, ApiError):
            return arguments
        return await self._calls.call(method, arguments, caller)

    def _refuse(self, identifier: Id, error: ApiError) -> tuple[bytes, int]:
        self._counts.refused(error.code)
        return _answer(identifier, error), explain(error.code).rpc_code
