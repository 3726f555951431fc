"""The doctor's checks: each sees for itself."""

import resource
import socket
from pathlib import Path

import pytest
from tests.unit.cli.conftest import Bpi

from metanode.cli.bpi import checks
from metanode.cli.bpi.checks import machine_checks, network_checks, skew_check
from metanode.cli.bpi.local_network import LocalNetwork


def by_name(found: object) -> dict[str, tuple[str, str]]:
    assert isinstance(found, list)
    return {check.name: (check.verdict, check.seen) for check in found}


def test_the_machine_is_looked_at(tmp_path: Path) -> None:
    found = list(machine_checks(tmp_path / "not" / "there" / "yet"))
    assert [check.name for check in found] == ["version", "open files", "memory", "disk space", "disk sync", "clock"]
    assert all(check.fix for check in found if check.verdict != "pass")
    assert not list(tmp_path.iterdir()), "nothing is left behind"


def test_what_is_short_is_a_warning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (64, 128))
    monkeypatch.setattr(checks, "FREE_WARN_BYTES", 1 << 62)
    monkeypatch.setattr(checks, "MEMORY_WARN_BYTES", 1 << 62)
    monkeypatch.setattr(checks, "SYNC_WARN_MS", -1.0)
    found = by_name(list(machine_checks(tmp_path)))
    assert {name for name, (verdict, _) in found.items() if verdict == "warn"} >= {
        "open files", "memory", "disk space", "disk sync",
    }  # fmt: skip


def test_a_healthy_network_that_does_not_run_is_a_warning(folder: Path, bpi: Bpi) -> None:
    bpi("init", "--validators", "2", "--port-base", "30100")
    found = by_name(list(network_checks(LocalNetwork(folder / ".bpi"))))
    assert {name: verdict for name, (verdict, _) in found.items()} == {"validator-0": "warn", "validator-1": "warn"}


def test_faults_of_a_network_are_failures(folder: Path, bpi: Bpi) -> None:
    bpi("init", "--validators", "2", "--port-base", "30100")
    root = folder / ".bpi"
    (root / "validator-0/keys/bls.json").chmod(0o644)
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", 30101))
        other.listen()
        found = by_name(list(network_checks(LocalNetwork(root))))
    assert found["validator-0 keys"][0] == "fail"
    assert found["validator-1 port"][0] == "fail"
    settings = root / "validator-1/node.toml"
    settings.write_text(settings.read_text().replace("free_bytes_min = ", f"free_bytes_min = {1 << 49} #"))
    (root / "validator-0/node.toml").write_text("nonsense = 1\n")
    found = by_name(list(network_checks(LocalNetwork(root))))
    assert (found["validator-1 disk"][0], found["validator-0"][0]) == ("fail", "fail")
    said = bpi("doctor", "--json")
    assert (said.status, said.data["ok"]) == (52, False)


def test_two_chains_in_one_folder_are_a_failure(folder: Path, bpi: Bpi) -> None:
    bpi("init", "--validators", "1", "--port-base", "30100")
    bpi("init", "--validators", "1", "--port-base", "30100", "--data", "other", "--name", "other")
    (folder / "other/validator-0").rename(folder / ".bpi/validator-1")
    found = by_name(list(network_checks(LocalNetwork(folder / ".bpi"))))
    assert found["chain"][0] == "fail"


def test_a_node_that_does_not_answer_is_a_failure() -> None:
    check = skew_check("http://127.0.0.1:9")
    assert (check.verdict, "client.unreachable" in check.seen) == ("fail", True)
