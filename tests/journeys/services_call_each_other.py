"""Services call each other by name through the mesh: over nodes, in turn, past what was killed, as was declared."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.journeys.patience import Patience
from tests.journeys.shell import Shell
from tests.journeys.town import free_base

from metanode.cli.bpi.local_agents import LocalAgent

SHOP = """
name: shop
networks: {front: {}, back: {}}
services:
  web:
    image: metanode.host/usr
    entrypoint: ["/usr/bin/python3", "-u", "-c", SERVES]
    expose: ["8080"]
    networks: [front]
    restart: always
    deploy: {replicas: 2, placement: {max_replicas_per_node: 1}, resources: {limits: {cpus: "0.1", memory: 64m}}}
    x-metanode: {probe: {tcp: {port: 8080}}}
    healthcheck: {interval: 300ms, retries: 3}
  caller:
    image: metanode.host/usr
    command: ["/usr/bin/python3", "-m", "http.server", "8080", "--directory", "/tmp"]
    networks: [front]
    deploy: {resources: {limits: {cpus: "0.1", memory: 64m}}}
    x-metanode: {anti_affinity: [web]}
  vault:
    image: metanode.host/usr
    command: ["/usr/bin/python3", "-m", "http.server", "9000", "--directory", "/tmp"]
    expose: ["9000"]
    networks: [back]
    deploy: {resources: {limits: {cpus: "0.1", memory: 64m}}}
"""
SERVES = (
    "import http.server as h, os\\nclass H(h.BaseHTTPRequestHandler):\\n def do_GET(s):\\n"
    "  s.send_response(200); s.end_headers(); s.wfile.write(os.environ['METANODE_REPLICA'].encode())\\n"
    "h.ThreadingHTTPServer(('0.0.0.0', 8080), H).serve_forever()"
)
ASKS = (
    "import urllib.request\\nfor i in range({times}):\\n"
    " try: print(urllib.request.urlopen('http://{name}:{port}/', timeout=8).read().decode())\\n"
    " except OSError as e: print(type(e).__name__)"
)
until = Patience(40.0, 0.1)


@pytest.fixture(scope="module")
def bpi(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    shell = Shell(tmp_path_factory.mktemp("mesh"))
    (shell.folder / "shop.yaml").write_text(SHOP.replace("SERVES", f'"{SERVES}"'))
    try:
        assert "4/4 active" in shell.says(f"up --port-base {free_base()}")
        assert "RUNNING  web · 2 of 2 on " in shell.says("container run shop.yaml")
        yield shell
    finally:
        shell.run("down")


def asks(bpi: Shell, name: str = "web", port: int = 8_080, times: int = 4) -> list[str]:
    """What the container `caller` hears, one connection after another."""
    program = ASKS.format(name=name, port=port, times=times).replace("\\n", "\n")
    said = bpi.run(f'container exec caller.0 /usr/bin/python3 -c "{program}"')
    assert said.status == 0, said
    return said.out.split()


def replicas(bpi: Shell) -> dict[str, str]:
    """The nodes of the ready replicas of web, by index, as the mesh tells them."""
    services = {one["workload"]: one for one in bpi.data("mesh services")["items"]}
    return {str(end["index"]): end["node"] for end in services["web"]["endpoints"]}


def process_of(workload: str, index: str) -> int:
    """The first process of a replica, by what it was told of itself."""
    wanted = {f"METANODE_WORKLOAD={workload}".encode(), f"METANODE_REPLICA={index}".encode()}
    for path in Path("/proc").glob("[0-9]*/environ"):
        try:
            if (
                wanted <= set(path.read_bytes().split(b"\0"))
                and b"http.server as h" in path.with_name("cmdline").read_bytes()
            ):
                return int(path.parent.name)
        except OSError:
            continue
    raise AssertionError(f"no process of {workload}.{index}")


def agent_of(bpi: Shell, node: str) -> LocalAgent:
    return LocalAgent(bpi.folder / ".bpi" / "agents" / node)


def test_a_container_calls_a_service_on_other_nodes_by_its_name(bpi):
    assert len(set(replicas(bpi).values())) == 2
    until(lambda: sorted(asks(bpi)) == ["0", "0", "1", "1"], "both replicas, in turn")
    assert sorted(asks(bpi, "web.main.mesh", times=2)) == ["0", "1"]


def test_what_leads_where_is_shown(bpi):
    shown = bpi.data("mesh routes caller")
    (route,) = shown["containers"][0]["routes"]
    assert (route["name"], route["ports"], route["balance"]) == ("web", [8_080], "round-robin")
    assert {str(one["index"]): one["node"] for one in route["replicas"]} == replicas(bpi)
    carried = [one for one in shown["counters"] if one["from"] == shown["containers"][0]["node"]]
    assert {one["node"] for one in carried if one["opened"]} == set(replicas(bpi).values())
    assert "web" in bpi.says("mesh routes")


def test_an_operator_calls_a_service_by_the_agent_of_any_node(bpi):
    for node in ("node-1", "node-4"):
        given = bpi.data(f"mesh call web:8080 /x --from {node}")
        assert (given["from"], given["status"]) == (node, 200)
        assert replicas(bpi)[given["body"]] == given["node"]
        assert given["container"] == f"web.{given['body']}"
    assert bpi.says("mesh call vault / --send 'GET / HTTP/1.0\r\n\r\n'").startswith("HTTP/1.0 200")
    unknown = bpi.run("mesh call nobody --json")
    assert (unknown.status, unknown.error["code"], unknown.error["rule"]) == (3, "mesh.unknown-service", "MESH-1")
    bpi.says("account create stranger")
    refused = bpi.run("mesh call web --account stranger --json")
    assert (refused.status, refused.error["code"]) == (4, "agent.not-allowed")


def test_a_call_that_nobody_declared_is_refused_with_what_would_allow_it(bpi):
    assert asks(bpi, "vault", 9_000, times=1) == ["URLError"]
    assert asks(bpi, "127.100.1.1", 9_000, times=1) in (["URLError"], ["ConnectionResetError"])
    refused = {one["target"]: one for one in bpi.data("mesh routes caller")["refusals"]}
    vault = refused["vault"]
    assert (vault["code"], vault["rule"]) == ("mesh.not-declared", "MESH-3")
    assert vault["fix"] == "add back to the networks of caller"
    assert refused["127.100.1.1"]["code"] == "mesh.not-declared"


def test_a_replica_that_is_killed_is_passed_over_at_once(bpi):
    os.kill(process_of("web", "0"), signal.SIGKILL)
    assert set(asks(bpi)) <= {"0", "1"}, "nobody is refused, whoever answers"
    until(lambda: sorted(asks(bpi)) == ["0", "0", "1", "1"], "it was started again")


def test_agents_that_are_killed_take_their_sessions_with_them_and_find_their_containers_again(bpi):
    (caller,) = {one["node"] for one in bpi.data("mesh routes caller")["containers"]}
    lost = replicas(bpi)["1"]
    os.kill(agent_of(bpi, lost).process, signal.SIGKILL)
    assert asks(bpi, times=4) == ["0"] * 4, "its containers run, and nobody leads there"
    os.kill(agent_of(bpi, caller).process, signal.SIGKILL)
    assert "4/4 active" in bpi.says("up")
    until(lambda: sorted(asks(bpi)) == ["0", "0", "1", "1"], "adopted, entered again, called again")
    attempts = {one["attempts"] for one in bpi.data("container show caller")["items"]}
    assert attempts == {1}, "nothing was started again"
