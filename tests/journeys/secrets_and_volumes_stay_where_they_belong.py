"""A secret reaches the containers that need it, and no file of the network; data stays where it is, and is found."""

import os
import signal
import socket
import subprocess
from base64 import b64encode
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from tests.journeys.patience import Patience
from tests.journeys.shell import BPI, Shell
from tests.journeys.town import free_base

from metanode.cli.bpi.local_agents import LocalAgent
from metanode.client.agent import AgentClient
from metanode.client.agent_keeping import put_secret
from metanode.client.failures import ClientError
from metanode.host.agent.engines import end_containers
from metanode.host.agent.secrets import opening_keys
from metanode.host.development import PASSWORD
from metanode.host.keys import load_account
from metanode.primitives import ed25519
from metanode.records.secret import SEALED_SECRETS, SecretRefusal

READS = (
    "import hashlib, os, sys, time; p = '/run/secrets/token'; s = os.stat(p); "
    "print(hashlib.sha256(open(p, 'rb').read()).hexdigest(), oct(s.st_mode & 0o777), s.st_uid == os.getuid()); "
    "print([l.split()[2] for l in open('/proc/mounts') if l.split()[1] == '/run/secrets']); "
    "print(os.statvfs('/scratch').f_blocks * os.statvfs('/scratch').f_frsize); time.sleep(3600)"
)
WRITES = (
    "import os, time; f = open('/data/lines', 'a'); f.write(os.uname().nodename + chr(10)); f.close(); "
    "print(len(open('/data/lines').readlines()), flush=True); time.sleep(3600)"
)
VAULT = """
name: vault
services:
  vault:
    image: metanode.host/usr
    command: ["/usr/bin/python3", "-u", "-c", "{reads}"]
    user: "1234:4321"
    hostname: safe
    secrets: [{{source: token, mode: 0400, uid: "1234", gid: "4321"}}]
    tmpfs: ["/scratch:size=128k", /run]
    stop_grace_period: 0s
    deploy:
      replicas: {replicas}
      resources: {{limits: {{cpus: "0.05", memory: 48m}}}}
      update_config: {{monitor: 0s, parallelism: 2}}
{where}
secrets:
  token: {{{source}}}
"""
DIARY = """
name: diary
services:
  diary:
    image: metanode.host/usr
    command: ["/usr/bin/python3", "-u", "-c", "{writes}"]
    volumes: ["diary:/data"]
    hostname: {hostname}
    stop_grace_period: 0s
    deploy: {{resources: {{limits: {{cpus: "0.05", memory: 48m}}}}, update_config: {{monitor: 0s}}}}
volumes: {{diary: }}
"""
PORTS = """
name: ports
services:
  left: &one
    image: metanode.host/usr
    command: ["/usr/bin/sleep", "3600"]
    ports: ["{port}:80"]
    stop_grace_period: 0s
    deploy: {{resources: {{limits: {{cpus: "0.05", memory: 16m}}}}}}
    x-metanode: {{constraints: ["node in node-4"]}}
  right: {{<<: *one}}
"""
until = Patience(40.0, 0.1)


@pytest.fixture(scope="module")
def bpi(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    shell = Shell(tmp_path_factory.mktemp("secrets"))
    shell.says(f"up --port-base {free_base()}")
    try:
        yield shell
    finally:
        shell.run("down")


@pytest.fixture(scope="module")
def token() -> bytes:
    """Of this run alone, so that nothing else can hold it."""
    return os.urandom(48).hex().encode()


def vault(bpi: Shell, source: str, replicas: int = 2, nodes: str = "") -> str:
    where = f'    x-metanode: {{constraints: ["node in {nodes}"]}}' if nodes else ""
    (bpi.folder / "vault.yaml").write_text(VAULT.format(reads=READS, source=source, replicas=replicas, where=where))
    return "vault.yaml"


def diary(bpi: Shell, hostname: str) -> str:
    (bpi.folder / "diary.yaml").write_text(DIARY.format(writes=WRITES, hostname=hostname))
    return "diary.yaml"


def where(bpi: Shell, workload: str) -> list[str]:
    """The nodes of ready replicas."""
    shown = bpi.data(f"container show {workload}")
    return [one["node"] for row in shown["items"] for one in row["instances"] if one["state"] == "ready"]


def steps(bpi: Shell, node: str) -> list[dict[str, Any]]:
    """What a node has written down, and what each step says."""
    shown = bpi.data(f"receipt list --by {node} --limit 500")["items"]
    return [one["entry"] for one in shown]


def said(bpi: Shell, name: str) -> list[str]:
    def lines() -> list[str]:
        return bpi.run(f"container logs {name}").out.splitlines()

    found: list[str] = until(lines, f"{name} says something")
    return found


def key(bpi: Shell, account: str) -> ed25519.SigningKey:
    return ed25519.SigningKey(load_account(bpi.folder / ".bpi" / "accounts", account, PASSWORD))


def test_a_secret_of_a_file_is_in_the_containers_memory(bpi, token):
    (bpi.folder / "token.txt").write_bytes(token)
    assert "RUNNING  vault · 2 of 2 on " in bpi.says(f"container run {vault(bpi, 'file: ./token.txt')}")
    for replica in range(2):
        assert said(bpi, f"vault.{replica}")[:3] == [
            f"{sha256(token).hexdigest()} 0o400 True", "['tmpfs']", str(128 << 10)
        ]  # fmt: skip
    listed = bpi.data("secret list")["items"]
    assert [(one["secret"], one["version"], len(one["nodes"])) for one in listed] == [("token", 1, 4)]
    (bpi.folder / "token.txt").unlink()


def test_it_is_in_no_file_of_the_network_and_in_no_receipt_its_digest(bpi, token):
    forms = (token, b64encode(token), token.hex().encode(), sha256(token).hexdigest().encode(), sha256(token).digest())
    logs, files, kinds = 0, 0, set()
    for path in bpi.folder.rglob("*"):
        if path.is_file() and not path.is_symlink():
            data = path.read_bytes()
            files += 1
            kinds.update(path.relative_to(bpi.folder).parts[:2])
            logs += forms[3] in data
            assert not any(form in data for form in (*forms[:3], forms[4])), path
            assert forms[3] not in data or "/log" in str(path), path
    assert logs, "what the containers printed is found, so the search works"
    assert {"agents", "validator-1"} <= kinds, kinds
    assert files > 60, files
    limits = Path(f"/proc/{LocalAgent(bpi.folder / '.bpi/agents/node-1').process}/limits").read_text()
    assert ["0", "0"] in [line.split()[4:6] for line in limits.splitlines() if line.startswith("Max core file size")]


def test_the_release_is_a_receipt_of_the_node(bpi):
    for node in where(bpi, "vault"):
        released = [one for one in steps(bpi, node) if one["step"] == "secret-released"]
        assert released, node
        details = released[-1]["details"]
        assert sorted(details) == ["commitment", "key", "secret", "secret-version"]
        assert (details["secret"], details["secret-version"], released[-1]["workload"]) == ("token", 1, "vault")


def test_the_same_content_is_the_same_specification_and_another_is_not(bpi, token):
    before = bpi.data("container show vault")["current"]["spec"]
    (bpi.folder / "token.txt").write_bytes(token)
    bpi.says("container apply vault.yaml")
    assert bpi.data("container show vault")["current"]["spec"] == before
    (bpi.folder / "token.txt").write_bytes(token[::-1])
    bpi.says("container run vault.yaml")
    assert bpi.data("container show vault")["current"]["spec"] != before
    until(lambda: said(bpi, "vault.0")[0].startswith(sha256(token[::-1]).hexdigest()), "the new version")
    assert [one["version"] for one in bpi.data("secret list")["items"]] == [1, 2]
    bpi.says("secret rm token --below 2")
    assert [one["version"] for one in bpi.data("secret list")["items"]] == [2]
    (bpi.folder / "token.txt").unlink()


def test_a_foreign_or_changed_envelope_is_refused_with_a_receipt(bpi):
    first, second = (LocalAgent(bpi.folder / ".bpi" / "agents" / f"node-{number}") for number in (1, 2))
    kept = next((first.folder / "secrets").glob("token.2.*")).read_bytes()
    assert SEALED_SECRETS.decode(kept).label.node == "node-1"
    assert opening_keys(bytes(32)).public not in kept
    endpoints = {line["node"]: line["api"] for line in bpi.data("node list")["items"]}
    there = AgentClient(endpoints[second.name], "main", key(bpi, "acme"))
    for data, code in (
        (kept, SecretRefusal.WRONG_NODE),
        (kept[:-1] + bytes([kept[-1] ^ 1]), SecretRefusal.WRONG_NODE),
    ):
        with pytest.raises(ClientError) as refused:
            put_secret(there, "token", data)
        assert refused.value.form.code == code
    here = AgentClient(endpoints[first.name], "main", key(bpi, "acme"))
    for name, data, code in (
        ("token", kept[:-1] + bytes([kept[-1] ^ 1]), SecretRefusal.NOT_AUTHENTIC),
        ("other", kept, SecretRefusal.OTHER_SECRET),
    ):
        with pytest.raises(ClientError) as refused:
            put_secret(here, name, data)
        assert refused.value.form.code == code
    until(
        lambda: (
            {"secret.wrong-node"} <= {one["code"] for one in steps(bpi, "node-2")}
            and {"secret.not-authentic", "secret.other-secret"} <= {one["code"] for one in steps(bpi, "node-1")}
        ),
        "receipts of the refusals",
    )


def test_a_node_without_it_gets_it_from_one_that_has_it_and_so_does_the_next(bpi, token):
    bpi.says("container rm vault --observe")
    bpi.says("secret rm token")
    bpi.refuses(f"container apply {vault(bpi, 'external: true', 1, 'node-2, node-3')}", 3, "cli.nothing-there")
    (bpi.folder / "token.txt").write_bytes(token)
    assert "SEALED  token · version 1 · to node-1" in bpi.says("secret set token --to node-1 --file token.txt")
    (bpi.folder / "token.txt").unlink()
    again = subprocess.run(
        [*BPI, "secret", "set", "token", "--to", "node-1"],
        cwd=bpi.folder,
        input=token,
        capture_output=True,
        check=False,
    )
    assert (again.returncode, b"UNCHANGED  token" in again.stdout) == (0, True), again
    assert "RUNNING  vault · 1 of 1 on node-" in bpi.says("container run vault.yaml")
    (node,) = where(bpi, "vault")
    assert said(bpi, "vault.0")[0].startswith(sha256(token).hexdigest())
    given = [one for one in steps(bpi, "node-1") if one["step"] == "secret-resealed"]
    assert given[-1]["details"]["to"] == node
    assert "secret-received" in {one["step"] for one in steps(bpi, node)}
    lost = LocalAgent(bpi.folder / ".bpi" / "agents" / node)
    os.kill(lost.process, signal.SIGKILL)
    end_containers(lost.folder)
    (other,) = until(lambda: [one for one in where(bpi, "vault") if one != node], "it runs on the other node")
    assert said(bpi, "vault.0")[0].startswith(sha256(token).hexdigest())
    assert "secret-released" in {one["step"] for one in steps(bpi, other)}
    bpi.says("container rm vault --observe")
    bpi.says("up")


def test_a_node_that_is_not_to_run_it_does_not_get_it(bpi):
    """The request is signed by a node of the cluster, and the chain says that nothing of the kind runs there."""
    from metanode.primitives.codec import encode
    from metanode.records.secret import SecretAsked

    label = SEALED_SECRETS.decode(next((bpi.folder / ".bpi/agents/node-1/secrets").glob("token.*")).read_bytes()).label
    seed = load_account(bpi.folder / ".bpi/agents/node-4/keys", "node", PASSWORD)
    api = {line["node"]: line["api"] for line in bpi.data("node list")["items"]}["node-1"]
    asked = SecretAsked(
        node="node-4", workload="vault", index=0, attempt=1, secret="token", version=label.version,
        commitment=label.commitment,
    )  # fmt: skip
    with pytest.raises(ClientError) as refused:
        AgentClient(api, "main", ed25519.SigningKey(seed)).ask("POST", "/v1/secrets/token/seal", encode(asked))
    assert refused.value.form.code == SecretRefusal.NOT_PLACED
    until(lambda: "secret.not-placed" in {one["code"] for one in steps(bpi, "node-1")}, "a receipt of the refusal")


def test_a_volume_keeps_its_data_and_its_replica_comes_back_to_it(bpi):
    assert "RUNNING  diary · 1 of 1 on " in bpi.says(f"container run {diary(bpi, 'first')}")
    (node,) = where(bpi, "diary")
    assert said(bpi, "diary.0") == ["1"]
    bpi.says(f"container run {diary(bpi, 'second')}")
    assert said(bpi, "diary.0") == ["2"]
    assert where(bpi, "diary") == [node]
    assert bpi.refuses("volume rm diary", 5, "volume.in-use")["rule"] == "VOLUME-4"
    bpi.says("container rm diary --observe")
    shown = until(lambda: [one for one in bpi.data("volume list")["items"] if not one["users"]], "nobody has it now")
    assert [(one["volume"], one["node"], one["files"]) for one in shown] == [("diary", node, 1)]
    assert bpi.data(f"node show {node}")["volumes"] == ["diary"]
    bpi.says("container run diary.yaml")
    assert (where(bpi, "diary"), said(bpi, "diary.0")) == ([node], ["3"])
    bpi.says("container rm diary --observe")
    until(lambda: bpi.run("volume rm diary").status == 0, "removed")
    until(lambda: bpi.data(f"node show {node}")["volumes"] == [], "the chain has heard")
    assert not (Path(bpi.folder) / ".bpi/agents" / node / "volumes/diary").exists()
    bpi.refuses("volume rm diary", 3, "cli.nothing-there")


def test_a_port_of_a_node_that_is_taken_is_why_a_replica_waits(bpi):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    (bpi.folder / "ports.yaml").write_text(PORTS.format(port=port))
    bpi.says("container apply ports.yaml")
    until(lambda: where(bpi, "left") + where(bpi, "right") == ["node-4"], "one of the two runs")
    held = "left" if where(bpi, "right") else "right"
    why = bpi.says(f"container why {held}")
    assert "waits for a node" in why
    assert f"PLACE-20  asked {port}" in why, why
    running = "right" if held == "left" else "left"
    bpi.says(f"container rm {running} --observe")
    until(lambda: where(bpi, held) == ["node-4"], "it is free now")
    bpi.says(f"container rm {held} --observe")
