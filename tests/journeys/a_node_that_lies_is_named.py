"""Four agents look at each other's containers and find them well; a fifth node says that all is well and runs nothing:
it is doubted by name, and what it claimed runs elsewhere."""

from collections.abc import Iterator

import pytest
from tests.journeys.patience import Patience
from tests.journeys.pretend_agents import PretendAgent, living
from tests.journeys.shell import Shell
from tests.journeys.town import free_base

from metanode.client import Client
from metanode.docklock.cluster.state import SHARES, Duty

WEB = """
name: shop
services:
  web:
    image: metanode.host/usr
    command: ["/usr/bin/python3", "-u", "-m", "http.server", "8080"]
    deploy:
      replicas: 4
      resources: {limits: {cpus: "0.05", memory: 48m}}
    healthcheck:
      test: ["CMD", "/usr/bin/python3", "-c", "import socket; socket.create_connection(('127.0.0.1', 8080))"]
      interval: 1s
      retries: 5
"""
LIAR = "node-7"
until = Patience(90.0, 0.2)


@pytest.fixture(scope="module")
def bpi(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    shell = Shell(tmp_path_factory.mktemp("liar"))
    shell.says(f"up --port-base {free_base()}")
    try:
        yield shell
    finally:
        shell.run("down")


def states(bpi: Shell) -> dict[str, str]:
    return {line["node"]: line["state"] for line in bpi.data("node list")["items"]}


def ready(bpi: Shell) -> dict[int, str]:
    """The nodes of ready replicas, by index."""
    shown = bpi.data("container show web")
    found = [(replica["index"], one) for replica in shown["items"] for one in replica["instances"]]
    return {index: one["node"] for index, one in found if one["state"] == "ready"}


def url(bpi: Shell) -> str:
    return str(bpi.data("up")["nodes"][0]["url"])


def duties(client: Client, nodes: list[str]) -> set[tuple[str, Duty]]:
    """Who is to look at what now."""
    found = set()
    for node in nodes:
        proof = client.cluster.share("main", node)
        if proof.present:
            found |= {(node, duty) for duty in SHARES.decode(bytes.fromhex(proof.value)).duties}
    return found


def test_agents_look_at_each_others_containers_and_find_them_well(bpi: Shell) -> None:
    bpi.says("cluster configure main --heartbeat-timeout 5000")
    (bpi.folder / "web.yaml").write_text(WEB)
    bpi.says("container run web.yaml")
    before, nodes = ready(bpi), sorted(states(bpi))
    with Client(url(bpi)) as client:
        asked = until(lambda: duties(client, nodes), "somebody is to look at something")
        until(lambda: not asked & duties(client, nodes), "and has said what it saw")
    assert set(states(bpi).values()) == {"active"}
    assert ready(bpi) == before, "nobody moved"


def test_a_node_that_claims_what_it_does_not_run_is_doubted_and_the_rest_runs_on(bpi: Shell) -> None:
    liar = PretendAgent(url(bpi), "main", LIAR)
    liar.join()
    bpi.says(f"node admit {LIAR} {liar.account}")
    with living([liar]):
        bpi.says("container scale web 8")
        claimed = until(
            lambda: {index for index, node in ready(bpi).items() if node == LIAR}, "it has claimed something"
        )
        until(lambda: states(bpi)[LIAR] == "doubted", "it is named")
        until(
            lambda: claimed and {*ready(bpi).values()} <= {*states(bpi)} - {LIAR} and len(ready(bpi)) == 8,
            "what it claimed runs elsewhere",
        )
    assert {state for node, state in states(bpi).items() if node != LIAR} == {"active"}, "nobody else is doubted"
    bpi.says(f"node remove {LIAR}")
