"""REST: every method of the table under its path, arguments judged, errors in one shape."""

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from tests.integration.fake_node import Port, open_port, sample
from tests.integration.http_client import ask, raw

from metanode.api.errors import ApiError, ApiRefusal
from metanode.api.method import Method
from metanode.api.methods import METHODS
from metanode.api.openapi import BYTES

PATHS = {
    "height": "3",
    "name": "validator-1",
    "account": "acme",
    "coin": "USD",
    "identity": "ab" * 32,
    "digest": "cd" * 32,
    "receipt": "rcpt_90000M2Z",
    "module": "coin",
    "key": "00ff",
    "proposal": "1",
    "cluster": "shop",
    "node": "node-1",
    "workload": "web",
    "index": "0",
}
BODIES: dict[str, Any] = {
    "transaction.submit": {"transaction": "00112233"},
    "transaction.submit_batch": {"transactions": ["00112233"]},
    "evidence.submit": {"encoded": "00112233"},
    "fault.set": {"kind": "latency", "value_ms": 20},
}
COMPOUND = {
    "transaction.get",
    "transaction.submit",
    "transaction.submit_batch",
    "transaction.wait",
    "fault.clear",
    "fault.set",
    "event.list",
}


@pytest.fixture(scope="module")
def port() -> Iterator[Port]:
    with open_port(request_timeout_ms=1_000) as opened:
        yield opened


@pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)
def test_every_method_answers_what_the_table_says(port: Port, method: Method[Any, Any]) -> None:
    path = method.path.format(**PATHS) + ("?timeout_ms=0" if method.name == "transaction.wait" else "")
    reply = ask(port, method.verb, path, BODIES.get(method.name))
    assert reply.status == 200, reply.body
    answer = msgspec.json.decode(reply.body, type=method.answer)
    if method.name not in COMPOUND:
        assert answer == sample(method.answer)
        name, request = port.node.asked[-1]
        assert (name, type(request)) == (method.name, method.request)


def test_the_query_is_typed(port: Port) -> None:
    assert ask(port, "GET", "/v1/blocks?before=17&limit=2").status == 200
    assert msgspec.to_builtins(port.node.asked[-1][1]) == {"before": 17, "limit": 2}


@pytest.mark.parametrize(
    ("path", "word"),
    [
        ("/v1/blocks/x", "height"),
        ("/v1/blocks/-1", "height"),
        ("/v1/blocks/9223372036854775808", "height"),
        ("/v1/blocks?limit=0", "limit"),
        ("/v1/blocks?limit=501", "limit"),
        ("/v1/blocks?limit=1&limit=2", "twice"),
        ("/v1/blocks?limt=1", "limt"),
        ("/v1/blocks/3?height=4", "height"),
        ("/v1/transactions/abcd", "identity"),
        ("/v1/transactions/" + "AB" * 32, "identity"),
        ("/v1/transactions/" + "ab" * 32 + "%0A", "identity"),
        ("/v1/receipts/rcpt_", "receipt"),
        ("/v1/accounts/%00", "account"),
        ("/v1/transactions/" + "ab" * 32 + "/wait?until=never", "until"),
    ],
)
def test_a_wrong_argument_is_named(port: Port, path: str, word: str) -> None:
    reply = ask(port, "GET", path)
    assert (reply.status, reply.code) == (400, ApiRefusal.INVALID_ARGUMENTS)
    assert word in reply.json["error"]["message"]
    assert set(reply.json["error"]) == {"code", "exit", "message", "rule", "fix", "retryable"}


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"{", ApiRefusal.MALFORMED),
        (b"", ApiRefusal.MALFORMED),
        (b"\xff", ApiRefusal.MALFORMED),
        (b"[" * 100_000, ApiRefusal.INVALID_ARGUMENTS),
        (b"[]", ApiRefusal.INVALID_ARGUMENTS),
        (b"{}", ApiRefusal.INVALID_ARGUMENTS),
        (b'{"transaction":"0"}', ApiRefusal.INVALID_ARGUMENTS),
        (b'{"transaction":"zz"}', ApiRefusal.INVALID_ARGUMENTS),
        (b'{"transaction":"a b"}', ApiRefusal.INVALID_ARGUMENTS),
        (b'{"transaction":"0011","encoding":"rot13"}', ApiRefusal.INVALID_ARGUMENTS),
        (b'{"transaction":"0011","memo":""}', ApiRefusal.INVALID_ARGUMENTS),
    ],
)
def test_a_wrong_body_is_refused(port: Port, body: bytes, code: ApiRefusal) -> None:
    reply = ask(port, "POST", "/v1/transactions", body, content_type="application/json")
    assert (reply.status, reply.code) == (400, code)


def test_a_wrong_media_type_is_refused(port: Port) -> None:
    for kind in ("text/plain", "application/x-www-form-urlencoded", "", BYTES):
        reply = ask(port, "POST", "/v1/transactions", b"{}", content_type=kind)
        assert (reply.status, reply.code) == (415, ApiRefusal.WRONG_MEDIA_TYPE)


def test_a_wrong_verb_is_told_the_right_ones(port: Port) -> None:
    reply = ask(port, "PUT", "/v1/faults", {})
    assert (reply.status, reply.code) == (405, ApiRefusal.WRONG_VERB)
    assert set(reply.headers["allow"].split(", ")) == {"DELETE", "POST"}


def test_an_unknown_path_is_refused(port: Port) -> None:
    for path in ("/", "/v1", "/v1/block", "/v1/blocks/3/4/5", "/../etc/passwd", "/%2e%2e"):
        reply = ask(port, "GET", path)
        assert (reply.status, reply.code) == (404, ApiRefusal.UNKNOWN_METHOD)


def test_one_transaction_may_be_sent_twice(port: Port) -> None:
    first = ask(port, "POST", "/v1/transactions", {"transaction": "aGVsbG8=", "encoding": "base64"})
    second = ask(port, "POST", "/v1/transactions", {"transaction": b"hello".hex()})
    assert (first.json["known"], second.json["known"]) == (False, True)
    assert first.json["identity"] == second.json["identity"]


def test_a_refused_transaction_has_the_ledgers_code(port: Port) -> None:
    reply = ask(port, "POST", "/v1/transactions", {"transaction": b"bad!".hex()})
    assert reply.status == 409
    assert reply.json["error"] == {
        "code": "pool.nonce-used",
        "exit": 5,
        "message": "nonce 3, 4 is due",
        "rule": "LEDGER-N5",
        "fix": "ask account.get for the lane's next nonce, sign again and submit",
        "retryable": False,
    }


def test_a_batch_is_judged_one_by_one(port: Port) -> None:
    texts = [b"one1".hex(), b"bad!".hex(), b"x".hex(), b"one1".hex()]
    reply = ask(port, "POST", "/v1/transactions/batch", {"transactions": texts})
    assert [item["code"] for item in reply.json["items"]] == [
        "",
        "pool.nonce-used",
        "codec.malformed",
        ApiRefusal.ALREADY_KNOWN,
    ]
    assert (reply.json["accepted"], reply.json["refused"]) == (2, 2)


def test_a_binary_batch_is_judged_one_by_one(port: Port) -> None:
    body = msgspec.msgpack.encode([b"two2", b"bad!", b"two2"])
    reply = ask(port, "POST", "/v1/transactions/batch", body, content_type=BYTES)
    assert (reply.status, reply.headers["content-type"]) == (200, BYTES)
    outcomes = msgspec.msgpack.decode(reply.body)
    assert [code for _, code, _ in outcomes] == ["", "pool.nonce-used", ApiRefusal.ALREADY_KNOWN]
    assert [len(identity) for identity, _, _ in outcomes] == [32, 32, 32]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", ApiRefusal.MALFORMED),
        (b"\xc1", ApiRefusal.MALFORMED),
        (msgspec.msgpack.encode({"a": 1}), ApiRefusal.MALFORMED),
        (msgspec.msgpack.encode(["text"]), ApiRefusal.MALFORMED),
        (msgspec.msgpack.encode([b"one1"]) + b"\x00", ApiRefusal.MALFORMED),
        (b"\xdd\xff\xff\xff\xff", ApiRefusal.MALFORMED),
        (msgspec.msgpack.encode([]), ApiRefusal.INVALID_ARGUMENTS),
        (msgspec.msgpack.encode([b""] * 4_097), ApiRefusal.INVALID_ARGUMENTS),
    ],
)
def test_a_wrong_binary_batch_is_refused(port: Port, body: bytes, code: ApiRefusal) -> None:
    reply = ask(port, "POST", "/v1/transactions/batch", body, content_type=BYTES)
    assert (reply.status, reply.code) == (400, code)


def test_bytes_are_given_as_bytes_to_who_asks(port: Port) -> None:
    reply = ask(port, "GET", "/v1/receipts/rcpt_90000M2Z/file", accept=BYTES)
    assert (reply.headers["content-type"], reply.body) == (BYTES, b"\x00\xff")


@pytest.mark.parametrize(
    ("code", "status"),
    [
        (ApiRefusal.NOT_FOUND, 404),
        (ApiRefusal.PRUNED, 410),
        (ApiRefusal.BEYOND_HEAD, 404),
        (ApiRefusal.CONFLICT, 409),
        (ApiRefusal.NOT_READY, 503),
    ],
)
def test_what_the_node_refuses_keeps_its_code(port: Port, code: ApiRefusal, status: int) -> None:
    port.node.answers["coin.get"] = ApiError(code, "why")
    try:
        reply = ask(port, "GET", "/v1/coins/USD")
    finally:
        del port.node.answers["coin.get"]
    assert (reply.status, reply.code, reply.json["error"]["message"]) == (status, code, "why")


def test_a_bug_is_not_shown_to_strangers(port: Port) -> None:
    port.node.answers["coin.get"] = RuntimeError("secret")
    try:
        reply = ask(port, "GET", "/v1/coins/USD")
    finally:
        del port.node.answers["coin.get"]
    assert (reply.status, reply.code) == (500, ApiRefusal.INTERNAL)
    assert b"secret" not in reply.body


def test_a_node_that_does_not_answer_is_given_up(port: Port) -> None:
    port.node.delay_s = 3
    try:
        reply = ask(port, "GET", "/v1/coins/USD")
        batch = ask(port, "POST", "/v1/transactions", {"transaction": b"slow".hex()})
    finally:
        port.node.delay_s = 0
    assert (reply.status, reply.code) == (504, ApiRefusal.TIMED_OUT)
    assert (batch.status, batch.code) == (504, ApiRefusal.TIMED_OUT)


def test_a_long_poll_ends_with_the_block(port: Port) -> None:
    identity = ask(port, "POST", "/v1/transactions", {"transaction": b"wait for me".hex()}).json["identity"]
    port.loop.call_soon_threadsafe(port.loop.call_later, 0.2, port.node.seal)
    reply = ask(port, "GET", f"/v1/transactions/{identity}/wait?timeout_ms=5000")
    assert (reply.json["state"], reply.json["waiting"]) == ("final", False)


def test_a_long_poll_ends_at_its_deadline(port: Port) -> None:
    reply = ask(port, "GET", f"/v1/transactions/{'cd' * 32}/wait?timeout_ms=100")
    assert (reply.json["state"], reply.json["waiting"]) == ("unknown", True)


def test_health_ready_metrics(port: Port) -> None:
    assert ask(port, "GET", "/health").json == {"ok": True}
    assert ask(port, "GET", "/ready").json == {"ok": True}
    metrics = ask(port, "GET", "/metrics")
    assert metrics.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert metrics.body.startswith(b"# HELP up\nmetanode_up 1\n")


def test_refusals_are_counted_on_every_face() -> None:
    with open_port() as port:
        ask(port, "GET", "/v1/blocks/x")
        ask(port, "POST", "/rpc", {"jsonrpc": "2.0", "id": 1, "method": "block.get", "params": {"height": "x"}})
        ask(port, "GET", "/health", host="evil.example")
        raw(port, b"GET\r\n\r\n")
        text = ask(port, "GET", "/metrics").body.decode()
    samples = dict(line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
    assert samples.pop("metanode_http_connections") in ("1", "2")
    assert samples == {
        "metanode_up": "1",
        "metanode_http_requests_total": "4",
        'metanode_http_refused_total{code="api.invalid-arguments"}': "2",
        'metanode_http_refused_total{code="api.wrong-host"}': "1",
        'metanode_http_refused_total{code="api.malformed"}': "1",
        "metanode_http_long_body_bytes": "0",
        "metanode_http_streams": "0",
    }


def test_a_node_that_recovers_says_so(port: Port) -> None:
    port.node.is_ready = False
    try:
        replies = [ask(port, "GET", path) for path in ("/health", "/v1/status", "/ready", "/v1/coins", "/v1/events")]
    finally:
        port.node.is_ready = True
    assert [reply.status for reply in replies] == [200, 200, 503, 503, 503]
    assert {reply.code for reply in replies[2:]} == {ApiRefusal.NOT_READY}


def test_a_bug_of_the_port_itself_has_the_one_shape_too(port: Port) -> None:
    """HTTP-21, HTTP-2."""
    port.node.answers["peer.list"] = object()  # type: ignore[assignment]
    try:
        asked = {"jsonrpc": "2.0", "id": 1, "method": "peer.list"}
        replies = [ask(port, "GET", "/v1/peers"), ask(port, "POST", "/rpc", asked)]
    finally:
        del port.node.answers["peer.list"]
    assert [(reply.status, reply.code) for reply in replies] == [(500, ApiRefusal.INTERNAL)] * 2
    assert ask(port, "GET", "/v1/peers").status == 200
