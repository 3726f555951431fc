"""The guard at the port: hosts, origins, tokens, scopes, sizes, rates, connections, slow senders."""

import contextlib
import secrets
import socket
import time
from collections.abc import Iterator

import pytest
from tests.integration.fake_node import Port, open_port
from tests.integration.http_client import ask, raw

from metanode.api.errors import ApiRefusal
from metanode.api.method import Scope
from metanode.api.methods import METHODS
from metanode.host.http_body import BODY_BYTES_FREE, LONG_BODIES_BYTES_MAX
from metanode.host.http_settings import PortSettings, Token, token_digest

TOKENS = {scope: secrets.token_hex(32) for scope in Scope}


@pytest.fixture(scope="module")
def port() -> Iterator[Port]:
    with open_port(
        body_bytes_max=10_000, header_timeout_ms=300, request_timeout_ms=500, origins=("https://wallet.example",)
    ) as opened:
        yield opened


@pytest.fixture(scope="module")
def guarded() -> Iterator[Port]:
    tokens = tuple(Token(scope.value, token_digest(text), (scope,)) for scope, text in TOKENS.items())
    with open_port(PortSettings(port=0, development=True, tokens=tokens, rate_burst=40, rate_per_second=1)) as opened:
        yield opened


@pytest.mark.parametrize("host", ["127.0.0.1:1", "localhost", "LOCALHOST:26600", "[::1]:26600", "10.1.2.3"])
def test_a_host_that_no_stranger_can_own_is_ours(port: Port, host: str) -> None:
    assert ask(port, "GET", "/v1/status", host=host).status == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "localhost.evil.example", "127.0.0.1.nip.io", "", "[", "a b", "@", ":80"]
)
def test_another_host_is_refused(port: Port, host: str) -> None:
    for path in ("/v1/status", "/health", "/rpc"):
        reply = ask(port, "GET", path, host=host)
        assert (reply.status, reply.code) == (421, ApiRefusal.WRONG_HOST)


def test_a_page_of_another_site_is_refused(port: Port) -> None:
    for origin in ("https://evil.example", "null", "http://127.0.0.1:1", "http://["):
        reply = ask(port, "POST", "/rpc", b"{}", origin=origin, content_type="text/plain")
        assert (reply.status, reply.code) == (421, ApiRefusal.WRONG_HOST)


def test_our_own_pages_are_not(port: Port) -> None:
    reply = ask(port, "GET", "/v1/status", origin=port.url)
    assert reply.status == 200
    assert "access-control-allow-origin" not in reply.headers


def test_a_listed_site_may_ask_and_read(port: Port) -> None:
    asked = ask(port, "GET", "/v1/status", origin="https://wallet.example")
    before = ask(port, "OPTIONS", "/rpc", origin="https://wallet.example", access_control_request_method="POST")
    assert (asked.status, before.status) == (200, 204)
    for reply in (asked, before):
        assert reply.headers["access-control-allow-origin"] == "https://wallet.example"


def test_without_a_token_nothing_but_health_is_told(guarded: Port) -> None:
    for path in ("/v1/status", "/metrics", "/rpc", "/v1/events", "/openapi.json"):
        reply = ask(guarded, "GET", path)
        assert (reply.status, reply.code) == (401, ApiRefusal.UNAUTHENTICATED)
        assert reply.headers["www-authenticate"].startswith("Bearer")
    assert [ask(guarded, "GET", path).status for path in ("/health", "/ready")] == [200, 200]


@pytest.mark.parametrize(
    "authorization",
    ["", "Bearer", "Bearer " + "0" * 64, "Basic " + TOKENS[Scope.READ], "Bearer \xff"],
    ids=["none", "no-token", "unknown", "other-scheme", "no-text"],
)
def test_a_wrong_token_is_none(guarded: Port, authorization: str) -> None:
    assert ask(guarded, "GET", "/v1/status", authorization=authorization).code == ApiRefusal.UNAUTHENTICATED


@pytest.mark.parametrize("scope", Scope)
def test_a_token_is_good_for_its_scope_alone(guarded: Port, scope: Scope) -> None:
    header = f"Bearer {TOKENS[scope]}"
    asked = {
        Scope.READ: ask(guarded, "GET", "/v1/status", authorization=header),
        Scope.SUBMIT: ask(guarded, "POST", "/v1/transactions", {"transaction": "00112233"}, authorization=header),
        Scope.ADMIN: ask(guarded, "DELETE", "/v1/faults", authorization=header),
    }
    assert {s: reply.status for s, reply in asked.items()} == {s: 200 if s is scope else 403 for s in Scope}
    assert {reply.code for s, reply in asked.items() if s is not scope} == {ApiRefusal.FORBIDDEN}


def test_metrics_and_events_need_the_scope_read(guarded: Port) -> None:
    header = f"Bearer {TOKENS[Scope.SUBMIT]}"
    for path in ("/metrics", "/v1/events"):
        assert ask(guarded, "GET", path, authorization=header).code == ApiRefusal.FORBIDDEN


def test_a_token_is_asked_whatever_the_host(guarded: Port) -> None:
    assert ask(guarded, "GET", "/v1/status", host="node.example").status == 401


def test_who_asks_too_often_waits(guarded: Port) -> None:
    header = f"Bearer {TOKENS[Scope.READ]}"
    replies = [ask(guarded, "GET", "/v1/status", authorization=header) for _ in range(45)]
    refused = [reply for reply in replies if reply.status == 429]
    assert 1 <= len(refused) < 45
    assert {reply.code for reply in refused} == {ApiRefusal.RATE_LIMITED}
    assert {int(reply.headers["retry-after"]) for reply in refused} == {1}


def test_faults_exist_on_development_chains_only() -> None:
    with open_port(development=False) as port:
        for method in (m for m in METHODS.values() if m.development):
            reply = ask(port, method.verb, method.path, {"kind": "pause"} if method.verb == "POST" else None)
            assert (reply.status, reply.code) == (403, ApiRefusal.DEVELOPMENT_ONLY)


def test_a_body_that_says_it_is_too_long_is_not_read(port: Port) -> None:
    reply = ask(port, "POST", "/v1/transactions", b"x" * 10_001, content_type="application/json")
    assert (reply.status, reply.code) == (413, ApiRefusal.BODY_TOO_LARGE)


def test_who_sends_all_of_a_body_that_is_too_long_hears_why(port: Port) -> None:
    """Found in a journey: the connection was closed on bytes under way, and the client saw a reset, not the 413."""
    body = b"x" * (6 << 20)
    reply = ask(port, "POST", "/v1/transactions", body, content_type="application/json")
    assert (reply.status, reply.code) == (413, ApiRefusal.BODY_TOO_LARGE)
    head = b"POST /rpc HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n"
    answer = raw(port, head + b"\r\n%x\r\n%s\r\n0\r\n\r\n" % (len(body), body))
    assert answer.startswith(b"HTTP/1.1 413")


def test_who_asks_before_sending_a_body_that_is_too_long_need_not_send_it(port: Port) -> None:
    head = b"POST /rpc HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 99999\r\n\r\n"
    assert raw(port, head, timeout_s=1.0).startswith(b"HTTP/1.1 413")


def test_a_body_that_does_not_say_so_is_cut_off(port: Port) -> None:
    head = (
        b"POST /rpc HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    )
    answer = raw(port, head + b"2710\r\n" + b"x" * 10_000 + b"\r\n1\r\nx\r\n0\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 413")
    assert ApiRefusal.BODY_TOO_LARGE.encode() in answer


def test_a_body_that_does_not_arrive_is_given_up(port: Port) -> None:
    answer = raw(port, b"POST /rpc HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{")
    assert answer.startswith(b"HTTP/1.1 504")
    assert ApiRefusal.TIMED_OUT.encode() in answer


def test_long_bodies_together_have_bounded_room(port: Port) -> None:
    """Found by the memory benchmark: bodies of 8 MiB that never ended, on 192 connections, took 1.6 GiB."""
    length = 8 << 20
    head = (
        f"POST /rpc HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
    )
    with open_port(request_timeout_ms=60_000) as opened:
        with contextlib.ExitStack() as held:
            for _ in range(LONG_BODIES_BYTES_MAX // length):
                plug = held.enter_context(socket.create_connection(opened.address, timeout=20))
                plug.sendall(head.encode() + b" " * (length - 1))
            third = held.enter_context(socket.create_connection(opened.address, timeout=20))
            third.sendall(head.encode() + b" " * length)  # all of it: the answer is not lost
            answer = third.recv(65_536)
            assert answer.startswith(b"HTTP/1.1 503"), answer
            assert ApiRefusal.BUSY.encode() in answer
            small = ask(opened, "POST", "/rpc", b" " * BODY_BYTES_FREE, content_type="application/json")
            assert (small.status, small.code) == (400, ApiRefusal.MALFORMED)
        deadline = time.monotonic() + 20
        while (long := ask(opened, "POST", "/rpc", b" " * length, content_type="application/json")).status == 503:
            assert time.monotonic() < deadline, "room comes back when they hang up"
        assert (long.status, long.code) == (400, ApiRefusal.MALFORMED)


@pytest.mark.parametrize(
    "headers",
    [b"X: " + b"x" * 20_000, b"\r\n".join(b"X-%d: 1" % i for i in range(65)), b"X: " + b"x" * 300_000],
    ids=["long", "many", "endless"],
)
def test_too_many_or_too_long_headers_are_refused(port: Port, headers: bytes) -> None:
    answer = raw(port, b"GET /v1/status HTTP/1.1\r\nHost: localhost\r\n" + headers + b"\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 431")
    assert ApiRefusal.HEADERS_TOO_LARGE.encode() in answer
    assert answer.count(b"HTTP/1.1") == 1


def test_a_header_that_never_ends_is_refused_while_it_arrives(port: Port) -> None:
    answer = raw(port, b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * 40_000)
    assert answer.startswith(b"HTTP/1.1 431")


@pytest.mark.parametrize("start", [b"", b"GET /v1/status HTTP/1.1\r\nHost: loc"], ids=["nothing", "half a header"])
def test_who_sends_slowly_is_hung_up(port: Port, start: bytes) -> None:
    began = time.monotonic()
    assert raw(port, start) == b""
    assert time.monotonic() - began < 3


@pytest.mark.parametrize(
    "data",
    [
        b"\x16\x03\x01\x02\x00\x01\x00",
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"GET /\xff HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost localhost\r\n\r\n",
    ],
)
def test_what_is_not_http_is_refused_and_the_port_lives(port: Port, data: bytes) -> None:
    answer = raw(port, data)
    assert answer == b"" or answer.startswith(b"HTTP/1.1 4")
    assert ask(port, "GET", "/health").status == 200


def test_connections_are_counted() -> None:
    with open_port(connections_per_address_max=3) as port:
        plugs = [socket.create_connection(port.address) for _ in range(3)]
        try:
            answer = raw(port, b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert answer.startswith(b"HTTP/1.1 503")
            assert ApiRefusal.BUSY.encode() in answer
            assert port.server.connections.open == 3
        finally:
            for plug in plugs:
                plug.close()
        deadline = time.monotonic() + 5
        while port.server.connections.open and time.monotonic() < deadline:
            time.sleep(0.01)
        assert ask(port, "GET", "/health").status == 200


def test_long_polls_are_counted() -> None:
    with open_port(waits_max=1) as port:
        path = f"/v1/transactions/{'cd' * 32}/wait?timeout_ms=3000"
        with socket.create_connection(port.address) as plug:
            plug.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
            deadline = time.monotonic() + 5
            while not port.node.asked and time.monotonic() < deadline:
                time.sleep(0.01)
            reply = ask(port, "GET", path)
            assert (reply.status, reply.code) == (503, ApiRefusal.BUSY)


def test_a_taken_port_is_a_fault_of_the_world() -> None:
    with open_port() as port, pytest.raises(OSError, match="in use"), open_port(port=port.address[1]):
        pass


def test_stopping_ends_long_polls_at_once() -> None:
    with open_port() as port:
        plug = socket.create_connection(port.address)
        plug.sendall(f"GET /v1/transactions/{'cd' * 32}/wait HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        deadline = time.monotonic() + 5
        while not port.node.asked and time.monotonic() < deadline:
            time.sleep(0.01)
        began = time.monotonic()
    with plug:
        assert b'"waiting":true' in plug.recv(65_536)
    assert time.monotonic() - began < 2
