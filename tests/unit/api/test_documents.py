"""OpenAPI and OpenRPC: complete, consistent, made of the table alone."""

import copy
from pathlib import Path
from typing import Any

import msgspec

from metanode.api.errors import ApiRefusal, explain
from metanode.api.methods import METHODS
from metanode.api.openapi import openapi
from metanode.api.openrpc import openrpc

ROOT = Path(__file__).resolve().parents[3]


def references(value: Any) -> list[str]:
    """Every $ref in a document."""
    if isinstance(value, dict):
        own = [value["$ref"]] if isinstance(value.get("$ref"), str) else []
        return own + [r for item in value.values() for r in references(item)]
    return [r for item in value for r in references(item)] if isinstance(value, list) else []


def resolved(document: Any, reference: str) -> Any:
    """What a reference points at."""
    for part in reference.removeprefix("#/").split("/"):
        document = document[part]
    return document


def test_every_reference_leads_somewhere() -> None:
    for document in (openapi("1"), openrpc("1")):
        assert references(document)
        for reference in references(document):
            resolved(document, reference)


def test_openapi_has_every_method_once() -> None:
    paths = openapi("1")["paths"]
    operations = {op["operationId"]: (path, verb) for path, verbs in paths.items() for verb, op in verbs.items()}
    assert {n: operations[n] for n in METHODS} == {n: (m.path, m.verb.lower()) for n, m in METHODS.items()}
    assert set(operations) - set(METHODS) == {"rpc", "events", "health", "ready", "metrics"}


def test_openapi_tells_of_every_status_a_request_can_end_with() -> None:
    told = {int(s) for verbs in openapi("1")["paths"].values() for op in verbs.values() for s in op["responses"]}
    client_side = {ApiRefusal.BAD_ANSWER, ApiRefusal.WRONG_VERB}
    assert {explain(r).http_status for r in ApiRefusal if r not in client_side} <= told


def test_every_path_parameter_is_required() -> None:
    for path, verbs in openapi("1")["paths"].items():
        for operation in verbs.values():
            in_path = {p["name"] for p in operation.get("parameters", ()) if p["in"] == "path"}
            assert in_path == {part.partition("}")[0] for part in path.split("{")[1:]}
            assert all(p["required"] for p in operation.get("parameters", ()) if p["in"] == "path")


def schema_of(kind: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """(the schema of one type, what it refers to), made anew from the type alone."""
    (made,), parts = msgspec.json.schema_components([kind], ref_template="#/components/schemas/{name}")
    return resolved({"components": {"schemas": parts}}, made["$ref"]), parts


def differences(document: Any) -> list[str]:
    """Where an OpenRPC document says something else than the table: arguments, results, and all their parts."""
    parts, told = document["components"]["schemas"], {m["name"]: m for m in document["methods"]}
    found = [f"methods: {sorted(set(told) ^ set(METHODS))}"] if set(told) != set(METHODS) else []
    for name, method in METHODS.items():
        request, below_request = schema_of(method.request)
        answer, below_answer = schema_of(method.answer)
        arguments = [(p["name"], p["schema"], p["required"]) for p in told[name]["params"]]
        required = request.get("required", [])
        if arguments != [(n, schema, n in required) for n, schema in request.get("properties", {}).items()]:
            found.append(f"{name}: arguments")
        if resolved(document, told[name]["result"]["schema"]["$ref"]) != answer:
            found.append(f"{name}: result")
        found += [f"{name}: {n}" for n, s in (below_request | below_answer).items() if parts.get(n) != s]
    return found


def test_openrpc_says_of_every_method_what_the_table_says() -> None:
    assert differences(openrpc("1")) == []


def test_a_false_openrpc_document_would_be_noticed() -> None:
    for spoil in (
        lambda d: d["methods"][0]["result"].update(schema={"$ref": "#/components/schemas/CoinView"}),
        lambda d: d["components"]["schemas"]["CoinView"]["properties"].update(supply={"type": "integer"}),
        lambda d: next(m for m in d["methods"] if m["params"])["params"][0].update(required=None),
        lambda d: next(m for m in d["methods"] if m["params"])["params"][0].update(schema={}),
        lambda d: next(m for m in d["methods"] if m["params"])["params"].pop(),
    ):
        document = copy.deepcopy(openrpc("1"))
        spoil(document)
        assert differences(document), spoil


def test_every_type_says_what_it_means() -> None:
    schemas = openapi("1")["components"]["schemas"]
    assert [name for name, schema in schemas.items() if not schema.get("description")] == []


def test_the_page_of_the_api_lists_every_method() -> None:
    page = (ROOT / "docs" / "api.md").read_text()
    rows = [line for line in page.splitlines() if line.startswith("| `")]
    assert [row.split(" | ")[:2] for row in rows] == [
        [f"| `{m.name}`", f"`{m.verb} {m.path}`"] for m in METHODS.values()
    ]
    assert [
        m.name for row, m in zip(rows, METHODS.values(), strict=True) if not row.endswith(f" | {m.summary} |")
    ] == []
