"""OpenAPI and OpenRPC: complete, consistent, made of the table alone."""

from pathlib import Path
from typing import Any

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


def test_openrpc_has_every_method_with_its_arguments() -> None:
    methods = {m["name"]: [p["name"] for p in m["params"]] for m in openrpc("1")["methods"]}
    assert methods == {n: list(m.request.__struct_fields__) for n, m in METHODS.items()}


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
