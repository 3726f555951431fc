"""JSON-RPC 2.0, by the examples of its specification and by ours."""

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from tests.integration.fake_node import Port, open_port, sample
from tests.integration.http_client import ask, rpc

from metanode.api.errors import ApiError, ApiRefusal
from metanode.api.node import NodeStatus


@pytest.fixture(scope="module")
def port() -> Iterator[Port]:
    with open_port(rate_per_second=1_000, rate_burst=1_000) as opened:
        yield opened


def call(method: str, params: Any = None, identifier: Any = 1) -> dict[str, Any]:
    """A request."""
    request = {"jsonrpc": "2.0", "method": method, "id": identifier}
    return request if params is None else {**request, "params": params}


@pytest.mark.parametrize("identifier", [1, "one", 1.5, None])
def test_a_call_is_answered_under_its_id(port: Port, identifier: Any) -> None:
    reply = rpc(port, call("node.status", identifier=identifier))
    assert reply.status == 200
    assert reply.json == {"jsonrpc": "2.0", "id": identifier, "result": msgspec.to_builtins(sample(NodeStatus))}


def test_parameters_by_name_and_by_position(port: Port) -> None:
    for params in ({"before": 9, "limit": 2}, [9, 2], [9]):
        assert "result" in rpc(port, call("block.list", params)).json
        assert port.node.asked[-1][1].before == 9  # type: ignore[attr-defined]


def test_a_notification_is_carried_out_and_not_answered(port: Port) -> None:
    reply = rpc(port, {"jsonrpc": "2.0", "method": "coin.list"})
    assert (reply.status, reply.body) == (204, b"")
    assert port.node.asked[-1][0] == "coin.list"


@pytest.mark.parametrize(
    ("body", "number", "code"),
    [
        (b"{", -32700, ApiRefusal.MALFORMED),
        (b"", -32700, ApiRefusal.MALFORMED),
        (b"[1,", -32700, ApiRefusal.MALFORMED),
        (b"\xff", -32700, ApiRefusal.MALFORMED),
        (b"1", -32600, ApiRefusal.INVALID_REQUEST),
        (b"[]", -32600, ApiRefusal.INVALID_REQUEST),
        (b"{}", -32600, ApiRefusal.INVALID_REQUEST),
        (b'{"jsonrpc":"1.0","method":"node.status","id":1}', -32600, ApiRefusal.INVALID_REQUEST),
        (b'{"jsonrpc":"2.0","method":1,"id":1}', -32600, ApiRefusal.INVALID_REQUEST),
        (b'{"jsonrpc":"2.0","method":"node.status","id":[]}', -32600, ApiRefusal.INVALID_REQUEST),
        (b'{"jsonrpc":"2.0","method":"no.such","id":1}', -32601, ApiRefusal.UNKNOWN_METHOD),
        (b'{"jsonrpc":"2.0","method":"block.get","id":1}', -32602, ApiRefusal.INVALID_ARGUMENTS),
        (b'{"jsonrpc":"2.0","method":"block.get","id":1,"params":7}', -32602, ApiRefusal.INVALID_ARGUMENTS),
        (b'{"jsonrpc":"2.0","method":"block.get","id":1,"params":[1,2]}', -32602, ApiRefusal.INVALID_ARGUMENTS),
        (b'{"jsonrpc":"2.0","method":"block.get","id":1,"params":{"h":1}}', -32602, ApiRefusal.INVALID_ARGUMENTS),
    ],
)
def test_what_is_no_call(port: Port, body: bytes, number: int, code: ApiRefusal) -> None:
    reply = rpc(port, body, content_type="application/json")
    assert reply.status == 400
    assert reply.json["error"]["code"] == number
    assert reply.json["error"]["data"]["code"] == code


def test_a_refused_call_has_the_six_fields(port: Port) -> None:
    port.node.answers["coin.get"] = ApiError(ApiRefusal.NOT_FOUND, "no coin 'EUR'")
    try:
        reply = rpc(port, call("coin.get", {"coin": "EUR"}))
    finally:
        del port.node.answers["coin.get"]
    assert reply.status == 200
    assert reply.json == {
        "jsonrpc": "2.0",
        "id": 1,
        "error": {
            "code": -32001,
            "message": "no coin 'EUR'",
            "data": {
                "code": "api.not-found",
                "exit": 3,
                "message": "no coin 'EUR'",
                "rule": "HTTP-3",
                "fix": "check the name; the chain may be another",
                "retryable": False,
            },
        },
    }


def test_a_batch_answers_each_and_no_notification(port: Port) -> None:
    batch = [call("node.status", identifier="a"), {"jsonrpc": "2.0", "method": "coin.list"}, 1, call("no.such")]
    reply = rpc(port, batch)
    assert reply.status == 200
    assert [(a["id"], "result" in a, a.get("error", {}).get("code")) for a in reply.json] == [
        ("a", True, None),
        (None, False, -32600),
        (1, False, -32601),
    ]


def test_a_batch_of_notifications_is_answered_by_nothing(port: Port) -> None:
    reply = rpc(port, [{"jsonrpc": "2.0", "method": "coin.list"}] * 2)
    assert (reply.status, reply.body) == (204, b"")


def test_a_batch_is_bounded_and_costs_what_it_holds(port: Port) -> None:
    assert rpc(port, [call("node.status")] * 101).code == ApiRefusal.INVALID_REQUEST
    codes = {rpc(port, [call("node.status")] * 100).status for _ in range(30)}
    assert codes == {200, 429}


def test_the_body_must_be_json(port: Port) -> None:
    reply = ask(port, "POST", "/rpc", b"{}", content_type="text/plain")
    assert (reply.status, reply.code) == (415, ApiRefusal.WRONG_MEDIA_TYPE)
