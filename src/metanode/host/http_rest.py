"""The REST face: every method of the table under its path and verb."""

from typing import Any, Final

import msgspec
from starlette.requests import Request as HttpRequest
from starlette.responses import Response
from starlette.routing import Route

from metanode.api.errors import ApiError, ApiRefusal
from metanode.api.method import Method
from metanode.api.methods import METHODS, TRANSACTION_SUBMIT_BATCH
from metanode.api.openapi import BYTES, JSON
from metanode.api.shapes import Request
from metanode.host.http_answers import bytes_response, error_response, json_response
from metanode.host.http_body import Bodies, media_type
from metanode.host.http_calls import Calls
from metanode.host.http_guard import Caller

_MSGPACK: Final = msgspec.msgpack.Encoder()


def caller_of(http: HttpRequest) -> Caller:
    """Whom the guard let in."""
    caller = http.scope["metanode.caller"]
    assert isinstance(caller, Caller), "the guard stands before every route"
    return caller


def read_arguments(method: Method[Any, Any], http: HttpRequest) -> Request | ApiError:
    """HTTP-5. The typed request out of path and query. A repeated or unknown argument is refused."""
    pairs = http.query_params.multi_items()
    values: dict[str, str] = dict(pairs)
    if len(values) != len(pairs):
        return ApiError(ApiRefusal.INVALID_ARGUMENTS, "an argument is given twice")
    for name in values:
        if name in method.path_fields or name not in method.request.__struct_fields__:
            return ApiError(ApiRefusal.INVALID_ARGUMENTS, f"unknown argument {name[:80]!r}")
    values.update(http.path_params)
    try:
        request: Request = msgspec.convert(values, method.request, strict=False)
    except (msgspec.ValidationError, UnicodeError) as error:
        return ApiError(ApiRefusal.INVALID_ARGUMENTS, str(error))
    return request


def read_json(method: Method[Any, Any], body: bytes) -> Request | ApiError:
    """HTTP-5. The typed request out of a JSON body."""
    try:
        request: Request = msgspec.json.decode(body, type=method.request)
    except msgspec.ValidationError as error:
        return ApiError(ApiRefusal.INVALID_ARGUMENTS, str(error))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return ApiError(ApiRefusal.MALFORMED, str(error))
    return request


class Rest:
    """Turns the table into routes."""

    def __init__(self, bodies: Bodies, calls: Calls) -> None:
        self._bodies: Final = bodies
        self._calls: Final = calls

    def routes(self) -> list[Route]:
        """HTTP-5. One route a path; a path with several verbs has one endpoint that chooses."""
        by_path: dict[str, dict[str, Method[Any, Any]]] = {}
        for method in METHODS.values():
            by_path.setdefault(method.path, {})[method.verb] = method
        # Fixed paths first, so that /v1/events/page is not taken for a name.
        return [self._route(path, by_path[path]) for path in sorted(by_path, key=lambda p: ("{" in p, p))]

    def _route(self, path: str, verbs: dict[str, Method[Any, Any]]) -> Route:
        async def endpoint(http: HttpRequest) -> Response:
            method = verbs["GET" if http.method == "HEAD" else http.method]
            if method.verb == "POST":
                return await self._post(method, http)
            return await self._answer(method, read_arguments(method, http), http)

        return Route(path, endpoint, methods=list(verbs))

    async def _post(self, method: Method[Any, Any], http: HttpRequest) -> Response:
        async with self._bodies.read(http) as body:
            if isinstance(body, ApiError):
                return error_response(body)
            return await self._post_body(method, body, http)

    async def _post_body(self, method: Method[Any, Any], body: bytes, http: HttpRequest) -> Response:
        kind = media_type(http)
        if kind == BYTES and method is TRANSACTION_SUBMIT_BATCH:
            return await self._post_binary(body, http)
        if kind != JSON:
            return error_response(ApiError(ApiRefusal.WRONG_MEDIA_TYPE, f"{kind[:80]!r} is not {JSON}"))
        return await self._answer(method, read_json(method, body), http)

    async def _post_binary(self, body: bytes, http: HttpRequest) -> Response:
        """HTTP-14. A msgpack array of transactions; answered by one of [identity, code, detail]."""
        outcomes = await self._calls.submit_binary(body, caller_of(http))
        if isinstance(outcomes, ApiError):
            return error_response(outcomes)
        return bytes_response(_MSGPACK.encode(outcomes), BYTES)

    async def _answer(self, method: Method[Any, Any], request: Request | ApiError, http: HttpRequest) -> Response:
        if isinstance(request, ApiError):
            refusal = self._calls.refusal(method, caller_of(http))
            return error_response(refusal or request)
        answer = await self._calls.call(method, request, caller_of(http))
        if isinstance(answer, ApiError):
            return error_response(answer)
        if method.raw and http.headers.get("accept", "") == BYTES:
            return bytes_response(bytes.fromhex(getattr(answer, method.raw)), BYTES)
        return json_response(answer)
