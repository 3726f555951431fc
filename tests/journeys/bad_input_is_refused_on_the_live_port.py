"""Whatever a client may send that is no good transaction: refused by code on every face, counted, and of no effect."""

import http.client
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

import msgspec
import pytest
from tests.journeys.shell import Shell
from tests.journeys.town import House, Town, town
from tests.journeys.traffic import (
    Account,
    Traffic,
    check_agreement,
    check_nothing_lost,
    named,
    settle,
    signed,
    stranger,
    transfer,
)

from metanode.api.errors import ApiRefusal, explain
from metanode.chain.mempool import PoolRefusal
from metanode.ledger.accounts import AuthorityRefusal
from metanode.ledger.coin import CoinRefusal
from metanode.primitives.codec import CodecRefusal, encode
from metanode.primitives.names import Hash
from metanode.records.address import show_address
from metanode.records.amount import AmountRefusal, amount_bytes
from metanode.records.transaction import SIGNED_TRANSACTIONS, Authorization, SignedTransaction

BYTES = "application/octet-stream"
FUNDS = 500_00
"""Cents that the sender of all that is bad holds."""
DAY_MS = 86_400_000


@dataclass
class Scene:
    """A running town with traffic on it, one node that is asked, and an account whose bad transactions it hears."""

    nodes: Town
    door: House
    traffic: Traffic
    sender: Account

    def transaction(self, chain_id: bytes = b"", **changes: int | bytes | str) -> bytes:
        """A good transfer of the sender, but for the changes; its nonce stays due."""
        fields = {"nonce": self.sender.nonce, **changes}
        return signed(chain_id or self.nodes.chain_id, self.sender, transfer(PAYEE, 1), **fields)[1]

    def authorized(self, *authorizations: Authorization) -> bytes:
        """A good transfer under other signatures."""
        good = SIGNED_TRANSACTIONS.decode(self.transaction())
        return encode(SignedTransaction(version=1, transaction=good.transaction, authorizations=authorizations))


PAYEE = stranger(9_001)


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """One town for all: honest traffic through all four nodes meanwhile, and at the end nothing of it is lost."""
    with town(tmp_path_factory.mktemp("port")) as nodes:
        sender = stranger(9_000)
        traffic = Traffic(nodes, senders=20, seed=909, pause_s=0.1).fund()
        faucet = named("faucet")
        faucet.nonce = 1
        name, encoded = signed(nodes.chain_id, faucet, transfer(sender, FUNDS))
        with nodes[0].ask() as client:
            client.transaction.submit(encoded)
        settle(nodes[0], name)
        with traffic:
            yield Scene(nodes, nodes[0], traffic, sender)
        traffic.drain(nodes[0])
        assert traffic.count > 20
        assert traffic.refusals == {}, "nobody else was refused anything"
        last = max(house.height() for house in nodes.houses)
        nodes.await_height(last, 20)
        for house in nodes.houses:
            check_nothing_lost(traffic.ledger, house)
            assert house.metrics("metanode_blamed_total") == {}, "nothing bad was passed on to a peer"
        check_agreement(nodes.houses, last)


def ask(house: House, path: str, body: bytes, kind: str = "application/json") -> tuple[int, bytes]:
    """One POST on a connection of its own: status and body."""
    parts = urlsplit(house.url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=20)
    try:
        connection.request("POST", path, body, {"content-type": kind})
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def by_rpc(house: House, *transactions: bytes) -> list[str]:
    """The codes of JSON-RPC, one call each in one batch. HTTP-4: a refused transaction is an answer like any other."""
    calls = [
        {"jsonrpc": "2.0", "id": number, "method": "transaction.submit", "params": {"transaction": encoded.hex()}}
        for number, encoded in enumerate(transactions)
    ]
    status, body = ask(house, "/rpc", json.dumps(calls).encode())
    assert status == 200
    codes = []
    for answer in json.loads(body):
        data = answer.get("error", {}).get("data", {"code": ""})
        if data["code"]:
            meaning = explain(data["code"])
            assert answer["error"]["code"] == meaning.rpc_code
            assert (data["exit"], data["rule"], data["retryable"]) == (meaning.exit, meaning.rule, meaning.retryable)
            assert data["message"], "it says what was wrong"
            assert data["fix"], "and what would pass"
        codes.append(data["code"])
    return codes


def by_rest(house: House, encoded: bytes) -> tuple[int, str]:
    """HTTP status and code of REST."""
    status, body = ask(house, "/v1/transactions", json.dumps({"transaction": encoded.hex()}).encode())
    return status, json.loads(body).get("error", {}).get("code", "")


def by_batch(house: House, *transactions: bytes) -> list[str]:
    """The codes of the binary batch."""
    status, body = ask(house, "/v1/transactions/batch", msgspec.msgpack.encode(transactions), BYTES)
    assert status == 200, "each of a batch is judged alone"
    return [code for _, code, _ in msgspec.msgpack.decode(body)]


def counted(house: House) -> tuple[dict[str, float], dict[str, float]]:
    """By code: transactions turned away, requests refused."""
    refused, answered = (
        house.metrics("metanode_transactions_refused_total"),
        house.metrics("metanode_http_refused_total"),
    )
    return (
        {label[len('{kind="') : -2]: value for label, value in refused.items()},
        {label[len('{code="') : -2]: value for label, value in answered.items()},
    )


def grown(before: dict[str, float], after: dict[str, float]) -> dict[str, float]:
    """By how much each counter went up; those that did not are left out."""
    return {code: value - before.get(code, 0) for code, value in after.items() if value != before.get(code, 0)}


def pay(scene: Scene) -> Hash:
    """A good transfer with the very nonce that the bad ones named is final at once: they took nothing."""
    name, encoded = signed(scene.nodes.chain_id, scene.sender, transfer(PAYEE, 1))
    with scene.door.ask() as client:
        assert not client.transaction.submit(encoded).known
    settle(scene.door, name)
    return name


def long_form(encoded: bytes) -> bytes:
    """The same values, the version in two bytes where one would do."""
    assert encoded[:2] == b"\x93\x01"
    return b"\x93\xcc\x01" + encoded[2:]


def flipped(encoded: bytes) -> bytes:
    """The last bit of the signature."""
    return encoded[:-1] + bytes([encoded[-1] ^ 1])


def foreign(scene: Scene) -> bytes:
    """Signed well, by somebody else."""
    mine = scene.sender
    return signed(scene.nodes.chain_id, stranger(9_002), transfer(PAYEE, 1), sender=mine.address, nonce=mine.nonce)[1]


def now_ms() -> int:
    return time.time_ns() // 1_000_000


Bad = Callable[[Scene], bytes]
CASES: dict[str, tuple[Bad, str, int, int]] = {
    "noise": (lambda _: b"\xc1" * 200, CodecRefusal.MALFORMED, 422, 2),
    "cut short": (lambda scene: scene.transaction()[:-1], CodecRefusal.MALFORMED, 422, 2),
    "with a byte behind it": (lambda scene: scene.transaction() + b"\0", CodecRefusal.MALFORMED, 422, 2),
    "not canonical": (lambda scene: long_form(scene.transaction()), CodecRefusal.NOT_CANONICAL, 422, 2),
    "above the chain's limit": (lambda scene: scene.transaction(memo="x" * 16_384), PoolRefusal.TOO_LARGE, 422, 2),
    "a memo too long": (lambda scene: scene.transaction(memo="ä" * 129), PoolRefusal.TOO_LARGE, 422, 2),
    "a later version": (lambda scene: scene.transaction(version=2), PoolRefusal.UNKNOWN_VERSION, 422, 2),
    "no sender": (lambda scene: scene.transaction(sender=b""), PoolRefusal.OUT_OF_RANGE, 422, 2),
    "too much work": (lambda scene: scene.transaction(work_limit=1 << 40), PoolRefusal.OUT_OF_RANGE, 422, 2),
    "a fee with a leading zero": (lambda scene: scene.transaction(fee=b"\0\1"), AmountRefusal.NOT_MINIMAL, 422, 2),
    "a flipped signature": (lambda scene: flipped(scene.transaction()), PoolRefusal.BAD_SIGNATURE, 403, 4),
    "signed by another": (foreign, AuthorityRefusal.NOT_A_KEY_OF_THE_ACCOUNT, 403, 4),
    "not signed": (lambda scene: scene.authorized(), PoolRefusal.BAD_AUTHORIZATIONS, 422, 2),
    "expired": (lambda scene: scene.transaction(expires_ms=now_ms() - 60_000), PoolRefusal.EXPIRED, 422, 81),
    "of the far future": (lambda s: s.transaction(expires_ms=now_ms() + DAY_MS), PoolRefusal.EXPIRES_TOO_LATE, 422, 2),
    "of another chain": (lambda scene: scene.transaction(chain_id=bytes(32)), PoolRefusal.WRONG_CHAIN, 409, 5),
    "an unknown lane": (lambda scene: scene.transaction(lane=16), PoolRefusal.WRONG_LANE, 422, 2),
    "a nonce far ahead": (lambda s: s.transaction(nonce=s.sender.nonce + 2_000), PoolRefusal.NONCE_TOO_FAR, 409, 5),
    "a fee it cannot pay": (lambda s: s.transaction(fee=amount_bytes(FUNDS * 2)), PoolRefusal.FEE_NOT_COVERED, 422, 80),
}
"""What is sent: how it is made, the code it gets, and that code's HTTP status and exit status."""
SENT_BY_HAND = tuple(name for name in CASES if name not in ("noise", "cut short", "with a byte behind it"))


@pytest.mark.parametrize("case", CASES)
def test_it_is_refused_by_code_on_every_face_and_counted(scene, case):
    make, code, status, exit_status = CASES[case]
    bad = make(scene)
    assert (explain(code).http_status, explain(code).exit) == (status, exit_status)
    before = counted(scene.door)
    others = [counted(house) for house in scene.nodes.houses[1:]]
    good = signed(scene.nodes.chain_id, scene.sender, transfer(PAYEE, 2))
    assert by_rpc(scene.door, bad, bad) == [code, code]
    assert by_rest(scene.door, bad) == (status, code)
    assert by_batch(scene.door, bad, good[1], bad, bad) == [code, "", code, code], "the good one between them is taken"
    settle(scene.door, good[0])
    pay(scene)
    after = counted(scene.door)
    assert grown(before[0], after[0]) == {code: 6}, "each transaction once"
    assert grown(before[1], after[1]) == {code: 3}, "each request once; a batch is no refused request"
    assert [counted(house) for house in scene.nodes.houses[1:]] == others, "no other node ever saw it"


def test_a_body_that_is_too_much_or_no_batch_is_refused_before_anybody_looks_into_it(scene):
    far, bytes_max = scene.transaction(memo="x" * 65_536), 8 << 20
    before = counted(scene.door)
    assert by_rpc(scene.door, far) == [ApiRefusal.INVALID_ARGUMENTS], "longer than any transaction's text"
    assert by_rest(scene.door, far) == (400, ApiRefusal.INVALID_ARGUMENTS)
    assert by_rest(scene.door, b"") == (400, ApiRefusal.INVALID_ARGUMENTS)
    assert by_batch(scene.door, far, b"") == [CodecRefusal.TOO_LARGE, CodecRefusal.MALFORMED]
    for status, code, path, body, kind in (
        (413, ApiRefusal.BODY_TOO_LARGE, "/rpc", bytes(bytes_max + 1), "application/json"),
        (413, ApiRefusal.BODY_TOO_LARGE, "/v1/transactions/batch", bytes(bytes_max + 1), BYTES),
        (400, ApiRefusal.MALFORMED, "/v1/transactions/batch", b"\xc1", BYTES),
        (400, ApiRefusal.MALFORMED, "/v1/transactions/batch", msgspec.msgpack.encode([1, "two"]), BYTES),
        (400, ApiRefusal.INVALID_ARGUMENTS, "/v1/transactions/batch", msgspec.msgpack.encode([b"x"] * 4_097), BYTES),
        (400, ApiRefusal.MALFORMED, "/rpc", b"{", "application/json"),
        (415, ApiRefusal.WRONG_MEDIA_TYPE, "/v1/transactions/batch", b"<xml/>", "text/xml"),
    ):
        found, answer = ask(scene.door, path, body, kind)
        error = json.loads(answer)["error"]
        assert (found, error.get("data", error)["code"]) == (status, code)
    after = counted(scene.door)
    assert grown(before[0], after[0]) == {CodecRefusal.TOO_LARGE: 1, CodecRefusal.MALFORMED: 1}
    assert grown(before[1], after[1]) == {
        ApiRefusal.INVALID_ARGUMENTS: 4,
        ApiRefusal.BODY_TOO_LARGE: 2,
        ApiRefusal.MALFORMED: 3,
        ApiRefusal.WRONG_MEDIA_TYPE: 1,
    }
    pay(scene)


def test_the_same_bytes_again_after_they_are_final_change_nothing_another_with_the_nonce_is_refused(scene):
    nonce = scene.sender.nonce
    first = scene.transaction(memo="once")
    scene.sender.nonce += 1
    with scene.door.ask() as client:
        name = client.transaction.submit(first).identity
        settle(scene.door, Hash(bytes.fromhex(name)))
        receipt = client.transaction.get(name).receipt
        before, balance = counted(scene.door), balance_of(scene, PAYEE)
        for house in scene.nodes.houses:
            with house.ask() as other:
                assert other.transaction.submit(first).known
        assert by_batch(scene.door, first, first) == [ApiRefusal.ALREADY_KNOWN] * 2
        assert grown(before[0], counted(scene.door)[0]) == {}, "again is no error"
        twin = scene.transaction(nonce=nonce, memo="twice")
        assert by_rpc(scene.door, twin) == [PoolRefusal.NONCE_USED]
        assert by_rest(scene.door, twin) == (409, PoolRefusal.NONCE_USED)
        assert by_batch(scene.door, twin) == [PoolRefusal.NONCE_USED]
        assert grown(before[0], counted(scene.door)[0]) == {PoolRefusal.NONCE_USED: 3}
        pay(scene)
        assert client.transaction.get(name).receipt == receipt
    assert balance_of(scene, PAYEE) == balance + 1, "the first paid once, the one behind it"


def test_a_nonce_with_a_gap_below_it_waits_and_its_place_is_taken(scene):
    ahead = scene.transaction(nonce=scene.sender.nonce + 1, memo="second")
    other = scene.transaction(nonce=scene.sender.nonce + 1, memo="another second")
    before = counted(scene.door)
    assert by_batch(scene.door, ahead) == [""]
    assert by_rpc(scene.door, other) == [PoolRefusal.REPLACEMENT_TOO_CHEAP]
    assert by_rest(scene.door, other) == (409, PoolRefusal.REPLACEMENT_TOO_CHEAP)
    assert by_batch(scene.door, other) == [PoolRefusal.REPLACEMENT_TOO_CHEAP]
    assert grown(before[0], counted(scene.door)[0]) == {PoolRefusal.REPLACEMENT_TOO_CHEAP: 3}
    with scene.door.ask() as client:
        name = client.transaction.submit(ahead).identity
        scene.nodes.await_growth(2, 20, scene.door)
        assert client.transaction.get(name).state == "pending"
        pay(scene)  # closes the gap
        scene.sender.nonce += 1
        settle(scene.door, Hash(bytes.fromhex(name)))


def test_an_amount_that_is_not_there_is_final_failed_and_moves_nothing(scene):
    """LEDGER-X1: the chain, not the pool, decides it; the receipt says why, and the nonce is spent."""
    before, mine, theirs = counted(scene.door), balance_of(scene, scene.sender), balance_of(scene, PAYEE)
    name, encoded = signed(scene.nodes.chain_id, scene.sender, transfer(PAYEE, 1), transfer(PAYEE, FUNDS * 2))
    assert by_batch(scene.door, encoded) == [""]
    with scene.door.ask() as client:
        status = client.transaction.wait(name.hex(), timeout_s=20)
        assert (status.state, status.succeeded, status.code) == ("final", False, CoinRefusal.INSUFFICIENT)
    scene.nodes.await_height(status.height, 10)
    for house in scene.nodes.houses:
        with house.ask() as client:
            view = client.receipt.get(status.receipt)
            assert (view.succeeded, view.code) == (False, CoinRefusal.INSUFFICIENT)
    assert (balance_of(scene, scene.sender), balance_of(scene, PAYEE)) == (mine, theirs), "not even its first call"
    assert counted(scene.door) == before, "it was accepted: no refusal"
    pay(scene)


def balance_of(scene: Scene, account: Account) -> int:
    with scene.door.ask() as client:
        balances = client.account.get(show_address(account.address)).balances
    return next((int(line.amount) for line in balances if line.coin == "USD"), 0)


@pytest.mark.parametrize("case", SENT_BY_HAND)
def test_the_command_line_ends_with_the_status_of_the_code(scene, case, tmp_path):
    make, code, _, exit_status = CASES[case]
    shell, bad = Shell(tmp_path), make(scene)
    before = counted(scene.door)
    (tmp_path / "bad.bin").write_bytes(bad)
    (tmp_path / "bad.hex").write_text(bad.hex())
    line = f"transaction send bad.hex --node {scene.door.url} --wait final"
    if case == "not canonical":
        error = shell.refuses(line, exit_status, "cli.file-not-readable")
        assert code in error["message"]
        assert counted(scene.door) == before, "what is no transaction is not sent"
    else:
        shell.refuses(line, exit_status, code)
        said = shell.run(line.replace("bad.hex", "bad.bin"))
        assert (said.status, f"[{code}]" in said.err) == (exit_status, True), said
        assert grown(before[0], counted(scene.door)[0]) == {code: 3}
    pay(scene)


def test_what_is_final_and_failed_ends_the_command_with_its_own_status(scene, tmp_path):
    shell = Shell(tmp_path)
    name, encoded = signed(scene.nodes.chain_id, scene.sender, transfer(PAYEE, FUNDS * 2))
    (tmp_path / "much.bin").write_bytes(encoded)
    line = f"transaction send much.bin --node {scene.door.url}"
    for _ in range(2):  # again: the same bytes, the same answer
        said = shell.run(line)
        assert (said.status, said.out.startswith("FAILED")) == (80, True), said
        assert f"[{CoinRefusal.INSUFFICIENT}]" in said.err
    assert shell.run(f"transaction wait {name.hex()} --node {scene.door.url}").status == 80
    pay(scene)
