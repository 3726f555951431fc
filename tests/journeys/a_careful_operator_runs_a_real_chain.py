"""Four operators found a chain that is no development chain, each with a choice of his own: TLS and tokens, processes
that check signatures, blocks that are not kept for ever. Keys are random and have a real password."""

import json
import os
import re
import shutil
import signal
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from subprocess import Popen
from typing import Any

import pytest
from tests.integration.certificates import certificate
from tests.journeys.shell import Shell
from tests.journeys.town import free_base, until

from metanode.api.errors import ApiRefusal
from metanode.client import Client, ClientError
from metanode.client.transactions import Sender, encode_signed
from metanode.host.fault import FaultReason
from metanode.host.http_settings import PortRefusal, token_digest
from metanode.host.keys import load_account
from metanode.records.amount import amount_bytes
from metanode.records.calls import CoinTransfer

PASSWORD = "four words of a song"
READER, PAYER, ADMIN, STRANGER = (
    f"{name}-with-a-token-that-nobody-guesses" for name in ("read", "pay", "rule", "none")
)
SMALL_SEGMENTS = (
    sys.executable,
    "-c",
    (
        "from metanode.host import block_log\n"
        "from metanode.cli.bpi.main import main\n"
        "if __name__ == '__main__':\n"
        "    block_log.SEGMENT_BYTES = 1 << 16\n"
        "    main()"
    ),
)
"""`bpi` with block files of 64 KiB in place of 64 MiB: whole files are dropped, and a test cannot write gigabytes."""

OPENING_S = 150
"""Four real keystores, each opened at full cost, on a machine that is busy."""


@dataclass(slots=True)
class Houses:
    """Where the four nodes are, and their processes."""

    folder: Path
    base: int
    processes: dict[int, "Popen[bytes]"] = field(default_factory=dict)

    def url(self, index: int) -> str:
        """Of its public port; the first one speaks TLS."""
        return f"http{'' if index else 's'}://127.0.0.1:{self.base + index}"

    def client(self, index: int, token: str = READER) -> Client:
        """Somebody who knows the token, and the certificate."""
        return Client(self.url(index), token, authority=str(self.folder / "node.pem"))

    def height(self, index: int) -> int:
        """Its last final block."""
        with self.client(index) as client:
            return client.node.status().height

    def logged(self, index: int, what: str) -> list[dict[str, Any]]:
        """Lines of its log."""
        lines = (self.folder / f"n{index}" / "node.log").read_text().splitlines()
        return [line for line in map(json.loads, lines) if line["what"] == what]


def choose(house: Path, **settings: str) -> None:
    """Write these keys of `node.toml`; each is there once."""
    text = (house / "node.toml").read_text()
    for key, value in settings.items():
        text, found = re.subn(rf"^{key} = .*$", f"{key} = {value}", text, flags=re.MULTILINE)
        assert found == 1, key
    (house / "node.toml").write_text(text)


@pytest.fixture(scope="module")
def houses(tmp_path_factory: pytest.TempPathFactory) -> Houses:
    return Houses(tmp_path_factory.mktemp("consortium"), free_base())


@pytest.fixture(scope="module")
def bpi(houses: Houses) -> Iterator[Shell]:
    """The first operator's shell, beside the four nodes."""
    folder, base = houses.folder, houses.base
    (folder / "password").write_text(PASSWORD + "\n")
    shell = Shell(folder, {"METANODE_KEY_PASSWORD_FILE": str(folder / "password")})
    operator = shell.data("account create treasury")["address"]
    shell.says("account create shop")
    for i in range(4):
        where = f"--listen 127.0.0.1:{base + 20 + i} --http 127.0.0.1:{base + i}"
        shell.says(f"node init --data n{i} --name n{i} --operator {operator} {where}")
    swift = "--parameter block_period_ms=0 --parameter empty_block_period_ms=500 --parameter round_timeout_ms=1000"
    shell.says(f"genesis new chain.toml --name consortium --account treasury=1000000 --account shop=0 {swift}")
    public = " ".join(f"n{i}/validator.toml" for i in range(4))
    shell.says(f"genesis add-validator chain.toml {public}")
    shutil.copy(folder / "chain.toml", folder / ".bpi/genesis.toml")
    for i in range(4):
        shell.says(f"node init --data n{i} --name n{i} --genesis chain.toml")
    pem, key = certificate(folder)
    tokens = [
        f"{name} {scopes} {token_digest(token)}"
        for name, scopes, token in (("r", "read", READER), ("p", "read,submit", PAYER), ("a", "admin", ADMIN))
    ]
    choose(folder / "n0", tls_certificate=f'"{pem}"', tls_key=f'"{key}"', tokens=json.dumps(tokens))
    choose(folder / "n1", workers="1")
    choose(folder / "n3", prune="true", retention_blocks="1000")
    for name, token in (("reader", READER), ("payer", PAYER), ("stranger", STRANGER)):
        (folder / f"{name}.token").write_text(token + "\n")
    try:
        for i in range(3):
            houses.processes[i] = shell.begins(f"node run --data n{i}")
        houses.processes[3] = shell.begins("node run --data n3", SMALL_SEGMENTS)
        for i in range(4):
            until(lambda i=i: houses.height(i) > 0, OPENING_S, f"n{i} follows")  # type: ignore[misc]
        yield shell
    finally:
        for process in houses.processes.values():
            process.kill()
            process.wait()


def test_the_command_line_is_told_once(bpi: Shell, houses: Houses) -> None:
    for key, value in (("node", houses.url(0)), ("token_file", "payer.token"), ("authority", "node.pem")):
        bpi.says(f"config set {key} {value}")
    assert bpi.says("config get node") == houses.url(0) + "\n"
    assert bpi.data("config show")["settings"]["authority"] == "node.pem"
    explained = {row["key"]: row["origin"] for row in bpi.data("config explain")["settings"]}
    assert explained["token_file"] == str(bpi.folder / "bpi.toml")
    assert str(bpi.folder / "bpi.toml") in bpi.says("config path")
    assert bpi.says("status").startswith("GREEN  4/4 validators")
    assert bpi.data("genesis check chain.toml")["chain"] == bpi.data("status")["chain_id"]
    assert bpi.data("genesis check chain.toml")["development"] is False
    with houses.client(0) as client:
        assert client.node.status().version in bpi.says("version")
    assert "complete -o nosort -F _bpi_completion bpi" in bpi.says("completion bash")


def test_a_token_opens_what_it_names_and_nothing_else(bpi: Shell, houses: Houses) -> None:
    pay = "coin transfer --account treasury --to shop --amount 4.20"
    assert bpi.says(pay).startswith("FINAL")
    assert "4.20 USD" in bpi.says("account show shop --prove")
    bpi.refuses("status --token-file stranger.token", 4, ApiRefusal.UNAUTHENTICATED)
    assert bpi.says("status --token-file reader.token").startswith("GREEN")
    bpi.refuses(f"{pay} --token-file reader.token", 4, ApiRefusal.FORBIDDEN)
    assert "4.20 USD" in bpi.says("account show shop"), "nobody paid twice"
    with houses.client(0, token="") as nobody, pytest.raises(ClientError) as caught:
        nobody.node.status()
    assert caught.value.code == ApiRefusal.UNAUTHENTICATED
    with houses.client(0, token="") as nobody:
        assert nobody.ready(), "a monitor asks without a token"


def test_who_does_not_know_the_certificate_is_told_so(bpi: Shell, houses: Houses, tmp_path: Path) -> None:
    abroad = Shell(tmp_path)
    error = abroad.refuses(f"status --node {houses.url(0)}", 60, "client.unreachable")
    assert "certificate" in error["message"]
    plain = houses.url(0).replace("https", "http")
    assert abroad.run(f"status --node {plain}").status in (60, 61), "plain HTTP on a port of TLS finds nobody"
    abroad.environment["BPI_AUTHORITY"] = str(bpi.folder / "nothing.pem")
    abroad.refuses(f"status --node {houses.url(0)}", 3, "cli.file-not-found")


def test_a_port_open_to_the_network_without_tokens_is_not_opened(bpi: Shell, houses: Houses) -> None:
    os.kill(houses.processes[2].pid, signal.SIGTERM)
    assert houses.processes[2].wait(OPENING_S) == 0
    open_to_all(bpi.folder / "n2", houses.base + 2)
    try:
        error = bpi.refuses("node run --data n2", 50, FaultReason.SETTINGS_WRONG_VALUE)
        assert PortRefusal.TOKENS_REQUIRED in error["message"]
    finally:
        open_to_all(bpi.folder / "n2", houses.base + 2, "127.0.0.1")
        houses.processes[2] = bpi.begins("node run --data n2")
    until(lambda: houses.height(2) >= houses.height(0) - 1, OPENING_S, "it is back")


def open_to_all(house: Path, port: int, address: str = "0.0.0.0") -> None:
    """Another address for the public port."""
    text = (house / "node.toml").read_text()
    changed = re.sub(rf'listen = "[0-9.]+:{port}"', f'listen = "{address}:{port}"', text)
    assert changed != text
    (house / "node.toml").write_text(changed)


@pytest.mark.parametrize(("index", "token"), [(0, ADMIN), (1, "")])
def test_no_fault_can_be_pretended_on_a_real_chain(bpi: Shell, houses: Houses, index: int, token: str) -> None:
    assert bpi.says("status").startswith("GREEN")
    with houses.client(index, token) as client:
        for pretend in (lambda: client.node.set_fault("pause"), client.node.clear_fault):
            with pytest.raises(ClientError) as caught:
                pretend()
            assert (caught.value.code, caught.value.form.exit) == (ApiRefusal.DEVELOPMENT_ONLY, 4)
    before = houses.height(index)
    until(lambda: houses.height(index) > before, 20, "it goes on")


def children(process: int) -> list[int]:
    """The processes that a process started."""
    text = Path(f"/proc/{process}/task/{process}/children").read_text()
    return [int(word) for word in text.split()]


def workers(process: int) -> list[int]:
    """Those of them that check signatures; another one only counts resources."""
    found = []
    for child in children(process):
        line = Path(f"/proc/{child}/cmdline").read_bytes()
        if b"multiprocessing" in line and b"resource_tracker" not in line:
            found.append(child)
    return found


def pay_many(houses: Houses, count: int) -> None:
    """So many payments through the node with the worker, one of them with a wrong signature: all but that are final."""
    seed = load_account(houses.folder / ".bpi/accounts", "treasury", PASSWORD)
    with houses.client(1, "") as client:
        sender = Sender(client, seed)
        calls = CoinTransfer(coin="USD", to=bytes(20), amount=amount_bytes(1))
        signed = [encode_signed(sender.sign(sender.prepare(calls))) for _ in range(count)]
        forged = encode_signed(sender.sign(sender.prepare(calls)))
        forged = forged[:-1] + bytes([forged[-1] ^ 1])
        outcomes = client.transaction.submit_batch([*signed, forged])
        assert [outcome.code for outcome in outcomes] == [""] * count + ["pool.bad-signature"]
        status = client.transaction.wait(outcomes[count - 1].identity.hex())
        assert (status.state, status.succeeded) == ("final", True)


def test_other_processes_check_signatures_and_one_that_dies_costs_nothing(bpi: Shell, houses: Houses) -> None:
    assert bpi.says("status").startswith("GREEN")
    node = houses.processes[1].pid
    pay_many(houses, 300)
    (worker,) = workers(node)
    assert houses.logged(1, "verify_workers_lost") == []
    os.kill(worker, signal.SIGKILL)
    until(lambda: worker not in children(node), 20, "the worker is gone")
    for _ in range(3):
        pay_many(houses, 60)
    assert len(houses.logged(1, "verify_workers_lost")) == 1
    assert houses.processes[1].poll() is None


def oldest_block(house: Path) -> int:
    """The first block of the oldest file of blocks: what its name says."""
    return min(int(path.name.split(".")[0]) for path in (house / "blocks").glob("*.blocks"))


def test_blocks_that_nobody_wants_here_are_dropped_and_had_from_others(bpi: Shell, houses: Houses) -> None:
    seed = load_account(houses.folder / ".bpi/accounts", "treasury", PASSWORD)
    pruner = houses.folder / "n3"
    with houses.client(1, "") as client, houses.client(3, "") as asked:
        sender, deadline = Sender(client, seed), time.monotonic() + 240
        note = CoinTransfer(coin="USD", to=sender.address, amount=amount_bytes(1))
        while oldest_block(pruner) == 1:
            assert time.monotonic() < deadline, f"block 1 is still there at height {houses.height(3)}"
            for _ in range(25):
                client.transaction.submit(encode_signed(sender.sign(sender.prepare(note))))
                time.sleep(0.01)
        oldest, height = oldest_block(pruner), asked.node.status().height
        assert 1 < oldest <= height - 999, "whole files go, and never a block of the last thousand"
        assert asked.block.get(oldest).height == oldest
    assert oldest_block(houses.folder / "n0") == 1
    assert client_refuses(houses, oldest - 1) == ApiRefusal.PRUNED
    bpi.refuses(f"block show 1 --node {houses.url(3)}", 30, ApiRefusal.PRUNED)
    bpi.refuses(f"verify --node {houses.url(3)}", 30, ApiRefusal.PRUNED)
    assert bpi.data(f"verify --skip --node {houses.url(3)}")["valid"], "the head is as certain as before"
    assert bpi.data("block show 1")["height"] == 1, "others have it"
    assert bpi.data("verify --headers-only")["valid"]
    os.kill(houses.processes[3].pid, signal.SIGTERM)
    assert houses.processes[3].wait(OPENING_S) == 0
    houses.processes[3] = bpi.begins("node run --data n3", SMALL_SEGMENTS)
    until(lambda: houses.height(3) >= houses.height(0) - 1, OPENING_S, "it opens what is left, and follows")
    assert client_refuses(houses, oldest - 1) == ApiRefusal.PRUNED
    until(lambda: bpi.says("status").startswith("GREEN"), 20, "all four are there")


def client_refuses(houses: Houses, height: int) -> str:
    """With what code the pruning node refuses a block."""
    with houses.client(3, "") as client, pytest.raises(ClientError) as caught:
        client.block.get(height)
    return caught.value.code
