"""Typed calls: a method of the table and its request in, its answer out, an exception where it is refused."""

from typing import Any, Final, TypeVar

import msgspec

from metanode.api.errors import ApiRefusal, ErrorBody, ErrorForm
from metanode.api.method import Method
from metanode.api.shapes import Answer, Request
from metanode.client.connection import Connection, Response
from metanode.client.failures import ClientError, failure

Asked = TypeVar("Asked", bound=Request)
Answered = TypeVar("Answered", bound=Answer)
Value = TypeVar("Value")

_JSON: Final = "application/json"


class _RpcRequest(msgspec.Struct, frozen=True):
    method: str
    params: Request
    id: int = 1
    jsonrpc: str = "2.0"


class _RpcError(msgspec.Struct, frozen=True):
    data: ErrorForm


class _RpcAnswer(msgspec.Struct, frozen=True):
    result: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    error: _RpcError | msgspec.UnsetType = msgspec.UNSET


_ENCODER: Final = msgspec.json.Encoder()
_ANSWERS: Final = msgspec.json.Decoder(_RpcAnswer)


class Caller:
    """HTTP-16. Calls methods of the table over one connection. `timeout_s`: of a call that names no other."""

    def __init__(self, connection: Connection, timeout_s: float) -> None:
        self.connection: Final = connection
        self.timeout_s: Final = timeout_s

    def call(self, method: Method[Asked, Answered], request: Asked, timeout_s: float = 0.0) -> Answered:
        """The answer of a method. Raises `ClientError`, `Unreachable`, `DeadlinePassed`."""
        body = _ENCODER.encode(_RpcRequest(method.name, request))
        headers = {"Content-Type": _JSON}
        response = self.connection.request("POST", "/rpc", body, headers, timeout_s=timeout_s or self.timeout_s)
        if response.status not in (200, 400):
            raise refusal_of(response)
        answer = read_json(response, _ANSWERS)
        if isinstance(answer.error, _RpcError):
            raise ClientError(answer.error.data)
        if isinstance(answer.result, msgspec.UnsetType):
            raise failure(ApiRefusal.BAD_ANSWER, f"{method.name}: neither a result nor an error")
        try:
            return msgspec.json.decode(answer.result, type=method.answer)
        except msgspec.MsgspecError as error:
            raise failure(ApiRefusal.BAD_ANSWER, f"{method.name}: {error}") from None


def read_json(response: Response, decoder: "msgspec.json.Decoder[Value]") -> Value:
    """The value of an answer in JSON. Raises `ClientError` where it is none."""
    try:
        return decoder.decode(response.body)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise failure(ApiRefusal.BAD_ANSWER, f"status {response.status}: {error}") from None


_ERRORS: Final[Any] = msgspec.json.Decoder(ErrorBody)


def refusal_of(response: Response) -> ClientError:
    """The exception of an answer that is not a success."""
    try:
        form: ErrorForm = _ERRORS.decode(response.body).error
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return failure(ApiRefusal.BAD_ANSWER, f"status {response.status} without an error of ours")
    return ClientError(form)
