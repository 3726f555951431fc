"""The OpenAPI document, derived from the table."""

from typing import Any, Final

import msgspec

from metanode.api.errors import EXPLANATIONS, ApiRefusal, ErrorBody, explain
from metanode.api.method import Method, Scope
from metanode.api.methods import METHODS, TRANSACTION_SUBMIT_BATCH
from metanode.api.openrpc import components, fields_of

OPENAPI_VERSION: Final = "3.1.0"
"""The version of the OpenAPI specification the document follows."""
JSON: Final = "application/json"
"""The media type of every request and answer that is not bytes, text or a stream."""
BYTES: Final = "application/octet-stream"
"""The media type of what is not JSON: a binary batch, a receipt file, a block."""
EVENTS: Final = "text/event-stream"
"""The media type of the stream of events."""
PROMETHEUS: Final = "text/plain; version=0.0.4; charset=utf-8"
"""The media type of /metrics."""

_ALWAYS: Final = (
    ApiRefusal.INVALID_ARGUMENTS,
    ApiRefusal.UNAUTHENTICATED,
    ApiRefusal.FORBIDDEN,
    ApiRefusal.NOT_FOUND,
    ApiRefusal.PRUNED,
    ApiRefusal.BODY_TOO_LARGE,
    ApiRefusal.WRONG_HOST,
    ApiRefusal.RATE_LIMITED,
    ApiRefusal.HEADERS_TOO_LARGE,
    ApiRefusal.INTERNAL,
    ApiRefusal.NOT_READY,
    ApiRefusal.TIMED_OUT,
)
_WITH_BODY: Final = (ApiRefusal.WRONG_MEDIA_TYPE, ApiRefusal.CONFLICT, "codec.malformed")
_ERROR: Final = {"$ref": "#/components/responses/Error"}


def _errors(*more: str) -> dict[str, Any]:
    return {str(status): _ERROR for status in sorted({explain(code).http_status for code in (*_ALWAYS, *more)})}


def _content(schema: dict[str, Any], raw: bool = False) -> dict[str, Any]:  # noqa: FBT001, FBT002
    content: dict[str, Any] = {JSON: {"schema": schema}}
    if raw:
        content[BYTES] = {"schema": {"type": "string", "format": "binary"}}
    return content


def _operation(method: Method[Any, Any], schemas: dict[str, Any]) -> dict[str, Any]:
    answer = {"$ref": f"#/components/schemas/{method.answer.__name__}"}
    raw = bool(method.raw) or method is TRANSACTION_SUBMIT_BATCH
    operation: dict[str, Any] = {
        "operationId": method.name,
        "summary": method.summary,
        "tags": [method.scope.value],
        "responses": {"200": {"description": "The answer.", "content": _content(answer, raw)}},
    }
    if method.verb == "POST":
        request = {"$ref": f"#/components/schemas/{method.request.__name__}"}
        content = _content(request, method is TRANSACTION_SUBMIT_BATCH)
        operation["requestBody"] = {"required": True, "content": content}
        operation["responses"].update(_errors(*_WITH_BODY))
    else:
        operation["parameters"] = [
            {
                "name": name,
                "in": "path" if name in method.path_fields else "query",
                "required": required,
                "schema": schema,
            }
            for name, schema, required in fields_of(method, schemas)
        ]
        operation["responses"].update(_errors())
    operation["security"] = [{}, {"bearer": [method.scope.value]}]
    return operation


def _plain(operation_id: str, summary: str, media_type: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {
        "operationId": operation_id,
        "summary": summary,
        "tags": [Scope.READ.value],
        "responses": {"200": {"description": summary, "content": {media_type: {"schema": schema}}}, **_errors()},
        "security": [{}, {"bearer": [Scope.READ.value]}],
    }


def _rpc_request(method: Method[Any, Any], schemas: dict[str, Any]) -> dict[str, Any]:
    """One method's request: parameters by name, or by position in the order of the fields."""
    fields = fields_of(method, schemas)
    least = sum(required for _, _, required in fields)
    assert all(required for _, _, required in fields[:least]), "what must be given comes first"
    positions: dict[str, Any] = {"type": "array", "minItems": least, "maxItems": len(fields)}
    if fields:
        positions["prefixItems"] = [schema for _, schema, _ in fields]
    by_name = {"$ref": f"#/components/schemas/{method.request.__name__}"}
    return {
        "type": "object",
        "title": method.name,
        "required": ["jsonrpc", "method", *(["params"] if least else [])],
        "properties": {
            "jsonrpc": {"const": "2.0"},
            "id": {"type": ["string", "number", "null"]},
            "method": {"const": method.name},
            "params": {"oneOf": [by_name, positions]},
        },
    }


def _rpc(schemas: dict[str, Any]) -> dict[str, Any]:
    request = {"oneOf": [_rpc_request(method, schemas) for method in METHODS.values()]}
    batch = {"type": "array", "items": {"type": "object"}, "minItems": 1, "maxItems": 100}
    error = {
        "type": "object",
        "required": ["code", "message", "data"],
        "properties": {
            "code": {"type": "integer"},
            "message": {"type": "string"},
            "data": {"$ref": "#/components/schemas/ErrorForm"},
        },
    }
    answer = {
        "type": "object",
        "required": ["jsonrpc", "id"],
        "properties": {"jsonrpc": {"const": "2.0"}, "result": {"type": "object"}, "error": error},
    }
    refused = {**answer, "required": ["jsonrpc", "id", "error"]}
    either = {"oneOf": [answer, {"type": "array", "items": answer}]}
    return {
        "operationId": "rpc",
        "summary": "The same methods as JSON-RPC 2.0, one or a batch; see /openrpc.json.",
        "tags": ["rpc"],
        "requestBody": {"required": True, "content": {JSON: {"schema": {"oneOf": [request, batch]}}}},
        "responses": {
            "200": {"description": "Answers or errors, as JSON-RPC says.", "content": {JSON: {"schema": either}}},
            "204": {"description": "Nothing but notifications was asked."},
            **_errors(*_WITH_BODY),
            "400": {"description": "Not a request of JSON-RPC.", "content": {JSON: {"schema": refused}}},
        },
        "security": [{}, {"bearer": []}],
    }


def _events() -> dict[str, Any]:
    operation = _plain("events", "Events as they become final, as a stream.", EVENTS, {"type": "string"})
    cursor = {"type": "string", "pattern": "^([0-9]{1,19}:[0-9]{1,9})?$"}
    operation["parameters"] = [
        {"name": "Last-Event-ID", "in": "header", "required": False, "schema": cursor},
        {"name": "after", "in": "query", "required": False, "schema": cursor},
        {"name": "kinds", "in": "query", "required": False, "schema": {"type": "string", "maxLength": 64}},
        {"name": "mentions", "in": "query", "required": False, "schema": {"type": "string", "maxLength": 64}},
    ]
    return operation


def openapi(version: str) -> dict[str, Any]:
    """HTTP-17. The document of everything below /v1 and of the plain pages. `version`: of this program."""
    schemas = components()
    _, error = msgspec.json.schema_components([ErrorBody], ref_template="#/components/schemas/{name}")
    schemas.update(error)
    paths: dict[str, dict[str, Any]] = {}
    for method in METHODS.values():
        paths.setdefault(method.path, {})[method.verb.lower()] = _operation(method, schemas)
    health = {"type": "object", "required": ["ok"], "properties": {"ok": {"const": True}}}
    paths["/rpc"] = {"post": _rpc(schemas)}
    paths["/v1/events"] = {"get": _events()}
    paths["/health"] = {"get": _plain("health", "The process lives.", JSON, health)}
    paths["/ready"] = {"get": _plain("ready", "The node has recovered and follows the chain.", JSON, health)}
    paths["/metrics"] = {"get": _plain("metrics", "Counters for Prometheus.", PROMETHEUS, {"type": "string"})}
    codes = ", ".join(sorted(code for code in EXPLANATIONS if code.startswith("api.")))
    return {
        "openapi": OPENAPI_VERSION,
        "info": {
            "title": "Metanode",
            "version": version,
            "license": {"name": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "responses": {
                "Error": {
                    "description": f"Why not: {codes}, or the code of the rule that was broken.",
                    "content": {JSON: {"schema": {"$ref": "#/components/schemas/ErrorBody"}}},
                }
            },
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}},
        },
    }
