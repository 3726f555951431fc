"""`bpi up`."""

import platform
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import click

from metanode.api.exits import ExitStatus
from metanode.api.node import NodeStatus
from metanode.cli.bpi.commands.init import PORT_BASE_MAX, create
from metanode.cli.bpi.local_agents import LocalAgent
from metanode.cli.bpi.local_network import PORT_BASE_DEFAULT, VALIDATORS_DEFAULT, LocalNetwork
from metanode.cli.bpi.ports import how_to_free, is_free, spans, taker
from metanode.cli.bpi.processes import POLL_S, Started, abandon, await_ready, start, stop
from metanode.cli.bpi.reach import answers, status_when
from metanode.cli.bpi.self_test import SelfTest
from metanode.cli.bpi.showing import amount_of_space
from metanode.cli.commands import leaf
from metanode.cli.failure import CliRefusal, Failure
from metanode.cli.output import Output
from metanode.cli.run import Terminated
from metanode.cli.session import Session, pass_session
from metanode.client import Client

WATCH_S: Final = 0.2
"""How often `--foreground` looks at its nodes."""
LINKS_S: Final = 5.0
"""How long it waits for the last links, when there is a quorum already."""
PEER_PORTS: Final = 20
"""Ports for peers of a new network are this far above the public ones."""


class Steps:
    """The lines of `up`: when, which step, what was seen. `engine`: of the agents it starts, empty for the first that
    works, nothing for no agents. `agents`: those that it started."""

    def __init__(self, output: Output, engine: str | None) -> None:
        self._output = output
        self.engine = engine
        self.agents: list[LocalAgent] = []
        self._began = time.monotonic()
        self.seen: list[dict[str, Any]] = []

    def saw(self, step: str, words: str, **facts: object) -> None:
        """One step was done and looked at."""
        elapsed = time.monotonic() - self._began
        self.seen.append({"step": step, "at_s": round(elapsed, 3), **facts})
        self._output.line(f"[{elapsed:.1f}s] {step:<11} {words}")


@leaf()
@click.option("--validators", type=click.IntRange(1, 20), help="Of a new network; 4 by default.")
@click.option("--port-base", type=click.IntRange(1_024, PORT_BASE_MAX), help="Of a new network; 26600 by default.")
@click.option("--name", help="Of a new chain; development by default.")
@click.option("--parameter", "parameters", multiple=True, metavar="NAME=VALUE", help="Of a new chain.")
@click.option("--no-agents", is_flag=True, help="A chain alone: nothing that runs containers.")
@click.option("--engine", default="", metavar="ENGINE", help="Of its agents; the first that works by default.")
@click.option("--foreground", is_flag=True, help="Stay; Ctrl-C stops the network.")
@pass_session
def up(
    session: Session,
    validators: int | None,
    port_base: int | None,
    name: str | None,
    parameters: tuple[str, ...],
    no_agents: bool,  # noqa: FBT001 - click calls it
    engine: str,
    foreground: bool,  # noqa: FBT001 - click calls it
) -> None:
    """Start the local network, make it first where there is none, and return when it is READY.

    The nodes run on in the background; bpi down stops them. Every line says what this program saw.
    """
    steps, network = Steps(session.output, None if no_agents else engine), LocalNetwork(session.data.resolve())
    if network.is_there:
        _refuse_options_of_new(session, (validators, port_base, name, parameters or None))
        nodes = network.nodes
        with _alone(network):
            _check(steps, network, [p for node in nodes if not node.process for p in node.ports])
            steps.saw("keys", f"{len(nodes)} nodes, made before in {session.data} (never for value)", made=False)
            started = _bring_up(session, steps, network)
    else:
        started = _first_time(session, steps, network, (validators, port_base, name, parameters))
    if foreground:
        _stay(session, steps, started)


def _first_time(
    session: Session,
    steps: Steps,
    network: LocalNetwork,
    chosen: tuple[int | None, int | None, str | None, tuple[str, ...]],
) -> list[Started]:
    """Make the network, then start it."""
    validators, port_base, name, parameters = chosen
    count, base = validators or VALIDATORS_DEFAULT, port_base or PORT_BASE_DEFAULT
    _check(steps, network, [base + offset + i for offset in (0, PEER_PORTS) for i in range(count)])
    create(session.data, count, base, name or "development", parameters)
    steps.saw("keys", f"{count} validators, development keys in {session.data} (never for value)", made=True)
    with _alone(network):
        return _bring_up(session, steps, network)


def _refuse_options_of_new(session: Session, given: tuple[object, ...]) -> None:
    """What a network is made with cannot be changed by starting it."""
    if any(value is not None for value in given):
        options = "--validators, --port-base, --name, --parameter"
        message = f"{session.data} has a network already; {options} make a new one"
        raise Failure(
            CliRefusal.NETWORK_EXISTS, ExitStatus.CONFLICT, message, fix="bpi up without them; or --data another folder"
        )


@contextmanager
def _alone(network: LocalNetwork) -> Iterator[None]:
    """One `bpi up` a folder at a time."""
    import fcntl

    with (network.root / "up.lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            message = f"another bpi up is at work in {network.root}"
            raise Failure(
                CliRefusal.NETWORK_EXISTS, ExitStatus.CONFLICT, message, fix="wait for it, or stop it", retryable=True
            ) from None
        yield


def _check(steps: Steps, network: LocalNetwork, ports: Sequence[int]) -> None:
    """Before anything is written or started: python, ports, space. Raises `Failure`."""
    from metanode.host.disk import free_bytes

    taken = [port for port in ports if not is_free(port)]
    if taken:
        message = f"port {taken[0]} is taken by {taker(taken[0])}"
        settings = f"choose other ports in {network.root}/*/node.toml"
        otherwise = settings if network.is_there else "choose another --port-base"
        fix = how_to_free(taken[0], otherwise)
        raise Failure(CliRefusal.PORT_TAKEN, ExitStatus.CONFLICT, message, fix=fix)
    folder = next(p for p in (network.root, *network.root.parents) if p.is_dir())
    free = free_bytes(folder)
    if ports:
        _refuse_full_disk(network, folder, free)
    words = [f"python {platform.python_version()}", f"{amount_of_space(free)} free"]
    if ports:
        words.insert(1, f"ports {spans(list(ports))} free")
    steps.saw("checks", " · ".join(words), python=platform.python_version(), ports=list(ports), free_bytes=free)


def _refuse_full_disk(network: LocalNetwork, folder: Path, free: int) -> None:
    """A node that finds less space than its setting stops itself: better said before it is started."""
    from metanode.host.fault import FaultReason
    from metanode.host.settings import StorageSettings

    usual = StorageSettings().free_bytes_min
    tables: list[Mapping[str, Any]] = [node.settings().get("storage", {}) for node in network.nodes if not node.process]
    least = max([int(table.get("free_bytes_min", usual)) for table in tables], default=usual)
    if free < least:
        message = (
            f"only {amount_of_space(free)} are free at {folder}; storage.free_bytes_min is {amount_of_space(least)}"
        )
        fix = "free some space, or choose a folder on another disk with --data"
        raise Failure(FaultReason.DISK_FULL, ExitStatus.RUNTIME, message, fix=fix)


def _bring_up(session: Session, steps: Steps, network: LocalNetwork) -> list[Started]:
    """Start what does not run, look at all of it, say READY."""
    started = [start(node) for node in network.nodes if not node.process]
    try:
        await_ready(started, lambda node: answers(node.url))
        url = _observe(steps, network)
        if steps.engine is not None:
            _bring_up_agents(steps, network, steps.engine)
        nodes = [{"name": node.name, "url": node.url, "pid": node.process} for node in network.nodes]
        data = {"url": url, "nodes": nodes, "started": [s.node.name for s in started], "steps": steps.seen}
        session.output.result("up/1", data, lambda: _say_ready(session, url))
    except BaseException:  # Ctrl-C too: what did not get ready is not left half running
        _stop_agents(steps)
        abandon(started)
        raise
    return started


def _observe(steps: Steps, network: LocalNetwork) -> str:
    """What the chain does: validators, finality, one transaction and its receipt. Returns the URL it asked."""
    with Client(network.nodes[0].url) as client:
        status_when(client, lambda s: s.validators_reachable >= s.quorum)
        ready = sum(answers(node.url) for node in network.nodes)
        status = _linked(client, ready)
        words = f"{ready}/{len(network.nodes)} running · tolerates {status.faults_tolerated} faulty"
        steps.saw("validators", words, running=ready, nodes=len(network.nodes), tolerated=status.faults_tolerated)
        test = SelfTest(client, network)
        test.send()
        before = status.height
        status = status_when(client, lambda s: s.height > before)
        words = f"height {status.height} final · last block {status.last_block_age_ms / 1000:.2f} s ago"
        steps.saw("finality", words, height=status.height, last_block_age_ms=status.last_block_age_ms)
        found = test.verify()
        words = f"1 transaction sent, receipt verified from raw bytes in {found.verify_ms:.1f} ms"
        steps.saw("self-test", words, receipt=found.receipt, height=found.height, verify_ms=round(found.verify_ms, 3))
    return network.nodes[0].url


def _bring_up_agents(steps: Steps, network: LocalNetwork, engine: str) -> None:
    """An agent a validator, with the best engine it found: what each of them said, and what the chain says of them."""
    from metanode.cli.bpi.local_agents import await_agents, found_cluster, make_agents, start_agents

    agents = make_agents(network, engine)
    steps.agents += [agent for agent in agents if not agent.process]
    started = start_agents(agents)
    with Client(network.nodes[0].url) as client:
        found_cluster(client, network, agents)
        engines = await_agents(client, agents, started)
    kinds = sorted(set(engines.values()))
    words = f"{len(engines)}/{len(agents)} active · containers by {', '.join(kinds)}"
    steps.saw("agents", words, running=len(engines), agents=len(agents), engines=engines)


def _stop_agents(steps: Steps) -> list[str]:
    """End the agents that were started here, with their containers; their names."""
    if not steps.agents:
        return []
    from metanode.cli.bpi.local_agents import stop_agents

    return stop_agents(steps.agents)


def _linked(client: Client, running: int) -> NodeStatus:
    """The status once every validator that runs is linked, or time is up: a quorum is enough to go on, but a link may
    need a second try, and whoever looks right after READY should not find the light yellow."""
    deadline = time.monotonic() + LINKS_S
    while (status := client.node.status()).validators_reachable < min(running, status.validators_total):
        if time.monotonic() > deadline:
            break
        time.sleep(POLL_S)
    return status


def _say_ready(session: Session, url: str) -> None:
    setting = session.configuration.setting("data")
    data = f" --data {setting.value}" if setting.origin == "flag" else ""
    ready = session.output.styled("READY", "good")
    session.output.line(f"{ready}  {url}   try:  bpi coin transfer --to globex --amount 420{data}")


def _stay(session: Session, steps: Steps, started: Sequence[Started]) -> None:
    """Until Ctrl-C or SIGTERM; what ends meanwhile is told, not started again."""
    session.output.note("in the foreground: Ctrl-C stops what was started here")
    alive = list(started)
    try:
        while alive:
            time.sleep(WATCH_S)
            for one in [one for one in alive if one.process.poll() is not None]:
                alive.remove(one)
                session.output.note(f"{one.node.name} ended ({one.process.returncode})")
    except (KeyboardInterrupt, Terminated):
        agents = _stop_agents(steps)
        stopped, killed = stop([one.node for one in started])
        if agents:
            session.output.note(f"stopped {', '.join(agents)} with all containers")
        session.output.note(f"stopped {len(stopped)}" + (f", killed {len(killed)}" if killed else ""))
