"""The OpenRPC document, derived from the table."""

from typing import Any, Final

import msgspec

from metanode.api.errors import EXPLANATIONS
from metanode.api.method import Method
from metanode.api.methods import METHODS

OPENRPC_VERSION: Final = "1.3.2"
"""The version of the OpenRPC specification the document follows."""
_REFERENCE: Final = "#/components/schemas/{name}"


def components() -> dict[str, Any]:
    """HTTP-17. The JSON schemas of every request and answer, by name."""
    kinds = [kind for method in METHODS.values() for kind in (method.request, method.answer)]
    _, schemas = msgspec.json.schema_components(kinds, ref_template=_REFERENCE)
    return schemas


def fields_of(method: Method[Any, Any], schemas: dict[str, Any]) -> list[tuple[str, dict[str, Any], bool]]:
    """HTTP-17. Of every argument of a method: its name, its schema, whether it must be given."""
    schema = schemas[method.request.__name__]
    required = schema.get("required", [])
    return [(name, part, name in required) for name, part in schema["properties"].items()]


def _method(method: Method[Any, Any], schemas: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": method.name,
        "summary": method.summary,
        "description": schemas[method.answer.__name__].get("description", ""),
        "tags": [{"name": method.scope.value}, *([{"name": "development"}] if method.development else [])],
        "paramStructure": "by-name",
        "params": [
            {"name": name, "required": required, "schema": schema}
            for name, schema, required in fields_of(method, schemas)
        ],
        "result": {"name": "answer", "schema": {"$ref": _REFERENCE.format(name=method.answer.__name__)}},
        "errors": [
            {"code": meaning.rpc_code, "message": code, "data": {"exit": int(meaning.exit), "fix": meaning.fix}}
            for code, meaning in EXPLANATIONS.items()
            if code.startswith("api.")
        ],
    }


def openrpc(version: str) -> dict[str, Any]:
    """HTTP-17. The document of POST /rpc. `version`: of this program."""
    schemas = components()
    return {
        "openrpc": OPENRPC_VERSION,
        "info": {"title": "Metanode", "version": version, "license": {"name": "Apache-2.0"}},
        "servers": [{"name": "node", "url": "/rpc"}],
        "methods": [_method(method, schemas) for method in METHODS.values()],
        "components": {"schemas": schemas},
    }
