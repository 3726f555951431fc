"""The documents are true: requests generated from them are answered as they say."""

from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis.core.failures import FailureGroup
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import negative_data_rejection, positive_data_acceptance
from tests.integration.fake_node import Port, open_port
from tests.integration.http_client import ask, rpc

from metanode.api.errors import ApiRefusal
from metanode.api.methods import METHODS
from metanode.api.openapi import openapi

STREAM = "events"
OPERATIONS = sorted(
    op["operationId"]
    for verbs in openapi("1")["paths"].values()
    for op in verbs.values()
    if op["operationId"] != STREAM
)
EXAMPLES = 15
"""Of each operation; `make soak` is for more."""


JUDGED = ("transaction.submit", "transaction.submit_batch", "rpc")
"""What the document allows and the ledger may refuse all the same: no schema knows what a good transaction is."""


def whole_numbers(value: Any) -> Any:
    """JSON Schema takes 5.0 for an integer; who means a height writes 5, and the node asks for that."""
    match value:
        case float() if value.is_integer():
            return int(value)
        case dict():
            return {key: whole_numbers(item) for key, item in value.items()}
        case list():
            return [whole_numbers(item) for item in value]
        case _:
            return value


@pytest.fixture(scope="module")
def port() -> Iterator[Port]:
    with open_port(rate_per_second=100_000, rate_burst=1_000_000, version="1.2.3") as opened:
        yield opened


@pytest.fixture(scope="module")
def schema(port: Port) -> Any:
    return schemathesis.openapi.from_url(f"{port.url}/openapi.json")


@pytest.mark.parametrize("mode", GenerationMode)
@pytest.mark.parametrize("name", OPERATIONS)
def test_requests_made_from_the_document_are_answered_as_it_says(schema: Any, name: str, mode: GenerationMode) -> None:
    operation = next(o.ok() for o in schema.get_all_operations() if o.ok().definition.raw["operationId"] == name)
    if mode is GenerationMode.NEGATIVE and not (operation.body or operation.query or operation.path_parameters):
        return  # nothing to do wrong

    @given(case=operation.as_strategy(generation_mode=mode))
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    def check(case: Any) -> None:
        if mode is GenerationMode.POSITIVE:
            case.body = whole_numbers(case.body)
            if name == "transaction.wait":
                case.query = {**(case.query or {}), "timeout_ms": 0}
        excluded = [positive_data_acceptance] if name in JUDGED else []
        excluded += [negative_data_rejection] if name == "rpc" else []  # a notification is never answered
        case.call_and_validate(timeout=5, excluded_checks=excluded)

    try:
        check()
    except FailureGroup as group:  # its own text is what a person needs
        pytest.fail("\n\n".join(str(failure) for failure in group.exceptions))


def test_a_false_document_would_be_noticed(port: Port) -> None:
    false = openapi("1")
    false["components"]["schemas"]["CoinView"]["properties"]["supply"] = {"type": "integer"}
    schema = schemathesis.openapi.from_dict(false)
    schema.config.update(base_url=port.url)
    operation = schema["/v1/coins/{coin}"]["GET"]
    with pytest.raises(FailureGroup):
        operation.Case(path_parameters={"coin": "USD"}).call_and_validate()


def test_the_documents_are_served(port: Port) -> None:
    document = ask(port, "GET", "/openapi.json").json
    assert (document["openapi"], document["info"]["version"]) == ("3.1.0", "1.2.3")
    assert {m["name"] for m in ask(port, "GET", "/openrpc.json").json["methods"]} == set(METHODS)


@given(st.data())
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_body_at_rpc_is_answered_by_json_rpc(port: Port, data: st.DataObject) -> None:
    body = data.draw(st.binary(max_size=60) | st.text(max_size=60).map(str.encode))
    reply = rpc(port, body, content_type="application/json")
    assert reply.status == 400
    assert reply.json["error"]["code"] in (-32700, -32600)


def test_numbers_are_told_where_the_operator_wants_them_told() -> None:
    """`metrics.enabled`. Found by review: the setting was read by nobody."""
    with open_port() as port:
        assert ask(port, "GET", "/metrics").status == 200
    with open_port(metrics=False) as port:
        reply = ask(port, "GET", "/metrics")
        assert (reply.status, reply.code) == (404, ApiRefusal.UNKNOWN_METHOD)
