"""The folder of a local network, and who holds its nodes."""

import fcntl
import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.unit.cli.conftest import Bpi

from metanode.api.exits import ExitStatus
from metanode.cli.bpi.local_network import MARK, LocalNetwork, LocalNode, existing_network, holder
from metanode.cli.failure import CliRefusal, Failure

HOLD = """
import fcntl, os, sys
file = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT)
fcntl.flock(file, fcntl.LOCK_EX)
os.pwrite(file, f"{os.getpid()}\\n".encode(), 0)
print("held", flush=True)
sys.stdin.read()
"""


def test_nobody_holds_what_is_not_there_or_empty_or_nonsense(tmp_path: Path) -> None:
    assert holder(tmp_path / "LOCK") == 0
    for text in ("", "nonsense", "999999999"):
        (tmp_path / "LOCK").write_text(text)
        assert holder(tmp_path / "LOCK") == 0


def test_an_id_of_a_living_process_that_does_not_hold_the_lock_is_nobody(tmp_path: Path) -> None:
    (tmp_path / "LOCK").write_text(f"{os.getppid()}\n")
    assert holder(tmp_path / "LOCK") == 0


def test_whoever_holds_the_lock_is_the_process(tmp_path: Path) -> None:
    lock = tmp_path / "LOCK"
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(lock)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        assert holder(lock) == process.pid
        process.kill()
        process.wait()
        assert holder(lock) == 0, "the lock ends with the process, its id stays in the file"
    file = os.open(lock, os.O_RDWR)
    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)  # asking did not take it
    os.close(file)


def node(
    root: Path, name: str, text: str = '[http]\nlisten = "127.0.0.1:1"\n[network]\nlisten = "127.0.0.1:2"\n'
) -> Path:
    folder = root / name
    folder.mkdir(parents=True)
    (folder / "FORMAT").touch()
    (folder / "node.toml").write_text(text)
    return folder


def test_nodes_come_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    for name in ("validator-10", "validator-2", "observer"):
        node(tmp_path, name)
    (tmp_path / "accounts").mkdir()
    network = LocalNetwork(tmp_path)
    assert [one.name for one in network.nodes] == ["observer", "validator-2", "validator-10"]
    assert network.running == ()
    assert network.genesis == tmp_path / "observer" / "genesis.toml"


def test_a_node_says_where_it_listens_and_logs(tmp_path: Path) -> None:
    one = LocalNode(node(tmp_path, "validator-0"))
    assert (one.url, one.ports, one.log_file) == ("http://127.0.0.1:1", (1, 2), one.folder / "logs/start.log")
    other = LocalNode(node(tmp_path, "validator-1", '[log]\nfile = "node.log"\n'))
    assert (other.url, other.ports, other.log_file) == (
        "http://127.0.0.1:26600",
        (26600, 26601),
        other.folder / "node.log",
    )


def test_settings_that_are_no_toml_are_named(tmp_path: Path) -> None:
    with pytest.raises(Failure) as raised:
        LocalNode(node(tmp_path, "validator-0", "= nonsense")).settings()
    assert (raised.value.form.code, raised.value.form.exit) == (CliRefusal.CONFIGURATION, ExitStatus.CONFIGURATION)


def test_a_folder_without_the_mark_is_no_network(tmp_path: Path) -> None:
    node(tmp_path, "validator-0")
    with pytest.raises(Failure) as raised:
        existing_network(tmp_path)
    assert (raised.value.form.code, raised.value.form.exit) == (CliRefusal.NO_NETWORK, ExitStatus.NOT_FOUND)
    (tmp_path / MARK).touch()
    assert existing_network(tmp_path).node("validator-0").folder == tmp_path / "validator-0"
    with pytest.raises(Failure) as raised:
        existing_network(tmp_path).node("validator-7")
    assert (raised.value.form.code, raised.value.form.fix) == (CliRefusal.UNKNOWN_NODE, "there are: validator-0")


def test_init_makes_a_whole_network_once_and_leaves_strangers_alone(folder: Path, bpi: Bpi) -> None:
    made = bpi("init", "--validators", "1", "--port-base", "30000", "--json")
    assert (made.status, made.data["nodes"]) == (0, [{"name": "validator-0", "url": "http://127.0.0.1:30000"}])
    again = bpi("init", "--json")
    assert (again.status, again.error["code"]) == (5, CliRefusal.NETWORK_EXISTS)
    (folder / "mine").mkdir()
    (folder / "mine" / "letter").touch()
    assert bpi("init", "--data", "mine", "--json").error["code"] == CliRefusal.NETWORK_EXISTS
    bad = bpi("init", "--data", "other", "--parameter", "block_period_ms=-1", "--json")
    assert (bad.status, bad.error["code"], (folder / "other").exists()) == (2, CliRefusal.USAGE, False)
    bpi("account", "create", "alice", "--data", "keys", "--password-file", "mine/letter")
    assert bpi("init", "--data", "keys", "--validators", "1").status == 0, "keys may be there before the network"
    assert (folder / "keys/accounts/alice.json").is_file()
    bpi("account", "create", "acme", "--data", "clash", "--password-file", "mine/letter")
    before = (folder / "clash/accounts/acme.json").read_bytes()
    assert bpi("init", "--data", "clash", "--json").error["code"] == "keys.exists"
    assert [path.name for path in (folder / "clash").rglob("*")] == ["accounts", "acme.json"]
    assert (folder / "clash/accounts/acme.json").read_bytes() == before
    with_letter = sorted(path.name for path in (folder / "mine").iterdir())
    assert with_letter == ["letter"]


def test_commands_that_need_a_running_network_say_so(folder: Path, bpi: Bpi) -> None:
    assert bpi("down", "--json").error["code"] == CliRefusal.NO_NETWORK
    bpi("init", "--validators", "1", "--port-base", "30000")
    assert bpi("down").out == "nothing was running\n"
    for line in (["kill", "validator-0"], ["pause", "validator-0"], ["resume", "validator-0"], ["load"]):
        said = bpi("testnet", *line, "--json")
        assert (said.status, said.error["code"]) == (5, CliRefusal.NOT_RUNNING)
    assert bpi("testnet", "kill", "nobody", "--json").error["code"] == CliRefusal.UNKNOWN_NODE
    said = bpi("node", "vouch", "--data", ".bpi/validator-0", "--height", "9", "--json")
    assert (said.status, said.error["code"]) == (5, CliRefusal.GUARD_HOLDS)
    genesis = folder / ".bpi/validator-0/genesis.toml"
    genesis.write_text(genesis.read_text().replace("development = true", "development = false"))
    said = bpi("testnet", "kill", "validator-0", "--json")
    assert (said.status, said.error["code"]) == (4, CliRefusal.DEVELOPMENT_ONLY)
