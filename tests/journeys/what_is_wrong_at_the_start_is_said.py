"""What can keep a node or a network from starting: refused at once, by name, with the exit status and a fix."""

import os
import shutil
import signal
import socket
import subprocess
from contextlib import closing

import pytest
from tests.journeys.shell import BPI, Shell, network
from tests.journeys.town import free_base

from metanode.host.fault import FaultReason


def listener(port: int) -> socket.socket:
    taken = socket.socket()
    taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    taken.bind(("127.0.0.1", port))
    taken.listen()
    return taken


@pytest.fixture
def bpi(tmp_path):
    """A shell beside a network that does not run."""
    shell = Shell(tmp_path)
    assert "never for value" in shell.says(f"init --port-base {free_base()}")
    return shell


def port(shell: Shell, node: int = 0, offset: int = 0) -> int:
    for line in (shell.folder / f".bpi/validator-{node}/node.toml").read_text().splitlines():
        if line.startswith("listen") and "127.0.0.1" in line:
            found = int(line.rpartition(":")[2].strip('"'))
            break
    return found + offset


def test_a_network_is_made_once(bpi):
    bpi.refuses("init", 5, "cli.network-exists")
    made = Shell(bpi.folder).data(f"init --data other --validators 1 --port-base {free_base()}")
    assert [node["name"] for node in made["nodes"]] == ["validator-0"]
    bpi.refuses("init --validators 0 --data third", 2, "cli.usage")
    bpi.refuses("init --parameter nonsense=1 --data third", 50, "parameter.unknown")
    assert not (bpi.folder / "third").exists(), "nothing is left of what was refused"
    (bpi.folder / "mine").mkdir()
    (bpi.folder / "mine" / "letter.txt").write_text("dear diary")
    bpi.refuses("init --data mine", 5, "cli.network-exists")
    assert (bpi.folder / "mine" / "letter.txt").read_text() == "dear diary"


def test_nothing_runs_where_nothing_was_made(tmp_path):
    shell = Shell(tmp_path)
    for line in ("down", "logs", "testnet kill validator-0"):
        shell.refuses(line, 3, "cli.no-network")
    shell.refuses("node run", 3, "directory.not-initialised")


def test_down_says_what_it_stopped(bpi):
    assert bpi.says("down") == "nothing was running\n"
    bpi.says("up")
    assert bpi.data("down") == {
        "schema": "bpi/down/1",
        "stopped": [f"validator-{i}" for i in range(4)],
        "killed": [],
        "agents": [f"node-{i}" for i in range(1, 5)],
    }


def test_a_taken_port_is_named_with_its_taker(bpi):
    peers = port(bpi)
    with closing(listener(peers)):
        error = bpi.refuses("up", 5, "cli.port-taken")
        assert (str(peers) in error["message"], f"process {os.getpid()}" in error["message"]) == (True, True)
        bpi.refuses("node run --data .bpi/validator-0", 5, FaultReason.PORT_TAKEN)
        assert f"port {peers} is taken by process {os.getpid()}" in bpi.says("doctor", 52)
    assert bpi.says("down") == "nothing was running\n"


def test_a_second_process_on_a_data_directory_is_refused(bpi):
    bpi.refuses("node run", 2, "cli.usage")
    command = [*BPI, "node", "run", "--data", ".bpi/validator-0", "--json"]
    with subprocess.Popen(command, cwd=bpi.folder, stdout=subprocess.PIPE, text=True) as first:
        assert first.stdout is not None
        assert '"event": "ready"' in first.stdout.readline()
        error = bpi.refuses("node run --data .bpi/validator-0", 5, "directory.locked")
        assert str(first.pid) in error["message"]
        first.send_signal(signal.SIGTERM)
        assert '"event": "stopped"' in first.stdout.readline()
        assert first.wait(10) == 0


@pytest.mark.parametrize(
    ("file", "old", "new", "status", "code"),
    [
        ("node.toml", "rate_burst", "rate_bursts", 50, "settings.unknown-key"),
        ("node.toml", "rate_burst = ", "rate_burst = 0 # ", 50, "settings.wrong-value"),
        ("FORMAT", "format = 1", "format = 2", 50, "directory.unknown-format"),
        ("genesis.toml", "drift_ms = 5000", "drift_ms = 6000", 50, "directory.other-chain"),
    ],
)
def test_a_node_that_cannot_start_says_why(bpi, file, old, new, status, code):
    path = bpi.folder / ".bpi/validator-2" / file
    path.write_text(path.read_text().replace(old, new, 1))
    error = bpi.refuses("up", status, code)
    assert error["message"].startswith("validator-2: ")
    assert error["fix"]
    bpi.refuses("node run --data .bpi/validator-2", status, code)
    assert bpi.says("down") == "nothing was running\n", "the others are not left half running"


def test_a_node_that_dies_without_a_word_shows_its_log(bpi):
    shutil.rmtree(bpi.folder / ".bpi/validator-1/keys")
    assert bpi.run("up").status == 3
    shim = bpi.folder / "sitecustomize.py"
    shim.write_text("import os, sys\nif 'run' in sys.argv: os.write(2, b'out of luck'); os._exit(9)\n")
    bpi.environment["PYTHONPATH"] = str(bpi.folder)
    error = bpi.refuses("up", 70, "cli.node-died")
    assert ("exit 9" in error["message"], "out of luck" in error["message"]) == (True, True)


def test_in_the_foreground_a_signal_stops_the_network(bpi):
    with subprocess.Popen([*BPI, "up", "--foreground"], cwd=bpi.folder, stdout=subprocess.PIPE, text=True) as staying:
        assert staying.stdout is not None
        lines = iter(staying.stdout.readline, "")
        assert any(line.startswith("READY") for line in lines)
        assert bpi.says("status").startswith("GREEN")
        staying.send_signal(signal.SIGTERM)
        assert staying.wait(30) == 0
    assert bpi.says("down") == "nothing was running\n"


def test_agents_that_do_not_start_take_the_rest_with_them(bpi):
    error = bpi.refuses("up --engine nonsense", 70, "agent.no-engine")
    assert "of node-" in error["message"]
    assert bpi.says("down") == "nothing was running\n"
    assert "containers by sandbox" in bpi.says("up --engine sandbox"), "another engine mends it"
    bpi.refuses("up --engine crun", 5, "cli.network-exists")
    bpi.says("down")


def test_an_interrupted_start_leaves_nothing_running(bpi):
    # Who was started behind `&` ignores SIGINT, and so would a child: a handler of ours becomes the default in it.
    ours = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        started = subprocess.Popen(
            [*BPI, "up"], cwd=bpi.folder, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
    finally:
        signal.signal(signal.SIGINT, ours)
    with started as starting:
        assert starting.stdout is not None
        assert any(" keys " in line for line in iter(starting.stdout.readline, "")), "next it starts its nodes"
        starting.send_signal(signal.SIGINT)
        assert starting.wait(30) == 130
    assert bpi.says("down") == "nothing was running\n"


def test_a_real_chain_from_genesis_to_a_payment(tmp_path):
    """Without development: real keys under a password, a genesis of two operators' files, one node each."""
    shell = Shell(tmp_path, {"METANODE_KEY_PASSWORD": "correct horse"})
    base = free_base()
    shell.says("account create treasury")
    shell.says("account create shop")
    assert "none yet" in shell.says("genesis new chain.toml --name real --account treasury=1000 --account shop=0")
    assert shell.data("genesis new other.toml --name real --account treasury=1")["validators"] == []
    shell.refuses("genesis new chain.toml --name real --account treasury=1", 5, "cli.network-exists")
    shell.refuses("genesis new third.toml --name real --account nobody=1", 3, "cli.unknown-account")
    where = f"--listen 127.0.0.1:{base + 20} --http 127.0.0.1:{base}"
    shell.says(f"node init --data n0 --name n0 {where}")
    assert "validators  n0" in shell.says("genesis add-validator chain.toml n0/validator.toml")
    assert shell.data("genesis add-validator other.toml n0/validator.toml")["validators"] == ["n0"]
    shell.refuses("genesis add-validator chain.toml n0/validator.toml", 50, "genesis.duplicate")
    shell.refuses("genesis add-validator chain.toml n0/node.toml", 2, "cli.file-not-readable")
    shell.says("node init --data n0 --name n0 --genesis chain.toml")
    shutil.copy(tmp_path / "chain.toml", tmp_path / ".bpi" / "genesis.toml")
    with subprocess.Popen(
        [*BPI, "node", "run", "--data", "n0"],
        cwd=tmp_path,
        env={**os.environ, **shell.environment},
        stdout=subprocess.PIPE,
        text=True,
    ) as node:
        assert node.stdout is not None
        assert node.stdout.readline() == f"READY  http://127.0.0.1:{base}\n"
        url = f"--node http://127.0.0.1:{base}"
        shell.says(f"coin transfer --account treasury --to shop --amount 12.50 {url}")
        assert "12.50" in shell.says(f"account list {url}")
        assert "VALID" in shell.says(f"verify {url}")
        shell.refuses(
            "coin transfer --account treasury --to shop --amount 1 --node http://127.0.0.1:9", 60, "client.unreachable"
        )
        locked = Shell(tmp_path, {"METANODE_KEY_PASSWORD": "wrong"})
        locked.refuses(f"coin transfer --account treasury --to shop --amount 1 {url}", 4, "keys.wrong-password")
        assert Shell(tmp_path).run(f"coin transfer --account treasury --to shop --amount 1 {url}").status == 4
        node.send_signal(signal.SIGTERM)
        assert node.stdout.readline().startswith("STOPPED")
        assert node.wait(10) == 0


def test_development_keys_sign_nothing_on_a_real_chain(tmp_path):
    """A key everybody can make is refused, whatever chain the node is of."""
    with network(tmp_path) as shell:
        url = shell.data("status")["url"]
        genesis = tmp_path / ".bpi/validator-0/genesis.toml"
        text = genesis.read_text()
        genesis.write_text(text.replace("development = true", "development = false"))
        shell.refuses("testnet pause validator-0", 4, "cli.development-only")
        shell.refuses(f"coin transfer --to globex --amount 1 --node {url}", 5, "cli.other-chain")
        genesis.write_text(text)
