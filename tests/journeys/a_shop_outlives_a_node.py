"""From an empty folder to a shop that outlives a node and a broken version, and whose receipts convince a stranger."""

import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from tests.journeys.patience import Patience
from tests.journeys.shell import Shell
from tests.journeys.town import free_base

from metanode.cli.bpi.local_agents import LocalAgent
from metanode.cli.bpi.local_network import LocalNetwork
from metanode.host.agent.engines import end_containers

until: Final = Patience(60.0, 0.2)
FLIPS: Final = 10


@pytest.fixture(scope="module")
def bpi(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    folder = tmp_path_factory.mktemp("shop")
    Shell(folder).says(f"init shop --template compose --port-base {free_base()}")
    shell = Shell(folder / "shop")
    try:
        yield shell
    finally:
        shell.run("down")
        for path in (folder / "shop" / ".bpi" / "agents").glob("*"):
            end_containers(path)


def where(bpi: Shell) -> dict[int, str]:
    """The nodes of ready replicas of web, by index."""
    shown = bpi.data("container show web")
    return {
        replica["index"]: one["node"]
        for replica in shown["items"]
        for one in replica["instances"]
        if one["state"] == "ready"
    }


def kill_everything_of(network: LocalNetwork, number: int) -> None:
    """A machine is gone: its validator, its agent and what holds its containers, all at once (-9)."""
    agent = LocalAgent(network.root / "agents" / f"node-{number}")
    told = f"{agent.folder}/".encode()
    pids = [network.nodes[number - 1].process, agent.process]
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if told in path.read_bytes() + b"/":
                pids.append(int(path.parent.name))
        except OSError:
            continue
    for pid in sorted(set(pids)):
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue  # it ended with the one before


def test_a_folder_is_made_and_applied(bpi):
    assert (bpi.folder / "compose.yaml").is_file()
    assert "4/4 active" in bpi.says("up")
    assert "FINAL  height " in bpi.says("container apply compose.yaml")
    until(lambda: len(where(bpi)) == 3, "three replicas run")
    until(lambda: bpi.data("container show sum")["phase"] == "completed", "the job has run to its end")
    assert bpi.says("container logs sum.0") == f"{sum(range(1_000_000))}\n"


def test_it_is_called_through_the_mesh_from_a_node_that_runs_none_of_it(bpi):
    idle = ({f"node-{number}" for number in range(1, 5)} - set(where(bpi).values())).pop()
    assert "Directory listing for /common-licenses/" in bpi.says(f"mesh call web:8080 /common-licenses/ --from {idle}")


def test_it_is_scaled_to_six(bpi):
    bpi.says("container scale web 6 --observe")
    until(lambda: len(where(bpi)) == 6, "six run")


def test_a_machine_is_lost_and_everything_runs_again(bpi):
    network = LocalNetwork(bpi.folder / ".bpi")
    lost = next(number for number in (4, 3, 2) if f"node-{number}" in where(bpi).values())
    kill_everything_of(network, lost)
    until(lambda: len(where(bpi)) == 6 and f"node-{lost}" not in where(bpi).values(), "all six, elsewhere")


def test_a_broken_version_rolls_back_by_itself(bpi):
    good = (bpi.folder / "compose.yaml").read_text()
    broken = good.replace('"-m", "http.server", "8080"', '"-c", "raise SystemExit(3)"').replace(
        "replicas: 3", "replicas: 6"
    )
    assert broken != good
    (bpi.folder / "broken.yaml").write_text(broken)
    bpi.says("container apply broken.yaml")
    until(lambda: bpi.data("container show web")["current"]["revision"] == 2, "the broken version is begun")
    until(
        lambda: (shown := bpi.data("container show web"))["phase"] == "active" and shown["current"]["revision"] != 2,
        "led back",
    )
    until(lambda: len(where(bpi)) == 6, "all six of the version before run")


def test_its_receipts_convince_a_stranger_offline(bpi):
    exported = bpi.run("receipt export --workload web --to ../carried/web --json")
    assert exported.status in {0, 30}, exported  # 30: the lost node's agent does not answer, and is named
    carried = bpi.folder.parent / "carried"
    shutil.copy(bpi.folder / ".bpi" / "validator-0" / "genesis.toml", carried / "genesis.toml")
    bpi.says("down")
    stranger = Shell(carried)
    said = stranger.says("receipt verify web --genesis genesis.toml")
    assert "started" in said
    assert "none is missing" in said
    receipts = sorted((carried / "web").glob("*.receipt"))
    assert len(receipts) >= 6
    one = receipts[len(receipts) // 2]
    data = one.read_bytes()
    for number in range(FLIPS):
        at = number * len(data) // FLIPS
        changed = bytearray(data)
        changed[at] ^= 1 << number % 8
        (carried / "changed.receipt").write_bytes(changed)
        refused = stranger.run("receipt verify changed.receipt --genesis genesis.toml --json")
        assert refused.status in {2, 21}, (at, refused)
        assert refused.error["code"], (at, refused)
