"""Each command against a running network: to a person, to a program, and once where it must refuse."""

import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.journeys.shell import BPI, Shell, network
from tests.journeys.town import until

from metanode.api.node import NodeStatus
from metanode.client import Client

NOBODY = "00" * 32


@pytest.fixture(scope="module")
def bpi(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    with network(tmp_path_factory.mktemp("commands"), "--parameter empty_block_period_ms=1000") as shell:
        yield shell


@pytest.fixture
def stranger(tmp_path: Path) -> Shell:
    """A shell in an empty folder: no network, no keys, no genesis."""
    return Shell(tmp_path)


def status_of(shell: Shell) -> NodeStatus:
    with Client(shell.data("status")["url"]) as client:
        return client.node.status()


def test_up_again_says_that_all_of_it_runs(bpi):
    assert "4/4 running" in bpi.says("up --no-agents")
    again = bpi.data("up --no-agents")
    assert (again["started"], len(again["nodes"])) == ([], 4)
    assert [step["step"] for step in again["steps"]] == ["checks", "keys", "validators", "finality", "self-test"]
    bpi.refuses("up --validators 7", 5, "cli.network-exists")


def test_status_says_in_one_line_how_the_chain_is(bpi, stranger):
    assert bpi.says("status").startswith("GREEN  4/4 validators")
    assert "quorum    3 of 4" in bpi.says("status -v")
    assert bpi.data("status")["light"]["colour"] == "green"
    stranger.refuses("status --node http://127.0.0.1:9", 60, "client.unreachable")


def test_verify_checks_the_chain_from_genesis(bpi, stranger):
    assert "VALID  height" in bpi.says("verify")
    first = bpi.data("receipt list --limit 1 --first 1")["items"][0]["height"]  # empty blocks may come before it
    found = bpi.data(f"verify --height {first}")
    assert (found["valid"], found["headers"], found["receipts"]) == (True, first, 1)
    assert bpi.data(f"verify --headers-only --height {first}")["receipts"] is None
    skipped = bpi.data("verify --skip")
    assert (skipped["headers"], skipped["receipts"], skipped["basis"]["recent"]) == (1, None, True)
    assert skipped["height"] > 1
    assert "headers 1 of " in bpi.says("verify --skip")
    url = bpi.data("status")["url"]
    stranger.refuses(f"verify --node {url}", 3, "cli.no-genesis")
    stranger.says("init")
    stranger.refuses(f"verify --node {url}", 5, "cli.other-chain")


def test_coins_are_defined_minted_paid_and_shown(bpi):
    assert bpi.says("coin transfer --to globex --amount 420").startswith("FINAL  height ")
    paid = bpi.data("coin transfer --to globex --amount 4.20 --memo lunch")
    assert (paid["succeeded"], paid["sentence"]) == (True, "acme transfers 4.20 USD to globex, with the memo 'lunch'")
    bpi.refuses("coin transfer --to globex --amount 1.001", 2, "cli.bad-amount")
    bpi.refuses("coin transfer --to nobody --amount 1", 3, "cli.unknown-account")
    assert bpi.says("coin define EUR --supply-max 1000").startswith("FINAL")
    assert bpi.data("coin define GOLD --decimals 0 --minter globex")["succeeded"]
    bpi.refuses("coin define EUR", 5, "coin.exists")
    assert bpi.says("coin mint --coin EUR --to globex --amount 7").startswith("FINAL")
    assert bpi.data("coin mint --coin EUR --to acme --amount 0.50")["state"] == "final"
    bpi.refuses("coin mint --coin GOLD --to acme --amount 1", 4, "coin.not-a-minter")
    assert "supply    7.50 EUR" in bpi.says("coin show EUR")
    assert bpi.data("coin show EUR")["supply"] == "750"
    bpi.refuses("coin show NOPE", 3, "api.not-found")


def test_what_cannot_be_paid_is_final_and_failed(bpi):
    said = bpi.run("coin transfer --account globex --to acme --amount 99999999")
    assert said.status == 80
    assert said.out.startswith("FAILED")
    assert "[coin.insufficient]" in said.err
    failed = bpi.run("coin transfer --account globex --to acme --amount 99999999 --json")
    assert (failed.data["succeeded"], failed.error["exit"]) == (False, 80)
    assert "; globex holds " in failed.error["message"], "how much there is"


def test_accounts_are_made_shown_and_listed(bpi):
    assert "DEVELOPMENT ONLY" in bpi.says("account create alice")
    bob = bpi.data("account create bob")
    bpi.refuses("account create bob", 5, "keys.exists")
    assert bpi.says("testnet faucet alice").startswith("FINAL")
    assert bpi.data("testnet faucet bob --amount 5")["sentence"] == "faucet transfers 5.00 USD to bob"
    bpi.refuses("testnet faucet alice --amount much", 2, "cli.bad-amount")
    assert "balance   1000.00 USD" in bpi.says("account show alice")
    assert bpi.data("account show bob")["address"] == bob["address"]
    shown = bpi.says("account show alice --prove")
    assert "proved    USD under header" in shown
    assert shown.endswith("VALID\n")
    assert bpi.data("account show alice --prove")["proof"]["coins"] == ["USD"]
    bpi.refuses("account show nobody", 3, "cli.unknown-account")
    assert bob["address"] in bpi.says("account list")
    balances = {item["name"]: item["amount"] for item in bpi.data("account list")["items"]}
    assert (balances["alice"], balances["bob"]) == ("100000", "500")
    holders = {item["name"] for item in bpi.data("account list --chain")["items"]}
    assert {"acme", "globex", "faucet", "alice", "bob"} <= holders
    bpi.refuses("account list --coin NOPE", 3, "api.not-found")
    assert bpi.says("coin transfer --account bob --to alice --amount 5").startswith("FINAL")


def test_transactions_are_sent_waited_for_and_shown(bpi):
    address = bpi.data("account show globex")["address"]
    pay = {"type": "coin.transfer", "coin": "USD", "to": address, "amount": "1"}
    (bpi.folder / "calls.json").write_text(json.dumps([pay, {"type": "coin.burn", "coin": "USD", "amount": "2"}]))
    assert bpi.says("transaction send calls.json").startswith("FINAL")
    sent = bpi.data("transaction send calls.json --wait none")
    assert sent["state"] == "pending"
    assert bpi.says(f"transaction wait {sent['identity']}").startswith("FINAL")
    assert bpi.data(f"transaction wait {sent['identity']} --until included")["identity"] == sent["identity"]
    shown = bpi.says(f"transaction show {sent['identity']}")
    assert shown.startswith("acme transfers 0.01 USD to globex; burns 0.02 USD\n")
    assert bpi.data(f"transaction show {sent['identity']}")["state"] == "final"
    assert bpi.data("transaction send calls.json --wait included")["state"] in ("included", "final")
    (bpi.folder / "bad.json").write_text("{}")
    bpi.refuses("transaction send bad.json", 2, "api.invalid-arguments")
    (bpi.folder / "bad.bin").write_bytes(b"\xff\x00")
    bpi.refuses("transaction send bad.bin", 2, "cli.file-not-readable")
    bpi.refuses(f"transaction show {NOBODY}", 3, "api.not-found")
    late = bpi.refuses(f"transaction wait {NOBODY} --timeout 1", 61, "client.deadline")
    assert late["fix"] == f"bpi transaction wait {NOBODY}"


def test_two_keys_sign_for_one_account(bpi):
    bpi.says("account create shared")
    bpi.says("account create second")
    bpi.says("testnet faucet shared")
    keys = [
        json.loads((bpi.folder / ".bpi/accounts" / f"{n}.json").read_text())["public_key"] for n in ("shared", "second")
    ]
    policy = {"type": "accounts.set-policy", "keys": sorted(keys), "threshold": 2}
    (bpi.folder / "policy.json").write_text(json.dumps(policy))
    assert bpi.says("transaction send policy.json --account shared").startswith("FINAL")
    burn = {"type": "coin.burn", "coin": "USD", "amount": "1"}
    (bpi.folder / "burn.json").write_text(json.dumps(burn))
    assert bpi.run("transaction send burn.json --account shared").status == 4, "one key is not enough any more"
    assert bpi.says("transaction send burn.json --account shared --cosigner second").startswith("FINAL")


def test_receipts_are_got_listed_exported_and_verified(bpi, stranger):
    paid = bpi.data("coin transfer --to globex --amount 1")
    name = paid["receipt"]
    assert bpi.says(f"receipt get {name}").startswith(f"receipt   {name}")
    assert bpi.data(f"receipt get {paid['identity']}")["receipt"] == name
    bpi.refuses(f"receipt get {NOBODY}", 3, "api.not-found")
    assert name in bpi.says("receipt list --account globex --limit 100")
    height = int(paid["height"])
    assert bpi.data(f"receipt list --limit 1 --first {height}")["items"][0]["height"] == height
    bpi.refuses("receipt list --account nobody", 3, "cli.unknown-account")
    assert f"{name}.receipt" in bpi.says(f"receipt export {name}")
    exported = bpi.data(f"receipt export {name} -o other.receipt")
    assert (bpi.folder / "other.receipt").stat().st_size == exported["bytes"]
    bpi.refuses(f"receipt export {name} -o no/such/folder", 4, "cli.file-not-writable")
    shown = bpi.says(f"receipt verify {name}.receipt")
    assert "asked     acme transfers 1.00 USD to globex" in shown
    assert "VALID" in shown
    assert bpi.data("receipt verify other.receipt")["valid"] is True
    changed = bytearray((bpi.folder / "other.receipt").read_bytes())
    changed[len(changed) // 2] ^= 4
    (bpi.folder / "changed.receipt").write_bytes(changed)
    assert bpi.run("receipt verify changed.receipt").status == 21
    assert bpi.run("receipt verify changed.receipt --json").error["code"].startswith("light.")
    stranger.refuses("receipt verify nothing.receipt --genesis nothing.toml", 3, "cli.file-not-found")


def test_a_flipped_byte_is_seen(bpi, stranger):
    said = bpi.run("demo tamper")
    assert (said.status, "INVALID (layer: inclusion)" in said.out) == (21, True)
    for part, layers in (("transaction", {"transaction"}), ("header", {"header", "commit"}), ("commit", {"commit"})):
        assert bpi.data(f"demo tamper --part {part}", 21)["layer"] in layers
    stranger.refuses("demo tamper", 3, "cli.no-genesis")


def test_blocks_and_validators_are_shown_and_listed(bpi):
    assert bpi.says("block show 1").startswith("block     1 · ")
    assert bpi.data("block show 1")["height"] == 1
    bpi.refuses("block show 999999", 3, "api.beyond-head")
    assert "validator-" in bpi.says("block list --limit 2")
    assert len(bpi.data("block list --limit 2")["items"]) == 2
    bpi.refuses("block list --limit 0", 2, "cli.usage")
    assert "4 validators · a block needs 3 · tolerates 1 faulty" in bpi.says("validator list")
    assert bpi.data("validator list")["quorum"] == 3
    bpi.refuses("validator list --height 999999", 3, "api.beyond-head")
    assert "validator  validator-1 (seat 1)" in bpi.says("validator show validator-1")
    assert bpi.data("validator show validator-1")["seat"] == 1
    bpi.refuses("validator show nobody", 3, "api.not-found")


def test_operators_propose_and_vote(bpi):
    assert "1 of 3 approvals" in bpi.says("governance propose set-parameter history_blocks 65")
    number = bpi.data("governance propose set-parameter history_blocks 66")["proposal"]
    bpi.refuses("governance propose set-parameter history_blocks", 2, "cli.usage")
    bpi.refuses("governance propose set-parameter nonsense 1", 50, "parameter.unknown")
    assert "set parameter history_blocks to 66" in bpi.says(f"governance show {number}")
    assert bpi.data(f"governance show {number}")["state"] == "open"
    bpi.refuses("governance show 999", 3, "api.not-found")
    assert "2 of 3 approvals" in bpi.says(f"governance vote {number}")
    assert bpi.data(f"governance vote {number}")["proposal_state"] == "passed"
    bpi.refuses("governance vote 999", 3, "api.not-found")
    assert "set parameter history_blocks to 66" in bpi.says("governance show")
    assert bpi.says("governance vote 1 --reject --account operator-validator-3").startswith("FINAL")


def test_nodes_are_killed_paused_resumed_restarted_and_healed(bpi):
    assert bpi.says("testnet kill validator-3").startswith("killed validator-3 · 3/4 running")
    assert bpi.says("status").startswith("YELLOW  3/4 validators · still final · no further fault tolerated")
    bpi.refuses("testnet kill validator-3", 5, "cli.not-running")
    assert "started validator-3 · 4/4 validators reached" in bpi.says("testnet heal")
    assert bpi.data("testnet kill validator-2")["killed"] == ["validator-2"]
    assert bpi.data("testnet heal")["started"] == ["validator-2"]
    assert bpi.says("testnet pause validator-1").startswith("paused validator-1")
    assert bpi.says("testnet resume validator-1").startswith("resumed validator-1")
    assert bpi.data("testnet pause validator-1")["paused"] == ["validator-1"]
    assert bpi.data("testnet resume validator-1")["resumed"] == ["validator-1"]
    bpi.refuses("testnet pause nobody", 3, "cli.unknown-node")
    bpi.refuses("testnet resume nobody", 3, "cli.unknown-node")
    assert bpi.says("testnet restart validator-1").startswith("restarted validator-1 · 4/4 running")
    assert bpi.data("testnet restart validator-1")["running"] == [f"validator-{i}" for i in range(4)]
    bpi.refuses("testnet restart nobody", 3, "cli.unknown-node")
    bpi.says("testnet heal")
    assert bpi.says("status").startswith("GREEN")


def test_a_partition_stops_the_chain_and_heals(bpi):
    line = "testnet partition validator-0,validator-1 validator-2,validator-3"
    assert "no group can go on" in bpi.says(line)
    bpi.refuses("coin transfer --to globex --amount 1 --timeout 2", 61, "client.deadline")
    bpi.says("testnet heal")
    assert bpi.data("testnet partition validator-3")["quorum_possible"] is True
    assert bpi.says("coin transfer --to globex --amount 1").startswith("FINAL")
    bpi.refuses("testnet partition validator-0 validator-0", 2, "cli.usage")
    bpi.says("testnet heal")
    assert bpi.says("testnet latency 20 validator-0") == "validator-0: 20 ms later\n"
    assert bpi.data("testnet latency 0")["latency_ms"] == 0
    bpi.refuses("testnet latency 20 nobody", 3, "cli.unknown-node")
    assert bpi.says("status").startswith("GREEN")


def test_load_becomes_final(bpi):
    assert "lost 0" in bpi.says("testnet load --rate 50 --seconds 1 --senders 5")
    report = bpi.data("testnet load --rate 50 --seconds 1 --senders 60")
    assert (report["sent"], report["refused"], report["final"], report["lost"]) == (50, 0, 50, 0)
    assert 0 < report["p50_s"] <= report["p99_s"]
    bpi.refuses("testnet load --rate 0", 2, "cli.usage")


def test_the_doctor_looks_at_everything(bpi):
    shown = bpi.says("doctor")
    for name in ("version", "open files", "memory", "disk space", "disk sync", "clock", "validator-3", "clock skew"):
        assert name in shown
    assert bpi.data("doctor")["ok"] is True
    settings = bpi.folder / ".bpi/validator-3/node.toml"
    text = settings.read_text()
    try:
        settings.write_text(text.replace("body_bytes_max", "body_byte_max"))
        said = bpi.run("doctor")
        assert (said.status, "did you mean `http.body_bytes_max`?" in said.out) == (52, True)
    finally:
        settings.write_text(text)


def test_logs_are_shown_and_followed(bpi):
    assert "booted" in bpi.says("logs validator-0 -n 10000")
    lines = bpi.run("logs -n 2 --json").out.splitlines()
    assert len(lines) == 8
    assert {json.loads(line)["node"] for line in lines} == {f"validator-{i}" for i in range(4)}
    bpi.refuses("logs nobody", 3, "cli.unknown-node")
    command = [*BPI, "logs", "validator-2", "-f", "-n", "0"]
    following = subprocess.Popen(command, cwd=bpi.folder, stdout=subprocess.PIPE)
    try:
        time.sleep(0.5)
        bpi.says("testnet restart validator-2")
        assert following.stdout is not None
        assert b"validator-2" in following.stdout.readline()
    finally:
        following.terminate()
        assert following.wait(10) == 143
        if following.stdout is not None:
            following.stdout.close()


def test_a_backup_is_made_restored_and_vouched_for(bpi):
    bpi.refuses("backup copy", 2, "cli.usage")
    bpi.refuses("backup copy --data nowhere", 3, "directory.not-initialised")
    loading = bpi.begins("testnet load --rate 100 --seconds 10 --senders 20")
    before = bpi.data("status")["height"]
    until(lambda: bpi.data("status")["height"] > before + 4, 20, "the load is on its way")
    assert bpi.data("backup copy --data .bpi/validator-3")["last_block"] > before + 3, "it runs, and goes on running"
    assert bpi.says("backup copy2 --data .bpi/validator-3").startswith("copy2  ")
    assert loading.wait(60) == 0
    bpi.says("testnet kill validator-3")
    bpi.says("backup copy3 --data .bpi/validator-3")
    bpi.refuses("restore copy --data .bpi/validator-3", 5, "directory.exists")
    bpi.refuses("node vouch --data .bpi/validator-3", 5, "cli.guard-holds")
    shutil.rmtree(bpi.folder / ".bpi/validator-3")
    assert "signs nothing until vouched for" in bpi.says("restore copy --data .bpi/validator-3")
    assert bpi.data("restore copy2 --data elsewhere")["validator"] is True
    (bpi.folder / "copy" / "genesis.toml").write_text("changed")
    bpi.refuses("restore copy --data elsewhere2", 30, "backup.damaged")
    bpi.says("testnet heal")
    assert mute(bpi), "it follows, and does not vote on its own word"
    bpi.says("testnet kill validator-3")
    assert "its guard was restored" in bpi.says("node vouch --data .bpi/validator-3")
    assert bpi.data("node vouch --data elsewhere --height 1000000")["condition"] == "restored"
    bpi.says("testnet heal")
    until(lambda: not mute(bpi), 30, "it votes again")
    bpi.says("testnet kill validator-2")
    assert bpi.says("coin transfer --to globex --amount 1").startswith("FINAL"), "its vote is needed, and given"
    bpi.says("testnet heal")


def test_a_stopped_node_is_looked_through_and_repaired(bpi):
    bpi.refuses("node repair", 2, "cli.usage")
    bpi.refuses("node repair --data .bpi/validator-2", 5, "directory.locked")
    bpi.says("testnet kill validator-2")
    assert "nothing is damaged" in bpi.says("node repair --data .bpi/validator-2")
    (bpi.folder / ".bpi/validator-2/store/CURRENT").write_text("noise")
    assert bpi.data("node repair --data .bpi/validator-2")["set_aside"][0].endswith("store.damaged")
    assert "begins anew at the next start" in bpi.says("node repair --data .bpi/validator-2")
    assert "started validator-2 · 4/4 validators reached" in bpi.says("testnet heal")


def mute(shell: Shell) -> bool:
    """Whether validator-3 follows without voting."""
    base = int(shell.data("status")["url"].rpartition(":")[2])
    return "does not vote" in shell.says(f"status --node http://127.0.0.1:{base + 3}")


def test_a_fifth_node_is_made_voted_in_and_out(bpi):
    address = bpi.data("account show acme")["address"]
    base = int(bpi.data("status")["url"].rpartition(":")[2])
    where = f"--listen 127.0.0.1:{base + 24} --http 127.0.0.1:{base + 4} --operator {address} --development"
    assert "keys only" in bpi.says(f"node init --data .bpi/validator-4 --name validator-4 {where}")
    made = bpi.data(
        "node init --data .bpi/validator-4 --name validator-4 --genesis .bpi/validator-0/genesis.toml " + where
    )
    bpi.refuses("node init --data .bpi/validator-4 --name validator-4", 5, "cli.network-exists")
    assert made["transport_key"] in bpi.says("node identity --data .bpi/validator-4")
    assert bpi.data("node identity --data .bpi/validator-4")["vote_key"] == made["vote_key"]
    bpi.refuses("node identity --data nowhere", 3, "cli.no-network")
    file = ".bpi/validator-4/validator.toml"
    number = bpi.data(f"governance propose add-validator {file} --account operator-validator-0")["proposal"]
    for index in (1, 2):
        bpi.says(f"governance vote {number} --account operator-validator-{index}")
    until(lambda: status_of(bpi).validators_total == 5, 30, "the fifth has a seat")
    assert "5/5 running" in bpi.says("up")
    until(lambda: status_of(bpi).validators_reachable == 5, 30, "the fifth is reached")
    assert len(bpi.data("validator list")["items"]) == 5
    number = bpi.data("governance propose remove-validator validator-4 --account operator-validator-0")["proposal"]
    for index in (1, 2, 3):
        bpi.says(f"governance vote {number} --account operator-validator-{index}")
    until(lambda: status_of(bpi).validators_total == 4, 30, "the fifth is gone")
    assert "VALID" in bpi.says("verify")
    assert bpi.says("coin transfer --to globex --amount 1").startswith("FINAL")
    followed = bpi.data("verify --skip")
    assert followed["headers"] == 3, "where the fifth came, where it went, and the head"
    assert [one["seats"] for one in followed["signed"]] == [4, 5]
    assert bpi.data("account show acme --prove")["proof"]["height"] >= followed["height"]
