"""What agents did with a workload is exported from all of them, carried away, and checked where no chain is."""

import os
import shutil
import signal
from collections.abc import Iterator
from typing import Any

import pytest
from tests.journeys.containers_run_by_consent import agent, until
from tests.journeys.shell import Shell
from tests.journeys.town import free_base

from metanode.client.verify import GenesisBasis, verify_any_receipt
from metanode.docklock.receipts import is_entries_file, read_entries
from metanode.records.genesis import load_toml

SLEEPER = """
name: shop
services:
  web:
    image: metanode.host/usr
    command: ["/usr/bin/sleep", "1000"]
    stop_signal: SIGKILL
    deploy:
      replicas: 2
      resources: {limits: {cpus: "0.1", memory: 64m}}
"""
FLIPS = 60
"""Bytes of each kind of file that are flipped; each of them all over the file."""


@pytest.fixture(scope="module")
def bpi(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    shell = Shell(tmp_path_factory.mktemp("receipts"))
    shell.says(f"up --port-base {free_base()}")
    (shell.folder / "web.yaml").write_text(SLEEPER)
    try:
        yield shell
    finally:
        if (shell.folder / ".bpi").is_dir():
            shell.run("down")


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Shell:
    """Somebody elsewhere, who has a genesis, and is given a folder."""
    return Shell(tmp_path_factory.mktemp("stranger"))


def steps(bpi: Shell, of: str = "--workload web") -> list[tuple[str, str]]:
    """(step, code) of all entries, in the chain's order."""
    return [(item["entry"]["step"], item["entry"]["code"]) for item in bpi.data(f"receipt list {of}")["items"]]


def refusals(bpi: Shell) -> list[dict[str, Any]]:
    """What was refused and is pinned."""
    items = bpi.data("receipt list --workload web")["items"]
    return [one for one in items if one["entry"]["step"] == "refused" and one["height"]]


def is_kept(bpi: Shell, node: str) -> bool:
    """Whether some other agent has a copy of each batch of a node that the chain has pinned: one batch a block."""
    blocks = {one["height"] for one in bpi.data(f"receipt list --by {node} --limit 1000")["items"]}
    folders = (bpi.folder / ".bpi" / "agents").glob(f"*/copies/{node}.*")
    return None not in blocks and any(len(list(folder.iterdir())) >= len(blocks) for folder in folders)


def test_every_step_of_a_life_is_written_down(bpi: Shell) -> None:
    bpi.says("container run web.yaml")
    assert bpi.run("container exec web.0 /bin/sh -c 'exit 7'").status == 7
    bpi.says("account create mallory")
    for _ in range(2):
        refused = bpi.run("container exec --json --account mallory web.0 /usr/bin/id")
        assert (refused.status, refused.error["code"]) == (4, "agent.not-allowed")
    bpi.says("container scale web 1 --observe")
    bpi.says("container stop web --observe")
    told = steps(bpi)
    for step in ("verified", "created", "started", "stopped"):
        assert [one for one, _ in told].count(step) == 2, (step, told)
    assert [code for step, code in told if step == "execed"] == ["", "7"]
    turned_away = [code for step, code in told if step == "refused"]
    assert turned_away[0] == "agent.not-allowed"
    assert len(turned_away) <= 2, "its like within a minute is one"
    assert [step for step, _ in steps(bpi, "--container web.1")] == ["verified", "created", "started", "stopped"]


def test_one_of_them_is_shown_and_exported_by_its_name(bpi: Shell) -> None:
    item = until(lambda: refusals(bpi), "what was refused is pinned")[0]
    said = bpi.says(f"receipt get {item['receipt']}")
    assert "refused web.0" in said
    assert "(agent.not-allowed)" in said
    bpi.says(f"receipt export {item['receipt']}")
    assert bpi.data(f"receipt verify {item['receipt']}.receipt")["entry"] == item["entry"]
    bpi.says(f"receipt export {item['receipt']} --format dsse -o refused.json")
    assert bpi.data("receipt verify refused.json")["form"] == "dsse"
    node, number, _ = item["receipt"].split(".")
    other = bpi.run(f"receipt get {node}.{number}.0000 --json")
    assert (other.status, other.error["code"]) == (21, "wreceipt.name"), "another one than is there"
    assert bpi.data(f"receipt list --by {node} --limit 1")["items"][0]["receipt"].startswith(f"{node}.0.")


def test_all_receipts_of_a_workload_are_carried_away_and_checked_without_a_chain(bpi: Shell, stranger: Shell) -> None:
    exported = bpi.data("receipt export --workload web --to web")
    node = min(exported["nodes"])
    until(lambda: is_kept(bpi, node), "another agent keeps every batch of it")
    lost = agent(bpi, node)
    os.kill(lost.process, signal.SIGKILL)
    until(lambda: bpi.run("receipt export --workload web --to again").status == 0, "others keep what the lost one said")
    bpi.says("down")
    first, second = ({path.name: path.read_bytes() for path in (bpi.folder / to).iterdir()} for to in ("web", "again"))
    receipts = {name: data for name, data in first.items() if name.endswith(".receipt")}
    assert len(receipts) == exported["receipts"] >= 11
    assert receipts == {name: second[name] for name in receipts}, "of copies, too, the same bytes"
    shutil.copytree(bpi.folder / "web", stranger.folder / "web")
    shutil.copy(bpi.folder / ".bpi" / "validator-0" / "genesis.toml", stranger.folder)
    told = stranger.data("receipt verify web --genesis genesis.toml")
    assert len(told["items"]) == len(receipts)
    assert [(one["node"], one["whole"]) for one in told["chains"]] == [
        (node, True) for node in sorted(exported["nodes"])
    ]


def test_a_receipt_that_is_taken_out_is_missed(stranger: Shell) -> None:
    shutil.copytree(stranger.folder / "web", stranger.folder / "less")
    for path in (stranger.folder / "less").glob("*.entries"):
        path.unlink()
    node = stranger.data("receipt verify web --genesis genesis.toml")["chains"][0]["node"]
    (taken,) = (stranger.folder / "less").glob(f"{node}.1.*.receipt")
    taken.unlink()
    chains = stranger.data("receipt verify less --genesis genesis.toml")["chains"]
    assert chains[0]["missing"] == [[1, 1]]


def test_whatever_is_flipped_is_refused_with_its_layer(stranger: Shell) -> None:
    basis = GenesisBasis(load_toml((stranger.folder / "genesis.toml").read_text()))

    def check(data: bytes) -> object:
        return read_entries(data) if is_entries_file(data) else verify_any_receipt(data, basis)

    layers: set[str] = set()
    for ending in ("receipt", "entries"):
        path = min((stranger.folder / "web").glob(f"*.{ending}"))
        shutil.copy(path, stranger.folder / f"one.{ending}")
        layers |= stranger.refuses_flips(f"one.{ending}", "receipt verify", check, FLIPS, shown=20)
    assert layers >= {"wreceipt.entry", "wreceipt.signature", "light.encoding"}, layers
