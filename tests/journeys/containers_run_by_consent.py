"""A service is applied, placed by the committee, run in real containers; agents and nodes are lost, it runs on."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.journeys.layout import BUSYBOX, make_layout
from tests.journeys.patience import Patience
from tests.journeys.shell import Shell
from tests.journeys.town import free_base

from metanode.cli.bpi.local_agents import LocalAgent
from metanode.host.agent.engines import end_containers

WEB = """
name: shop
services:
  web:
    image: metanode.host/usr
    command: ["/usr/bin/python3", "-u", "-c", "{program}"]
    environment: {{GREETING: hello}}
    deploy:
      replicas: 3
      resources: {{limits: {{cpus: "0.1", memory: 64m}}}}
      update_config: {{failure_action: rollback, order: stop-first}}
    healthcheck:
      test: ["CMD", "/usr/bin/python3", "-c", "import socket; socket.create_connection(('127.0.0.1', 8080))"]
      interval: 500ms
      retries: 2
"""
BUSY = """
name: busy
services:
  busy:
    image: busy@{digest}
    deploy: {{replicas: 2}}
"""
SERVES = (
    "import http.server as h, os; print(os.environ['GREETING'], os.getuid()); "
    "h.test(h.SimpleHTTPRequestHandler, port=8080)"
)
until = Patience(40.0, 0.1)


@pytest.fixture(scope="module")
def bpi(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    shell = Shell(tmp_path_factory.mktemp("containers"))
    said = shell.says(f"up --port-base {free_base()}")
    assert "4/4 active · containers by " in said
    try:
        yield shell
    finally:
        shell.run("down")


def write(bpi: Shell, program: str, name: str = "web.yaml") -> str:
    (bpi.folder / name).write_text(WEB.format(program=program))
    return name


def agent(bpi: Shell, node: str) -> LocalAgent:
    return LocalAgent(bpi.folder / ".bpi" / "agents" / node)


def state(bpi: Shell, node: str) -> str:
    """What the chain says of a node; empty where it knows none of this name."""
    return str({line["node"]: line["state"] for line in bpi.data("node list")["items"]}.get(node, ""))


def where(bpi: Shell) -> dict[int, str]:
    """The nodes of ready replicas, by index."""
    shown = bpi.data("container show web")
    return {
        replica["index"]: one["node"]
        for replica in shown["items"]
        for one in replica["instances"]
        if one["state"] == "ready"
    }


def processes(bpi: Shell) -> list[str]:
    """Command lines of processes that are told of this folder, or run the service."""
    lines = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if str(bpi.folder) in line:
            lines.append(line)
    return lines


def test_a_service_is_applied_and_runs(bpi):
    said = bpi.says(f"container run {write(bpi, SERVES)}")
    assert "FINAL  height " in said
    assert "RUNNING  web · 3 of 3 on " in said
    assert len(where(bpi)) == 3
    assert len(set(where(bpi).values())) == 3, "spread over nodes"


def test_a_file_is_looked_at_before_it_is_applied(bpi):
    assert bpi.says(f"container lint {write(bpi, SERVES)}") == "web.yaml is good\n"
    wrong = "services:\n  web:\n    image: metanode.host/usr\n    imag: x\n    cpus: much\n"
    (bpi.folder / "wrong.yaml").write_text(wrong)
    said = bpi.says("container lint wrong.yaml", 50)
    assert "wrong.yaml:4:5: services.web.imag" in said
    assert "wrong.yaml:5:" in said
    bpi.refuses("container apply wrong.yaml", 50, "compose.no-command")


def test_an_image_is_imported_without_a_registry_and_run_by_its_digest(bpi):
    if not BUSYBOX.is_file():
        assert not os.environ.get("CI"), "the CI installs busybox-static"
        pytest.skip("there is no /bin/busybox to make an image of: apt-get install busybox-static")
    digest = make_layout(bpi.folder / "layout")
    assert bpi.says("container images import layout").endswith(f"digest    {digest}\n")
    listed = bpi.data("container images list")["items"]
    assert [(row["names"], row["digest"], len(row["nodes"])) for row in listed] == [(["busy:1"], digest, 4)]
    (bpi.folder / "busy.yaml").write_text(BUSY.format(digest=digest))
    assert "RUNNING  busy · 2 of 2 on " in bpi.says("container run busy.yaml")
    assert bpi.says("container logs busy.0") == "busy\nuid=1000(app) gid=1000\n"
    bpi.says("container rm busy --observe")


def test_a_fifth_node_joins_with_a_key_of_its_own(bpi):
    urls = [node["url"] for node in bpi.data("up")["nodes"]]
    made = bpi.data(
        f"node agent init --cluster main --name node-9 --chain {urls[1]} --chain {urls[2]} --to fifth "
        f"--listen 127.0.0.1:{free_base()} --cpus 0.5 --memory-mib 256"
    )
    with bpi.begins("node agent run --data fifth") as process:
        until(lambda: state(bpi, "node-9") == "joining", "it says that it wants to be in")
        bpi.says(f"node admit node-9 {made['account']}")
        until(lambda: state(bpi, "node-9") == "active", "let in")
        assert bpi.says("node agent status --data fifth").startswith("GREEN  node-9 of main")
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    bpi.says("node remove node-9")
    end_containers(bpi.folder / "fifth")


def test_what_it_says_can_be_read_and_commands_executed_in_it(bpi):
    assert bpi.says("container logs web.0").startswith("hello 65534\n")
    assert bpi.says("container exec web.1 /usr/bin/id -u") == "65534\n"
    assert bpi.run("container exec web.1 /bin/sh -c 'exit 7'").status == 7
    nothing = bpi.run("container exec --json web.1 /no/such/program")
    assert (nothing.status, nothing.error["code"]) == (70, "runtime.command-not-found")
    bpi.refuses("container logs web.9", 3, "cli.nothing-there")


def test_a_stranger_may_neither_read_nor_execute(bpi):
    bpi.says("account create stranger")
    bpi.refuses("container logs web.0 --account stranger", 4, "agent.not-allowed")
    refused = bpi.run("container exec --json --account stranger web.0 /usr/bin/id")
    assert (refused.status, refused.error["code"]) == (4, "agent.not-allowed")


def test_an_agent_that_was_killed_finds_its_containers_again(bpi):
    before = where(bpi)
    node = before[0]
    pid = agent(bpi, node).process
    os.kill(pid, signal.SIGKILL)
    assert "4/4 active" in bpi.says("up")
    assert agent(bpi, node).process not in (0, pid)
    until(lambda: where(bpi) == before, "the same replicas on the same nodes")
    shown = bpi.data("container show web")
    assert {replica["attempts"] for replica in shown["items"]} == {1}, "nothing was started again"


def test_a_broken_version_is_led_back_by_the_committee(bpi):
    write(bpi, "raise SystemExit(3)", "broken.yaml")
    bpi.says("container apply broken.yaml")
    until(lambda: bpi.data("container show web")["phase"] == "active", "led back")
    until(lambda: len(where(bpi)) == 3, "all three of the version before run again")
    assert bpi.data("container show web")["current"]["revision"] == 1
    assert bpi.says("container logs web.2").startswith("hello")


def test_a_lost_node_is_replaced(bpi):
    node = where(bpi)[1]
    lost = agent(bpi, node)
    os.kill(lost.process, signal.SIGKILL)
    end_containers(lost.folder)
    until(lambda: len(where(bpi)) == 3 and node not in where(bpi).values(), "runs elsewhere")
    assert state(bpi, node) == "lost"


def test_nothing_is_left_behind(bpi):
    bpi.says("container rm web")
    until(lambda: bpi.data("container list")["items"] == [], "deleted")
    assert "with all containers" in bpi.says("down")
    assert processes(bpi) == []
