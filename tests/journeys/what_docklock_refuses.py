"""What bad input gets: refused with a stable code, the exit status of its kind, the rule, and the smallest change; and
where an agent or the chain refused it, a receipt says so too."""

import base64
import gzip
import hashlib
import io
import json
import socket
import tarfile
from collections.abc import Iterator
from typing import Any

import pytest
from tests.journeys.shell import Shell
from tests.journeys.town import free_base, until

BOUNDS = "deploy: {resources: {limits: {cpus: '0.1', memory: 64m}}}"
SLEEP = 'command: ["/usr/bin/sleep", "1000"]'
LAYER = "application/vnd.oci.image.layer.v1.tar"
PACKED = "application/vnd.oci.image.layer.v1.tar+gzip"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"


@pytest.fixture(scope="module")
def bpi(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    """One validator, one agent."""
    shell = Shell(tmp_path_factory.mktemp("refuses"))
    shell.says(f"up --validators 1 --port-base {free_base()}")
    try:
        yield shell
    finally:
        shell.run("down")


def compose(bpi: Shell, service: str, name: str = "web", more: str = "") -> str:
    """A Compose file with one service; its keys one a line."""
    lines = "".join(f"    {line}\n" for line in service.splitlines())
    (bpi.folder / f"{name}.yaml").write_text(f"name: shop\nservices:\n  {name}:\n{lines}{more}")
    return f"{name}.yaml"


def host(service: str) -> str:
    return f"image: metanode.host/usr\n{SLEEP}\n{service}"


def refused(bpi: Shell, line: str, status: int, code: str) -> Any:
    """Refused with this status and code, a rule, and what would pass."""
    said = bpi.run(f"{line} --json")
    assert (said.status, said.error["code"], said.error["exit"]) == (status, code, status), said
    error = said.error
    assert error["rule"] or code.startswith(("cli.", "compose.")), error
    assert error["fix"], error
    return error


def failed(bpi: Shell, line: str, status: int, code: str) -> None:
    """The chain refused it: final, and its receipt tells the same code."""
    said = bpi.run(f"{line} --json")
    assert (said.status, said.error["code"]) == (status, code), said
    assert said.error["rule"], said
    assert said.error["fix"], said
    told = json.loads(said.out)
    assert bpi.data(f"receipt get {told['receipt']}")["code"] == code


@pytest.mark.parametrize(
    ("service", "code", "place"),
    [
        (host("imag: x"), "compose.unknown-key", "web.yaml:6:5"),
        (host("privileged: true"), "compose.unsupported-key", "web.yaml:6:5"),
        (host("cpus: much"), "compose.bad-number", "web.yaml:6:11"),
        (host("cpus: '5000'"), "compose.bad-number", "web.yaml:6:11"),
        (host("mem_limit: 1k"), "compose.bad-size", "web.yaml:6:16"),
        (host("depends_on: [nobody]"), "compose.unknown-name", "web.yaml:6:18"),
        (host("volumes: ['data:/data']"), "compose.unknown-name", "web.yaml:6:15"),
        (host("volumes: ['/etc:/data']"), "compose.unsupported-value", "web.yaml:6:15"),
        (f"image: nothing:1\n{SLEEP}\n{BOUNDS}", "compose.unknown-image", "web.yaml:4:12"),
        ("image: metanode.host/usr", "compose.no-command", "web.yaml:"),
    ],
)
def test_what_a_compose_file_may_not_say(bpi, service, code, place):
    error = refused(bpi, f"container apply {compose(bpi, service)}", 50, code)
    assert place in error["message"], error
    assert "fix: " in error["message"], "the smallest change stands with the line"


def test_a_circle_of_waiting_is_named_whole(bpi):
    second = f"  db:\n    image: metanode.host/usr\n    {SLEEP}\n    depends_on: [web]\n"
    error = refused(bpi, f"container apply {compose(bpi, host('depends_on: [db]'), more=second)}", 50, "compose.cycle")
    assert "web" in error["message"]
    assert "db" in error["message"]


def test_more_than_any_node_has_waits_and_why_says_what_is_lacking(bpi):
    bpi.says(f"container apply {compose(bpi, host('cpus: 900'), 'wide')}")
    said = bpi.says("container why wide")
    assert "no node can take it" in said
    assert "PLACE-19  asked " in said
    assert "fix:  " in said


def test_a_port_of_the_node_that_is_taken(bpi):
    port = "ports: ['9999:80']\ndeploy: {replicas: 2}"
    bpi.says(f"container apply {compose(bpi, host(port), 'twice')}")
    assert "PLACE-20" in bpi.says("container why twice 1")


def test_more_than_the_quota(bpi):
    bpi.says("cluster configure --operator globex --quota globex=0.1,64,1")
    many = compose(bpi, host("deploy: {replicas: 2, resources: {limits: {cpus: '0.1', memory: 64m}}}"), "many")
    failed(bpi, f"container apply {many} --account globex", 80, "cluster.quota")


# --- images ---------------------------------------------------------------------------------------------------------


def layer(*members: tuple[str, bytes, str]) -> bytes:
    """A tar: name, content, and where a link leads (empty: a file)."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, data, link in members:
            entry = tarfile.TarInfo(name)
            entry.size, entry.linkname = len(data), link
            entry.type = tarfile.SYMTYPE if link else tarfile.REGTYPE
            tar.addfile(entry, io.BytesIO(data))
    return out.getvalue()


def layout(bpi: Shell, name: str, data: bytes, media_type: str = LAYER, plain: bytes = b"", spoil: bool = False) -> str:
    """An OCI layout of one layer, named after its folder; its digest. `spoil`: one byte is another afterwards."""
    blobs = bpi.folder / name / "blobs" / "sha256"
    blobs.mkdir(parents=True)

    def put(content: bytes, kind: str) -> dict[str, Any]:
        digest = hashlib.sha256(content).hexdigest()
        (blobs / digest).write_bytes(content)
        return {"mediaType": kind, "digest": f"sha256:{digest}", "size": len(content)}

    top = put(data, media_type)
    diff = f"sha256:{hashlib.sha256(plain or data).hexdigest()}"
    config = {"architecture": "amd64", "os": "linux", "config": {"Cmd": ["/bin/x"]},
              "rootfs": {"type": "layers", "diff_ids": [diff]}}  # fmt: skip
    described = put(json.dumps(config).encode(), CONFIG)
    manifest = {"schemaVersion": 2, "mediaType": MANIFEST, "config": described, "layers": [top]}
    named = {**put(json.dumps(manifest).encode(), MANIFEST),
             "annotations": {"org.opencontainers.image.ref.name": f"{name}:1"}}  # fmt: skip
    (bpi.folder / name / "oci-layout").write_text(json.dumps({"imageLayoutVersion": "1.0.0"}))
    (bpi.folder / name / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [named]}))
    if spoil:
        (blobs / top["digest"][7:]).write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    return str(named["digest"])


def bomb() -> tuple[bytes, bytes]:
    """A layer that unpacks to thousands of times its size, and what it unpacks to."""
    plain = layer(("zeros", bytes(40 << 20), ""))
    return gzip.compress(plain, mtime=0), plain


def test_an_image_whose_content_has_another_digest(bpi):
    layout(bpi, "spoiled", layer(("bin/x", b"x", "")), spoil=True)
    refused(bpi, "container images import spoiled", 50, "blob.wrong-digest")


@pytest.mark.parametrize(
    ("name", "code"),
    [("climbs", "image.path-escapes"), ("leads-out", "image.link-escapes"), ("bomb", "image.bomb")],
)
def test_a_layer_that_would_harm_is_not_unpacked_and_the_agent_says_so_with_a_receipt(bpi, name, code):
    if name == "bomb":
        packed, plain = bomb()
        digest = layout(bpi, name, packed, PACKED, plain)
    elif name == "climbs":
        digest = layout(bpi, name, layer(("../../etc/passwd", b"root::0:0::/:/bin/sh\n", "")))
    else:
        digest = layout(bpi, name, layer(("out", b"", "../../etc")))
    bpi.says(f"container images import {name}")
    bpi.says(f"container apply {compose(bpi, f'image: {name}@{digest}', name)}")
    until(lambda: "REFUSED  " in bpi.says(f"container events {name}"), 30, "the agent says no")
    assert [one["code"] for one in of_step(bpi, name, "refused")] == [code]


def test_an_image_that_nobody_signed_and_a_signature_that_is_none(bpi):
    digest = layout(bpi, "plain", layer(("bin/x", b"x", "")))
    bpi.says("container images import plain")
    key = "ed25519:" + "ab" * 32
    bpi.says(f"cluster configure --image-key {base64_key(bpi)}")
    failed(bpi, f"container apply {compose(bpi, f'image: plain@{digest}', 'plain')}", 10, "image.unsigned")
    payload = {
        "critical": {
            "identity": {"docker-reference": "plain"},
            "image": {"docker-manifest-digest": digest},
            "type": "cosign container image signature",
        },
        "optional": None,
    }
    (bpi.folder / "payload").write_text(json.dumps(payload))
    (bpi.folder / "signature").write_bytes(base64.b64encode(bytes(64)))
    given = f"container images sign {digest} --payload payload --signature signature"
    failed(bpi, given, 10, "cluster.signature-worthless")
    told = bpi.run("container images verify plain:1 --json")
    assert (told.status, told.data["code"], told.data["signed"]) == (10, "image.unsigned", [])
    refused(bpi, f"cluster configure --image-key {key[:-1]}g", 2, "cli.usage")
    failed(bpi, f"cluster configure --image-key {key} --image-signatures 2", 50, "image.policy-malformed")
    bpi.says("cluster configure --image-key none")


def base64_key(bpi: Shell) -> str:
    """A key file as openssl writes it, of a key that signs nothing here."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    public = Ed25519PrivateKey.from_private_bytes(bytes(31) + b"\x05").public_key()
    (bpi.folder / "signer.pem").write_bytes(public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    return "signer.pem"


# --- nodes and people -----------------------------------------------------------------------------------------------


def test_a_node_that_claims_what_no_machine_has(bpi):
    url = bpi.data("up")["nodes"][0]["url"]
    made = bpi.data(f"node agent init --cluster main --name giant --chain {url} --to giant --cpus 2000")
    settings = (bpi.folder / "giant" / "agent.toml").read_text()
    assert "2000000" in settings
    bpi.says(f"node admit giant {made['account']}")
    said = bpi.run("node agent run --data giant --json")
    assert said.status == 4, said
    assert said.error["code"] == "agent.not-let-in"
    assert "demand.out-of-range" in said.error["message"]
    bpi.says("node remove giant")


def test_an_agent_with_a_key_that_is_not_the_nodes(bpi):
    url = bpi.data("up")["nodes"][0]["url"]
    taken = bpi.data("node list")["items"][0]["node"]
    bpi.says(f"node agent init --cluster main --name {taken} --chain {url} --to thief --listen 127.0.0.1:{free_port()}")
    said = bpi.run("node agent run --data thief --json")
    assert (said.status, said.error["code"]) == (4, "agent.not-let-in"), said
    assert "cluster.other-node" in said.error["message"]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_a_command_by_somebody_without_the_role_and_the_receipt_of_the_refusal(bpi):
    bpi.says(f"container run {compose(bpi, host(BOUNDS), 'calm')}")
    error = refused(bpi, "container exec --account globex calm.0 /usr/bin/id", 4, "agent.not-allowed")
    assert "executors" in error["message"]
    entries = until(lambda: of_step(bpi, "calm", "refused"), 20, "it is written down")
    assert entries[0]["code"] == "agent.not-allowed"
    refused(bpi, "container exec calm.0 /no/such/program", 70, "runtime.command-not-found")


def of_step(bpi: Shell, workload: str, step: str) -> list[Any]:
    """What agents wrote down of this step of a workload."""
    entries = [one["entry"] for one in bpi.data(f"receipt list --workload {workload}")["items"]]
    return [one for one in entries if one["step"] == step]
