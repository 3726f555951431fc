"""The SDK against a port: typed answers, exceptions, deadlines, kept connections, nonces, events, TLS."""

import itertools
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.integration.certificates import certificate
from tests.integration.fake_node import Port, open_port, sample

from metanode.api.accounts import AccountView, LaneView
from metanode.api.errors import ApiError, ApiRefusal
from metanode.api.node import NodeStatus
from metanode.api.transactions import ReceiptPage, TransactionStatus
from metanode.client import Client, ClientError, DeadlinePassed, Unreachable
from metanode.client.transactions import Lanes, Sender
from metanode.host.http_door import Outcome
from metanode.host.http_settings import Token, token_digest
from metanode.primitives.codec import encode
from metanode.records.amount import amount_bytes
from metanode.records.calls import CoinTransfer
from metanode.records.transaction import SIGNED_TRANSACTIONS

CALL = CoinTransfer(coin="USD", to=bytes(20), amount=amount_bytes(1))


@pytest.fixture
def port() -> Iterator[Port]:
    with open_port(request_timeout_ms=1_000) as opened:
        yield opened


@pytest.fixture
def client(port: Port) -> Iterator[Client]:
    with Client(port.url) as opened:
        yield opened


def test_every_room_asks_its_methods(port: Port, client: Client) -> None:
    asked: list[Callable[[], Any]] = [
        client.node.status,
        client.node.genesis,
        client.node.parameters,
        client.node.mempool,
        client.node.peers,
        client.node.evidence,
        client.block.get,
        client.block.list,
        client.block.export,
        client.block.headers,
        lambda: client.block.prove("coin", b"cd"),
        client.validator.list,
        lambda: client.validator.get("v"),
        lambda: client.account.get("acme"),
        client.account.list,
        lambda: client.coin.get("USD"),
        client.coin.list,
        lambda: client.transaction.show("ab" * 32),
        lambda: client.receipt.get("ab" * 32),
        client.receipt.list,
        lambda: client.receipt.export("ab" * 32),
        client.governance.list,
        lambda: client.governance.get(1),
        lambda: client.evidence.export("ab" * 32),
        client.evidence.testimony,
        client.evidence.transcript,
        lambda: client.evidence.submit(b"a"),
    ]
    for ask in asked:
        answer = ask()
        assert answer == sample(type(answer))
    assert client.node.set_fault("latency", value_ms=7).value_ms == 7
    assert client.node.clear_fault().kind == ""
    assert (client.ready(), client.metrics().splitlines()[1]) == (True, "metanode_up 1")
    methods = {name for name, _ in port.node.asked}
    assert len(methods) == len(asked) + 2
    assert port.server.connections.open == 1  # one connection for all of them


def test_pages_follow_each_other(port: Port, client: Client) -> None:
    pages = [sample(ReceiptPage), ReceiptPage(items=sample(ReceiptPage).items * 2, next="")]
    port.node.answers["receipt.list"] = pages[0]
    receipts = client.receipt.all("acme")
    next(receipts)
    port.node.answers["receipt.list"] = pages[1]
    assert len(list(receipts)) == 2
    assert [request.cursor for _, request in port.node.asked] == ["", "text"]  # type: ignore[attr-defined]


def test_a_refusal_is_an_exception_with_six_fields(port: Port, client: Client) -> None:
    port.node.answers["coin.get"] = ApiError(ApiRefusal.NOT_FOUND, "no coin 'EUR'")
    with pytest.raises(ClientError) as caught:
        client.coin.get("EUR")
    error = caught.value
    assert (error.code, error.exit, error.retryable) == ("api.not-found", 3, False)
    assert (error.form.rule, str(error)) == ("HTTP-3", "api.not-found: no coin 'EUR'")


def test_the_guard_s_refusals_arrive_too() -> None:
    text = "t" * 32
    with open_port(tokens=(Token("reader", token_digest(text), ("read",)),)) as port:  # type: ignore[arg-type]
        with Client(port.url) as stranger, pytest.raises(ClientError) as caught:
            stranger.node.status()
        assert caught.value.code == ApiRefusal.UNAUTHENTICATED
        with Client(port.url, token=text) as reader:
            assert reader.node.status() == sample(NodeStatus)
            for ask in (lambda: reader.transaction.submit(b"data"), lambda: reader.transaction.submit_batch([b"data"])):
                with pytest.raises(ClientError) as caught:
                    ask()
                assert caught.value.code == ApiRefusal.FORBIDDEN


def test_nobody_answers() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
    with Client(url) as client, pytest.raises(Unreachable) as caught:
        client.node.status()
    assert (caught.value.code, caught.value.exit) == (ApiRefusal.UNREACHABLE, 60)


@pytest.mark.parametrize("url", ["", "localhost", "ftp://x", "http://", "http://x:y", "http://x/v1", "http://x:99999"])
def test_what_is_no_url(url: str) -> None:
    with pytest.raises(ClientError) as caught:
        Client(url)
    assert caught.value.code == ApiRefusal.UNREACHABLE


def test_a_call_has_a_deadline(port: Port) -> None:
    port.node.delay_s = 0.6
    with Client(port.url, timeout_s=0.2) as client:
        with pytest.raises(DeadlinePassed) as caught:
            client.coin.list()
        assert (caught.value.code, caught.value.exit) == (ApiRefusal.DEADLINE, 61)
        port.node.delay_s = 0.0
        assert client.node.status() == sample(NodeStatus)  # on another connection


def test_a_kept_connection_that_died_is_replaced(port: Port, client: Client) -> None:
    client.node.status()

    async def hang_up() -> None:
        for connection in list(port.server._server.server_state.connections):
            connection.transport.abort()

    port.run(hang_up())
    assert client.node.status() == sample(NodeStatus)


@contextmanager
def impostor(answer: bytes) -> Iterator[str]:
    """Something that is no node: it answers every connection with these bytes."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    plug, _ = server.accept()
                except OSError:
                    return
                with plug:
                    plug.recv(65_536)
                    plug.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.getsockname()[1]}"
        finally:
            server.shutdown(socket.SHUT_RDWR)
            thread.join(5)


def _http(status: int, body: bytes) -> bytes:
    return b"HTTP/1.1 %d X\r\nContent-Length: %d\r\nConnection: close\r\n\r\n" % (status, len(body)) + body


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (_http(200, b"<html>"), ApiRefusal.BAD_ANSWER),
        (_http(200, b"{}"), ApiRefusal.BAD_ANSWER),
        (_http(200, b'{"jsonrpc":"2.0","id":1,"result":{"items":7}}'), ApiRefusal.BAD_ANSWER),
        (_http(502, b"bad gateway"), ApiRefusal.BAD_ANSWER),
        (_http(404, b"{}"), ApiRefusal.BAD_ANSWER),
        (b"SSH-2.0-OpenSSH\r\n", ApiRefusal.UNKNOWN_OUTCOME),
        (b"", ApiRefusal.UNKNOWN_OUTCOME),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{", ApiRefusal.UNKNOWN_OUTCOME),
    ],
)
def test_what_is_no_node(answer: bytes, code: ApiRefusal) -> None:
    with impostor(answer) as url, Client(url) as client:
        for ask in (client.coin.list, lambda: client.transaction.submit_batch([b"data"])):
            with pytest.raises(ClientError) as caught:
                ask()
            assert caught.value.code == code


def test_submitting_and_waiting(port: Port, client: Client) -> None:
    first, again = client.transaction.submit(b"data"), client.transaction.submit(b"data")
    assert (first.known, again.known, first.identity == again.identity) == (False, True, True)
    port.loop.call_soon_threadsafe(port.loop.call_later, 0.1, port.node.seal)
    assert client.transaction.wait(first.identity, timeout_s=5).height == 1
    with pytest.raises(ClientError) as caught:
        client.transaction.submit(b"bad!")
    assert caught.value.code == "pool.nonce-used"


def test_a_batch(client: Client) -> None:
    good, known, bad, nonsense = client.transaction.submit_batch([b"data", b"data", b"bad!", b"x"])
    assert [o.accepted for o in (good, known, bad, nonsense)] == [True, True, False, False]
    assert (bad.code, bad.detail, nonsense.identity) == ("pool.nonce-used", "nonce 3, 4 is due", b"")
    with pytest.raises(ClientError) as caught:
        client.transaction.submit_batch([])
    assert caught.value.code == ApiRefusal.INVALID_ARGUMENTS


def test_waiting_ends_at_the_deadline_with_what_to_wait_for(client: Client) -> None:
    began = time.monotonic()
    with pytest.raises(DeadlinePassed) as caught:
        client.transaction.wait("ab" * 32, timeout_s=0.3)
    assert (caught.value.identity, caught.value.exit) == ("ab" * 32, 61)
    assert caught.value.form.fix == "bpi transaction wait " + "ab" * 32
    assert 0.3 <= time.monotonic() - began < 2


def test_waiting_ends_where_it_was_dropped(port: Port, client: Client) -> None:
    dropped = TransactionStatus(identity="ab" * 32, state="dropped", code="pool.expired")
    port.node.answers["transaction.get"] = dropped
    with pytest.raises(ClientError) as caught:
        client.transaction.wait("ab" * 32)
    assert (caught.value.code, caught.value.exit) == ("pool.expired", 81)


def test_waiting_survives_a_node_that_is_away() -> None:
    with open_port() as port:
        number = port.address[1]
        client = Client(port.url)
        client.node.status()
    result: list[TransactionStatus] = []
    waiting = threading.Thread(target=lambda: result.append(client.transaction.wait("ab" * 32, timeout_s=10)))
    waiting.start()
    time.sleep(0.3)
    with open_port(port=number) as again:
        again.node.final[bytes.fromhex("ab" * 32)] = 7
        waiting.join(10)
    client.close()
    assert result[0].height == 7


def test_waiting_for_a_node_that_stays_away_says_so() -> None:
    with open_port() as port:
        url = port.url
    with Client(url) as client, pytest.raises(Unreachable):
        client.transaction.wait("ab" * 32, timeout_s=0.3)


def lanes(**pooled: int) -> AccountView:
    """An account whose lanes go on at these nonces."""
    view: AccountView = sample(AccountView)
    found = tuple(LaneView(lane=int(n[1:]), next_nonce=0, next_nonce_pooled=p) for n, p in pooled.items())
    fields = {name: getattr(view, name) for name in view.__struct_fields__}
    return AccountView(**{**fields, "lanes": found})


def test_nonces_are_asked_once_and_counted_by_lane(port: Port, client: Client) -> None:
    port.node.answers["account.get"] = lanes(_0=5, _3=9)
    counted = Lanes(client, "acme")
    assert [counted.take() for _ in range(3)] == [5, 6, 7]
    assert [counted.take(3), counted.take(4), counted.take(3)] == [9, 0, 10]
    assert len(port.node.asked) == 3
    counted.resync()
    assert [counted.take(), counted.take(3)] == [5, 11]
    assert len(port.node.asked) == 4


def nonces(port: Port) -> list[int]:
    """Of what was submitted, in order."""
    return [SIGNED_TRANSACTIONS.decode(data).transaction.nonce for data in port.node.submitted]


def test_a_sender_counts_its_nonces(port: Port, client: Client) -> None:
    port.node.answers["account.get"] = lanes(_0=5)
    sender = Sender(client, bytes(32))
    for _ in range(3):
        assert sender.send(CALL, wait="none").state == "pending"
    assert nonces(port) == [5, 6, 7]


def test_a_conflict_is_mended_by_asking_again(port: Port, client: Client) -> None:
    port.node.answers["account.get"] = lanes(_0=5)
    sender = Sender(client, bytes(32))
    sender.send(CALL, wait="none")
    port.node.answers["account.get"] = lanes(_0=9)
    port.node.refusals = [Outcome(bytes(32), "pool.nonce-used", "somebody else")]
    sender.send(CALL, wait="none")
    assert nonces(port) == [5, 6, 9]


def test_a_conflict_that_stays_is_told(port: Port, client: Client) -> None:
    port.node.answers["account.get"] = lanes(_0=5)
    port.node.refusals = [Outcome(bytes(32), "pool.nonce-used", "somebody else")] * 9
    with pytest.raises(ClientError) as caught:
        Sender(client, bytes(32)).send(CALL)
    assert caught.value.code == "pool.nonce-used"
    assert nonces(port) == [5, 5, 5, 5]


def test_another_refusal_gives_the_nonce_back(port: Port, client: Client) -> None:
    port.node.answers["account.get"] = lanes(_0=5)
    sender = Sender(client, bytes(32))
    port.node.refusals = [Outcome(bytes(32), "pool.fee-too-low", "0, at least 3")]
    with pytest.raises(ClientError):
        sender.send(CALL)
    sender.send(CALL, wait="none")
    assert nonces(port) == [5, 5]


def test_a_lost_answer_is_mended_by_the_same_bytes(port: Port) -> None:
    port.node.answers["account.get"] = lanes(_0=5)
    with Client(port.url, timeout_s=0.3) as client:
        sender = Sender(client, bytes(32))
        sender.prepare(CALL)
        sender.lanes.resync()
        port.node.delay_s = 0.5
        port.loop.call_soon_threadsafe(port.loop.call_later, 0.7, setattr, port.node, "delay_s", 0.0)
        sender.lanes._next[0] = 5
        assert sender.send(CALL, wait="none").state == "pending"
    sent = set(port.node.submitted)
    assert len(sent) == 1
    assert len(port.node.submitted) >= 2


def test_an_answer_that_stays_lost_names_the_transaction(port: Port) -> None:
    port.node.answers["account.get"] = lanes(_0=5)
    with Client(port.url, timeout_s=0.1) as client:
        sender = Sender(client, bytes(32))
        sender.prepare(CALL)
        port.node.delay_s = 0.9
        sender.lanes._next[0] = 5
        with pytest.raises(DeadlinePassed) as caught:
            sender.send(CALL, timeout_s=0.2)
    assert len(caught.value.identity) == 64


def test_what_is_sent_is_canonical_and_signed(port: Port, client: Client) -> None:
    port.node.answers["account.get"] = lanes(_0=0)
    Sender(client, bytes(32)).send(CALL, wait="none", memo="hello", fee=3)
    signed = SIGNED_TRANSACTIONS.decode(port.node.submitted[0])
    assert encode(signed) == port.node.submitted[0]
    assert (signed.transaction.memo, signed.transaction.fee) == ("hello", b"\x03")
    assert signed.transaction.chain_id.hex() == "ab" * 32


def test_events_go_on_over_a_restart() -> None:
    with open_port() as port:
        number = port.address[1]
        port.seal()
        client = Client(port.url)
        stream = client.events(after="0:0", kinds=("block",))
        events = iter(stream)
        assert (next(events).id, stream.cursor) == ("1:0", "1:0")
    with open_port(port=number) as again:
        for _ in range(3):
            again.seal()
        assert [event.id for event in itertools.islice(events, 2)] == ["2:0", "3:0"]
        stream.close()
    client.close()


def test_a_stream_that_is_closed_from_another_thread_ends_at_once(client: Client, port: Port) -> None:
    """It used to wait for the node's next word: `bpi testnet load` took 40 s longer than its load."""
    port.seal()
    stream, seen = client.events(after="0:0"), threading.Event()
    found: list[str] = []

    def read() -> None:
        for event in stream:
            found.append(event.id)
            seen.set()

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    assert seen.wait(10)
    stream.close()
    reader.join(10)  # a beat comes after 15 s
    assert (reader.is_alive(), found) == (False, ["1:0"])
    assert list(stream) == [], "closed for good; the cursor goes on in another one"


def test_events_of_a_node_that_stays_away_end() -> None:
    with open_port() as port:
        url = port.url
    with Client(url) as client, pytest.raises(Unreachable):
        next(iter(client.events(patience_s=0)))


@pytest.mark.parametrize(("after", "code"), [("13:0", ApiRefusal.PRUNED), ("x", ApiRefusal.INVALID_ARGUMENTS)])
def test_events_that_are_refused(client: Client, after: str, code: ApiRefusal) -> None:
    with pytest.raises(ClientError) as caught:
        next(iter(client.events(after=after)))
    assert caught.value.code == code


def test_tls_with_a_private_root(tmp_path: Path) -> None:
    pem, key = certificate(tmp_path)
    with open_port(tls_certificate=str(pem), tls_key=str(key)) as port:
        assert port.url.startswith("https://")
        with Client(port.url, authority=str(pem)) as client:
            assert client.node.status() == sample(NodeStatus)
        with Client(port.url) as stranger, pytest.raises(Unreachable, match="certificate"):
            stranger.node.status()
    for wrong in (tmp_path / "nothing.pem", key):
        with pytest.raises(ClientError, match="not the PEM file of a certificate"):
            Client("https://127.0.0.1:1", authority=str(wrong))
