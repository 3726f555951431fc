"""An image from an archive to the agents, signed, run, looked at, pushed, pulled, exported, given up; a container
watched, verified, entered at a terminal. One node, one agent."""

import fcntl
import os
import pty
import select
import struct
import subprocess
import termios
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from tests.integration.images.real_registry import registry
from tests.journeys.layout import BUSYBOX, make_layout
from tests.journeys.shell import BPI, Shell
from tests.journeys.town import free_base, until

LIMIT_S = 20.0


@pytest.fixture(scope="module")
def bpi(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    if not BUSYBOX.is_file():
        assert not os.environ.get("CI"), "the CI installs busybox-static"
        pytest.skip("there is no /bin/busybox to make an image of: apt-get install busybox-static")
    shell = Shell(tmp_path_factory.mktemp("images"))
    made = shell.data(f"init shop --template compose --validators 1 --port-base {free_base()}")
    assert [Path(path).name for path in made["written"]] == ["compose.yaml", "README.md"]
    shell.refuses("init shop --template compose", 5, "cli.network-exists")
    shell.folder = shell.folder / "shop"
    assert shell.says("container lint compose.yaml") == "compose.yaml is good\n"
    assert "1/1 active" in shell.says("up")
    try:
        yield shell
    finally:
        shell.run("down")


@pytest.fixture(scope="module")
def digest(bpi: Shell) -> str:
    """An image of the machine's own busybox, with the agent."""
    made = make_layout(bpi.folder / "layout")
    assert bpi.says("container images import layout").endswith(f"digest    {made}\n")
    return made


def key_files(bpi: Shell) -> None:
    """A pair of keys as openssl and cosign write them: ECDSA on P-256."""
    key = ec.generate_private_key(ec.SECP256R1())
    (bpi.folder / "signer.key").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    (bpi.folder / "signer.pub").write_bytes(public)


def test_the_template_runs_as_it_is(bpi):
    said = bpi.says("container run compose.yaml")
    assert "RUNNING  web · 3 of 3 on node-1 · placed by block " in said
    bpi.says("container stop worker")


def test_an_image_runs_once_its_key_has_signed_it(bpi, digest):
    key_files(bpi)
    assert bpi.says("cluster configure --image-key signer.pub").startswith("FINAL")
    assert "signed by 1 of 1 keys" in bpi.says("cluster show")
    busy = f"name: busy\nservices:\n  busy:\n    image: busy:1\n    stop_grace_period: 1s\n    {BOUNDS}\n"
    (bpi.folder / "busy.yaml").write_text(busy)
    refused = bpi.run("container apply busy.yaml --json")
    assert (refused.status, refused.error["code"], refused.error["rule"]) == (10, "image.unsigned", "IMG-21")
    assert "INVALID" in bpi.says("container images verify busy:1", 10)
    assert bpi.says("container images sign busy:1 --key signer.key -o busy").startswith("FINAL")
    assert bpi.says("container images verify busy:1").endswith("VALID     it may run here\n")
    given = f"container images sign {digest} --payload busy.payload --signature busy.sig"
    assert bpi.data(given)["succeeded"], "what was signed elsewhere is handed in just so"
    told = bpi.data("container run busy.yaml")
    assert [(one["workload"], one["running"]) for one in told["workloads"]] == [("busy", 1)], "one document of it all"
    assert bpi.data("container show busy")["current"]["terms"]["demand"]["image"] == digest[7:], "what the tag meant"
    assert bpi.data("container images verify busy:1 --key signer.pub")["signed"]


BOUNDS = "deploy: {resources: {limits: {cpus: '0.1', memory: 64m}}}"


def test_a_container_is_verified_layer_by_layer(bpi, digest):
    told = bpi.data("container verify busy.0")
    assert [(one["layer"], one["holds"]) for one in told["layers"]] == [
        ("placement", True), ("spec", True), ("image", True), ("running", True), ("receipts", True),
    ]  # fmt: skip
    assert bpi.says("container verify busy.0").splitlines()[-1].startswith("VALID       5 layers")
    bpi.refuses("container verify busy.7", 3, "cli.nothing-there")


def test_what_several_replicas_said_stands_in_order_each_with_its_name(bpi, digest):
    assert bpi.says("container logs busy.0") == "busy\nuid=1000(app) gid=1000\n"
    assert bpi.says("container logs busy --tail 1") == "uid=1000(app) gid=1000\n"
    assert bpi.says("container logs busy --since 2099-01-01T00:00:00Z") == ""
    bpi.refuses("container logs busy --since yesterday", 2, "cli.usage")
    assert bpi.says("container logs web --tail 5") == ""
    (bpi.folder / "talk.yaml").write_text(
        "name: talk\nservices:\n  talk:\n    image: metanode.host/usr\n"
        "    command: [/usr/bin/sh, -c, 'echo one; echo two; exec sleep 1000']\n    "
        "deploy: {replicas: 2, resources: {limits: {cpus: '0.1', memory: 64m}}}\n"
    )
    bpi.says("container run talk.yaml")
    lines = bpi.says("container logs talk").splitlines()
    assert sorted(lines) == ["talk.0 | one", "talk.0 | two", "talk.1 | one", "talk.1 | two"]
    following = bpi.begins("container logs -f talk")
    try:
        until(lambda: (bpi.folder / "begun.log").read_text().count("| two") >= 2, LIMIT_S, "it follows")
    finally:
        following.terminate()
        assert following.wait(10) == 143


def test_what_containers_use(bpi, digest):
    items = {one["container"]: one for one in bpi.data("container stats")["items"]}
    assert {"main.busy.0.1", "main.web.0.1"} <= set(items)
    assert items["main.busy.0.1"]["memory_bytes"] > 0
    assert "main.busy.0.1  node-1" in bpi.says("container stats busy")
    watching = bpi.begins("container stats busy --watch --json")
    try:
        until(lambda: (bpi.folder / "begun.log").read_text().count("bpi/container.stats/1") >= 2, LIMIT_S, "it goes on")
    finally:
        watching.terminate()
        assert watching.wait(10) == 143


def test_a_compose_file_as_manifests(bpi):
    assert bpi.says("container convert compose.yaml").startswith("# Not expressed: ")
    assert bpi.data("container convert compose.yaml --to kubernetes -o web.k8s.yaml")["manifests"]
    assert "kind: Deployment" in (bpi.folder / "web.k8s.yaml").read_text()


def test_a_command_is_given_what_comes_on_standard_input(bpi, digest):
    line = ["container", "exec", "-i", "busy.0", "/bin/sh", "-c", "read a; read b; echo $b $a; exit 9"]
    done = subprocess.run([*BPI, *line], cwd=bpi.folder, input=b"one\ntwo\n", capture_output=True, check=False)
    assert (done.returncode, done.stdout) == (9, b"two one\n"), done
    bpi.refuses("container exec -t busy.0 /bin/sh", 2, "cli.usage")


class Terminal:
    """A terminal with `bpi container exec -it` at the other end."""

    def __init__(self, bpi: Shell, command: str) -> None:
        self.pid, self.file = pty.fork()
        if not self.pid:
            os.chdir(bpi.folder)
            os.execv(BPI[0], [*BPI, *command.split()])

    def resize(self, rows: int, columns: int) -> None:
        fcntl.ioctl(self.file, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def until(self, text: bytes) -> bytes:
        said, deadline = b"", time.monotonic() + LIMIT_S
        while text not in said:
            assert time.monotonic() < deadline, said
            if select.select([self.file], [], [], 0.2)[0]:
                said += os.read(self.file, 4_096)
        return said

    def types(self, text: bytes) -> None:
        os.write(self.file, text)

    def ends(self) -> int:
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


def test_somebody_stands_at_a_terminal_in_a_container(bpi, digest):
    terminal = Terminal(bpi, "container exec -it web.0 /usr/bin/sh")
    terminal.resize(33, 99)
    terminal.until(b"$ ")
    terminal.types(b"stty size\n")
    terminal.until(b"33 99")
    terminal.resize(20, 60)
    time.sleep(0.5)
    terminal.types(b"stty size\n")
    terminal.until(b"20 60")
    terminal.types(b"sleep 1000\n")
    terminal.until(b"sleep 1000")
    terminal.types(b"\x03")
    terminal.until(b"$ ")
    terminal.types(b"exit 7\n")
    assert terminal.ends() == 7, "its exit status is passed on"


def test_an_image_goes_to_a_registry_and_comes_from_there(bpi, digest, tmp_path):
    with registry(tmp_path) as address:
        there = f"{address.removeprefix('http://')}/shop/busy:2"
        assert f"digest  {digest}" in bpi.says(f"container images push busy:1 {there} --http")
        pulled = bpi.data(f"container images pull {there} --http")
        assert (pulled["digest"], pulled["nodes"], pulled["signatures"]) == (digest, ["node-1"], 0)
        bpi.refuses(f"container images pull {there}0 --http", 3, "image.registry-unknown")
        bpi.refuses(f"container images sign {digest} --registry {there} --http", 3, "cli.nothing-there")
    bpi.refuses("container images pull busy:1", 2, "cli.usage")
    assert bpi.data("container images rm busy:1")["left"] == [there]


def test_an_image_is_shown_exported_and_given_up(bpi, digest):
    shown = bpi.says(f"container images show {digest[7:19]}")
    assert "starts    /bin/sh -c echo busy; id; exec sleep 1000\n" in shown
    written = bpi.data(f"container images export {digest} -o busy.tar")
    assert written["bytes"] == (bpi.folder / "busy.tar").stat().st_size
    bpi.refuses(f"container images export {digest} -o busy.tar", 4, "cli.file-not-writable")
    bpi.refuses(f"container images rm {digest}", 5, "image.in-use")
    assert bpi.data("container images prune")["silent"] == []
    bpi.says("container rm busy --observe")
    assert bpi.says(f"container images rm {digest}").startswith("REMOVED  ")
    assert bpi.data("container images prune")["items"][0]["blobs"] >= 3
    bpi.refuses(f"container images show {digest}", 3, "cli.nothing-there")
    assert f"digest    {digest}" in bpi.says("container images import busy.tar"), "it came back as it went"
