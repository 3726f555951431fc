"""The agents of a local network: one a validator, in folders of their own, with containers that may outlive them."""

import contextlib
import json
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec

from metanode.api.cluster import ClusterList, ClusterNodes
from metanode.api.cluster_methods import CLUSTER_LIST, CLUSTER_NODES
from metanode.api.exits import ExitStatus
from metanode.cli.bpi.agent_file import ACCOUNT, FILE, KEYS, AgentFile, agent_text, load_agent_file, make_agent
from metanode.cli.bpi.local_network import LocalNetwork, holder
from metanode.cli.bpi.processes import POLL_S, START_S, STOP_S, tail
from metanode.cli.failure import CliRefusal, Failure
from metanode.client import Client
from metanode.client.transactions import Sender
from metanode.host.development import PASSWORD
from metanode.host.disk import Disk, write_durably
from metanode.host.keys import list_accounts, load_account
from metanode.records.address import address_of_key
from metanode.records.cluster import ClusterSettings, Label
from metanode.records.cluster_calls import ClusterAdmit, ClusterCreate
from metanode.records.placement import Weights

FOLDER: Final = "agents"
"""In the network's folder."""
CLUSTER: Final = "main"
"""What the cluster of a local network is called."""
OWNER: Final = "acme"
"""Who owns it."""
AGENT_PORTS: Final = 40
"""Ports of agents are this far above the public ones."""
HEARTBEAT_MS: Final = 10_000
"""A node of a local network that was not heard for so long is lost."""


@dataclass(frozen=True, slots=True)
class LocalAgent:
    """One agent on this machine."""

    folder: Path

    @property
    def name(self) -> str:
        """The name of its node."""
        return self.folder.name

    @property
    def process(self) -> int:
        """The id of the process that runs it, 0 where none does."""
        return holder(self.folder / "LOCK")

    @property
    def start_file(self) -> Path:
        """What it prints itself: that it is ready, or why not."""
        return self.folder / "logs" / "start.log"


def local_agents(network: LocalNetwork) -> tuple[LocalAgent, ...]:
    """The agents of a network, in the order of their names."""
    return tuple(LocalAgent(path.parent) for path in sorted((network.root / FOLDER).glob(f"*/{FILE}")))


def make_agents(network: LocalNetwork, engine: str) -> tuple[LocalAgent, ...]:
    """One a validator, made where there is none; each may use its part of this machine. `engine`: by which they run
    containers; empty for what their files say, the first that works in new ones. Raises `Failure` where another is
    asked for than that of an agent that runs."""
    from metanode.host.agent.joining import this_machine

    made = local_agents(network)
    if made:
        for agent in made:
            _use(agent, engine)
        return made
    nodes, machine = network.nodes, this_machine()
    base = min(port for node in nodes for port in node.ports)
    for number, node in enumerate(nodes, 1):
        others = [other.url for other in nodes if other is not node]
        file = AgentFile(
            cluster=CLUSTER,
            node=f"node-{number}",
            chain=(node.url, *others),
            listen=f"127.0.0.1:{base + AGENT_PORTS + number - 1}",
            cpu_millicores=max(machine.cpu_millicores // len(nodes), 250),
            memory_kib=machine.memory_kib * 3 // 4 // len(nodes),
            engine=engine,
        )
        genesis = network.genesis.read_text(encoding="utf-8")
        make_agent(network.root / FOLDER / file.node, file, genesis, PASSWORD, development=True)
    return local_agents(network)


def _use(agent: LocalAgent, engine: str) -> None:
    """Another engine than its file says, for an agent that does not run."""
    file = load_agent_file(agent.folder)
    if not engine or file.engine == engine:
        return
    if agent.process:
        message = f"the agent of {agent.name} runs already, by {file.engine or 'the first engine that works'}"
        raise Failure(CliRefusal.NETWORK_EXISTS, ExitStatus.CONFLICT, message, fix="bpi down, then bpi up --engine")
    text = agent_text(msgspec.structs.replace(file, engine=engine))
    write_durably(Disk(), agent.folder / FILE, text.encode())


def start_agents(agents: Sequence[LocalAgent]) -> "list[tuple[LocalAgent, subprocess.Popen[bytes]]]":
    """Start those that do not run, as processes that outlive this one; which, and their processes."""
    started = []
    for agent in agents:
        if agent.process:
            continue
        agent.start_file.parent.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "metanode.cli.bpi.main", "node", "agent", "run"]
        with agent.start_file.open("wb") as file:
            process = subprocess.Popen(  # noqa: S603 - our own program, our own arguments
                [*command, "--data", str(agent.folder), "--json"],
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
                start_new_session=True,
                cwd="/",
            )
        started.append((agent, process))
    return started


def found_cluster(client: Client, network: LocalNetwork, agents: Sequence[LocalAgent]) -> None:
    """The cluster, owned by acme, and the agents' nodes admitted: what of it the chain does not have yet."""
    sender = Sender(client, load_account(network.accounts, OWNER, PASSWORD))
    names = [line.cluster for line in client.call(CLUSTER_LIST, ClusterList()).items]
    calls: list[Any] = []
    if CLUSTER not in names:
        settings = ClusterSettings(
            operators=(),
            executors=(),
            weights=Weights(),
            heartbeat_timeout_ms=HEARTBEAT_MS,
            quotas=(),
            images="any",
        )
        calls.append(ClusterCreate(cluster=CLUSTER, settings=settings))
    known = {} if CLUSTER not in names else _states(client)
    for agent in agents:
        if known.get(agent.name, "joining") == "joining":
            account = bytes(address_of_key(_public_key(agent)))
            labels = (Label(key="machine", value="local"), Label(key="node", value=agent.name))
            calls.append(ClusterAdmit(cluster=CLUSTER, node=agent.name, account=account, labels=labels, taints=()))
    if calls:
        status = sender.send(*calls)
        if status.code:
            message = f"the chain refuses the cluster {CLUSTER}: {status.code}"
            raise Failure(status.code, ExitStatus.RUNTIME, message, fix="bpi cluster show")


def _public_key(agent: LocalAgent) -> bytes:
    return next(one.file.public_key for one in list_accounts(agent.folder / KEYS) if one.name == ACCOUNT)


def _states(client: Client) -> dict[str, str]:
    page = client.call(CLUSTER_NODES, ClusterNodes(cluster=CLUSTER, limit=100))
    return {line.node: line.state for line in page.items}


def await_agents(
    client: Client, agents: Sequence[LocalAgent], started: "Sequence[tuple[LocalAgent, subprocess.Popen[bytes]]]"
) -> dict[str, str]:
    """Return when every node is active and every agent has said which engine it found: engines by node. Raises
    `Failure` with an agent's own words, at once where one of those just started has ended."""
    until = time.monotonic() + START_S
    while True:
        for agent, process in started:
            if process.poll() is not None:
                raise _ended(agent)
        engines = {agent.name: engine for agent in agents if (engine := _engine(agent))}
        states = _states(client)
        if len(engines) == len(agents) and all(states.get(agent.name) == "active" for agent in agents):
            return engines
        if time.monotonic() > until:
            late = next(agent for agent in agents if agent.name not in engines or states.get(agent.name) != "active")
            said = "\n".join(f"  | {line}" for line in tail(late.start_file)) or "  | (nothing)"
            message = f"the agent of {late.name} is not ready after {START_S:.0f} s:\n{said}"
            raise Failure(CliRefusal.NOT_READY, ExitStatus.RUNTIME, message, fix=f"see {late.folder}/logs")
        time.sleep(POLL_S)


def _ended(agent: LocalAgent) -> Failure:
    """Why an agent ended, in its own words."""
    for line in reversed(tail(agent.start_file)):
        with contextlib.suppress(ValueError, KeyError, TypeError):
            told = json.loads(line)["error"]
            message = f"the agent of {agent.name} does not start: {told['message']}"
            return Failure(told["code"], ExitStatus(told["exit"]), message, rule=told["rule"], fix=told["fix"])
    said = "\n".join(f"  | {line}" for line in tail(agent.start_file)) or "  | (nothing)"
    message = f"the agent of {agent.name} has ended:\n{said}"
    return Failure(CliRefusal.NOT_READY, ExitStatus.RUNTIME, message, fix=f"see {agent.folder}/logs")


def _engine(agent: LocalAgent) -> str:
    """The engine that a running agent said it found; empty before that."""
    if not agent.process:
        return ""
    for line in reversed(tail(agent.start_file)):
        with contextlib.suppress(ValueError, KeyError, TypeError):
            return str(json.loads(line)["engine"])
    return ""


def stop_agents(agents: Sequence[LocalAgent]) -> list[str]:
    """End the agents and all their containers; names of those that ran."""
    import os
    import signal

    from metanode.host.agent.engines import end_containers

    asked = [agent for agent in agents if agent.process]
    for agent in asked:
        with contextlib.suppress(ProcessLookupError):
            os.kill(agent.process, signal.SIGTERM)
    until = time.monotonic() + STOP_S
    while any(agent.process for agent in asked) and time.monotonic() < until:
        time.sleep(POLL_S)
    for agent in asked:
        if agent.process:
            with contextlib.suppress(ProcessLookupError):
                os.kill(agent.process, signal.SIGKILL)
    for agent in agents:
        end_containers(agent.folder)
    return [agent.name for agent in asked]
