"""Four nodes, each on its own network. One is cut off: it runs what it has, begins nothing, says so, is replaced."""

import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest
from tests.journeys.islands import Islands, archipelago
from tests.journeys.patience import Patience
from tests.journeys.shell import BPI, Shell
from tests.journeys.town import Town

from metanode.cli.bpi.agent_file import AgentFile, make_agent
from metanode.cli.bpi.local_agents import CLUSTER, FOLDER, await_agents, found_cluster, local_agents
from metanode.cli.bpi.local_network import MARK, LocalNetwork
from metanode.host.agent.engines import end_containers
from metanode.host.development import FUNDS, PASSWORD, account_seed
from metanode.host.disk import Disk
from metanode.host.entropy import random_bytes
from metanode.host.keys import create_account

STRANDED: Final = 3
PORT: Final = 26_700
until: Final = Patience(60.0, 0.2)
WEB: Final = """
name: shop
services:
  web:
    image: metanode.host/usr
    command: ["/usr/bin/sh", "-c", "echo up; exec sleep 100000"]
    stop_grace_period: 100ms
    deploy: {replicas: 4, resources: {limits: {cpus: "0.1", memory: 16m}}}
"""


@dataclass(frozen=True, slots=True)
class Place:
    """The running network, a person at each of its nodes, and what can be cut."""

    town: Town
    islands: Islands
    people: tuple[Shell, ...]
    agents: tuple[Path, ...]

    def status(self, index: int) -> Any:
        """What the agent of a node says of itself, whatever it says."""
        said = self.people[index].run(f"node agent status --data {self.agents[index]} --json")
        assert said.out, said
        return said.data

    def where(self) -> dict[int, str]:
        """The nodes of ready replicas by index, as the first node's chain says."""
        shown = self.people[0].data("container show web")
        return {
            replica["index"]: one["node"]
            for replica in shown["items"]
            for one in replica["instances"]
            if one["state"] == "ready"
        }

    def state(self, node: str) -> str:
        """What the chain says of a node."""
        return str({line["node"]: line["state"] for line in self.people[0].data("node list")["items"]}[node])


@contextmanager
def agents_of(town: Town, islands: Islands, folder: Path) -> Iterator[tuple[Path, ...]]:
    """An agent beside every validator, in its namespace, as processes; `nsenter`, for `ip netns exec` would hide the
    control groups. The cluster is founded, and all are in it."""
    network = LocalNetwork(folder / ".bpi")
    genesis = network.genesis.read_text()
    for name in FUNDS:
        create_account(network.accounts, name, account_seed(name), PASSWORD, random_bytes, Disk(), is_development=True)
    (network.root / MARK).write_text("nodes = 4\n")
    for index, house in enumerate(town.houses):
        file = AgentFile(
            cluster=CLUSTER,
            node=f"node-{index + 1}",
            chain=(house.url,),
            listen=f"{islands.address(index)}:{PORT}",
            cpu_millicores=500,
            memory_kib=256 << 10,
        )
        make_agent(network.root / FOLDER / file.node, file, genesis, PASSWORD, development=True)
    agents, started = local_agents(network), []
    try:
        for index, agent in enumerate(agents):
            agent.start_file.parent.mkdir(parents=True, exist_ok=True)
            with agent.start_file.open("wb") as log:
                command = [
                    *inside_of(islands, index),
                    *BPI,
                    "node",
                    "agent",
                    "run",
                    "--data",
                    str(agent.folder),
                    "--json",
                ]
                started.append((agent, subprocess.Popen(command, stdout=log, stderr=log, cwd="/")))
        with town.houses[0].ask() as client:
            found_cluster(client, network, agents)
            await_agents(client, agents, started)
        yield tuple(agent.folder for agent in agents)
    finally:
        for _, process in started:
            process.send_signal(signal.SIGTERM)
        for _, process in started:
            process.wait(30)
        for agent in agents:
            end_containers(agent.folder)


def inside_of(islands: Islands, index: int) -> tuple[str, ...]:
    """Words before a command that runs on a node's network."""
    return ("nsenter", f"--net=/run/netns/{islands.names[index]}")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("cut-off")
    with archipelago(folder / ".bpi") as (town, islands), agents_of(town, islands, folder) as agents:
        people = tuple(
            Shell(folder, {"BPI_NODE": house.url}, inside_of(islands, index)) for index, house in enumerate(town.houses)
        )
        yield Place(town, islands, people, agents)


@pytest.mark.root
def test_a_node_that_is_cut_off_runs_what_it_has_and_says_so(place):
    (place.people[0].folder / "web.yaml").write_text(WEB)
    assert "RUNNING  web · 4 of 4 on node-1, node-2, node-3, node-4" in place.people[0].says("container run web.yaml")
    assert place.people[STRANDED].says(f"node agent status --data {place.agents[STRANDED]}").startswith("GREEN  node-4")
    before = place.status(STRANDED)["running"]
    assert len(before) == 1

    place.islands.strand(STRANDED)
    until(lambda: place.status(STRANDED)["light"] == "yellow", "it says that no block comes")
    assert "what runs goes on, nothing new begins" in place.status(STRANDED)["chain"]
    until(lambda: place.state("node-4") == "lost", "the committee says that it is lost")
    until(lambda: len(place.where()) == 4 and "node-4" not in place.where().values(), "its replica runs elsewhere")
    place.people[0].says("container scale web 6")
    until(lambda: len(place.where()) == 6, "six run on three nodes")

    assert "the committee counts this node as lost" in until(
        lambda: (found := place.status(STRANDED))["light"] == "red" and found["chain"],
        "it knows that it counts as lost",
    )
    said = place.people[STRANDED].run(f"node agent status --data {place.agents[STRANDED]}")
    assert (said.status, said.out.startswith("RED  node-4 of main")) == (20, True), said
    assert place.status(STRANDED)["running"] == before, "what it has runs on, nothing new began"


@pytest.mark.root
def test_with_its_chain_node_gone_too_it_still_runs_what_it_has(place):
    before = place.status(STRANDED)["running"]
    place.town.houses[STRANDED].kill()
    until(lambda: "out of reach" in place.status(STRANDED)["chain"], "it says that nobody answers")
    assert place.status(STRANDED)["running"] == before
    place.town.houses[STRANDED].start()


@pytest.mark.root
def test_back_again_it_clears_away_what_it_no_longer_has_to_run(place):
    place.islands.rejoin(STRANDED)
    until(lambda: place.state("node-4") == "active", "the committee hears it again")
    until(lambda: place.status(STRANDED)["light"] == "green", "it hears the chain again")
    until(lambda: place.status(STRANDED)["running"] == [], "what was given to others is cleared away")
    assert len(place.where()) == 6
    log = (place.agents[STRANDED] / "logs" / "agent.log").read_text()
    assert "no news of the chain: what runs goes on, nothing new begins" in log
    assert "the chain is back" in log
