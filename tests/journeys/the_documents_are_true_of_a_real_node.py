"""What a real node serves as its documents is true of its own answers: requests made from them, and judged by them."""

from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.core.failures import FailureGroup
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import positive_data_acceptance
from tests.integration.test_http_documents import whole_numbers
from tests.journeys.town import House, town, until
from tests.journeys.traffic import named, signed, stranger, transfer

from metanode.api.method import Scope
from metanode.api.methods import METHODS

READS = sorted(name for name, method in METHODS.items() if method.scope is Scope.READ and name != "transaction.wait")
EXAMPLES = 8
"""Of each method: tests/integration/test_http_documents.py makes more, before a pretended node."""


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A node of a chain on which somebody has paid somebody."""
    with town(tmp_path_factory.mktemp("documents")) as nodes:
        identity, encoded = signed(nodes.chain_id, named("acme"), transfer(stranger(1), 5))
        with nodes[0].ask() as client:
            client.transaction.submit(encoded)
            assert client.transaction.wait(identity.hex()).state == "final"
        until(lambda: nodes[0].height() > 3, 20, "a few blocks")
        yield nodes[0]


@pytest.fixture(scope="module")
def schema(node: House) -> Any:
    return schemathesis.openapi.from_url(f"{node.url}/openapi.json")


@pytest.mark.parametrize("name", READS)
def test_a_real_answer_is_what_the_document_says(schema: Any, name: str) -> None:
    operation = next(o.ok() for o in schema.get_all_operations() if o.ok().definition.raw["operationId"] == name)

    @given(case=operation.as_strategy(generation_mode=GenerationMode.POSITIVE))
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    def check(case: Any) -> None:
        case.body = whole_numbers(case.body)
        # What is well asked for may still not be there: 404 and 410 are in the document.
        case.call_and_validate(timeout=10, excluded_checks=[positive_data_acceptance])

    try:
        check()
    except FailureGroup as group:
        pytest.fail("\n\n".join(str(failure) for failure in group.exceptions))


GOOD: dict[str, dict[str, Any]] = {
    "block.get": {"height": 1},
    "block.export": {"height": 1},
    "validator.get": {"name": "validator-1"},
    "account.get": {"account": "acme"},
    "coin.get": {"coin": "USD"},
    "state.prove": {"module": "coin", "key": b"csUSD".hex()},
}
"""Path parameters of what is there: these must be answered, not refused."""


@pytest.mark.parametrize("name", sorted({n for n in READS if "{" not in METHODS[n].path} | set(GOOD)))
def test_what_is_there_is_answered_in_the_shape_of_the_document(schema: Any, name: str) -> None:
    operation = schema[METHODS[name].path]["GET"]
    response = operation.Case(path_parameters=GOOD.get(name, {})).call_and_validate(timeout=10)
    assert response.status_code == 200
