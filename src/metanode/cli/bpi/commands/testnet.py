"""`bpi testnet kill|pause|resume|restart|heal`: what can befall the processes of a development network."""

import signal
from collections.abc import Sequence
from typing import Final

import click

from metanode.api.exits import ExitStatus
from metanode.cli.bpi.completing import nodes as complete_nodes
from metanode.cli.bpi.local_network import LocalNetwork, LocalNode, existing_network
from metanode.cli.bpi.processes import STOP_S, abandon, await_ready, send, start, stop, wait_until_gone
from metanode.cli.bpi.reach import answers, status_when
from metanode.cli.commands import leaf
from metanode.cli.failure import CliRefusal, Failure
from metanode.cli.session import Session, pass_session

Nodes = Sequence[LocalNode]
_NODES: Final = click.argument("nodes", nargs=-1, required=True, metavar="NODE...", shell_complete=complete_nodes)


def development_network(session: Session) -> LocalNetwork:
    """The local network, where its genesis says development: elsewhere nobody breaks things on purpose."""
    import tomllib

    network = existing_network(session.data)
    if tomllib.loads(network.genesis.read_text(encoding="utf-8")).get("development") is not True:
        message = f"the genesis of {session.data} does not say development"
        raise Failure(
            CliRefusal.DEVELOPMENT_ONLY, ExitStatus.NOT_ALLOWED, message, fix="use a network that bpi init made"
        )
    return network


def _tell(session: Session, network: LocalNetwork, verb: str, touched: Nodes, others: Nodes = ()) -> None:
    """What was done, to whom, and how many processes run now."""
    running = [node for node in network.running if not node.is_paused]
    data = {
        verb: [node.name for node in touched],
        "untouched": [node.name for node in others],
        "running": [node.name for node in running],
        "nodes": len(network.nodes),
    }

    def human() -> None:
        if touched:
            session.output.line(
                f"{verb} {', '.join(node.name for node in touched)} · {len(running)}/{len(network.nodes)} running"
            )
        if others:
            session.output.line(f"not running: {', '.join(node.name for node in others)}")

    session.output.result(f"testnet.{verb}/1", data, human)


def _signal(session: Session, names: tuple[str, ...], number: signal.Signals, verb: str) -> None:
    network = development_network(session)
    nodes = [network.node(name) for name in names]
    touched = [node for node in nodes if send(node, number)]
    if not touched:
        message = f"not running: {', '.join(names)}"
        raise Failure(CliRefusal.NOT_RUNNING, ExitStatus.CONFLICT, message, fix="bpi testnet heal starts them")
    if number is signal.SIGKILL:
        wait_until_gone(touched, STOP_S)
    _tell(session, network, verb, touched, [node for node in nodes if node not in touched])


@leaf()
@_NODES
@pass_session
def kill(session: Session, nodes: tuple[str, ...]) -> None:
    """Kill nodes as a power cut would (SIGKILL)."""
    _signal(session, nodes, signal.SIGKILL, "killed")


@leaf()
@_NODES
@pass_session
def pause(session: Session, nodes: tuple[str, ...]) -> None:
    """Stop the processes of nodes where they stand (SIGSTOP), as a frozen machine would."""
    _signal(session, nodes, signal.SIGSTOP, "paused")


@leaf()
@_NODES
@pass_session
def resume(session: Session, nodes: tuple[str, ...]) -> None:
    """Let paused nodes go on (SIGCONT)."""
    _signal(session, nodes, signal.SIGCONT, "resumed")


@leaf()
@_NODES
@pass_session
def restart(session: Session, nodes: tuple[str, ...]) -> None:
    """Stop nodes in good order and start them again; start those that do not run."""
    network = development_network(session)
    chosen = [network.node(name) for name in nodes]
    stop(chosen)
    bring_up(chosen)
    _tell(session, network, "restarted", chosen)


def bring_up(nodes: Nodes) -> None:
    """Start these and return when each answers. Raises `Failure`; what was started is ended then."""
    started = [start(node) for node in nodes]
    try:
        await_ready(started, lambda node: answers(node.url))
    except BaseException:
        abandon(started)
        raise


@leaf()
@pass_session
def heal(session: Session) -> None:
    """Mend everything: resume, start what does not run, clear pretended faults, wait until all are reached."""
    from metanode.client import Client

    network = development_network(session)
    for node in network.running:
        send(node, signal.SIGCONT)
    dead = [node for node in network.nodes if not node.process]
    bring_up(dead)
    for node in network.nodes:
        with Client(node.url) as client:
            client.node.clear_fault()
    heights, reachable, total = _all_reached(network.nodes)
    data = {"started": [n.name for n in dead], "reachable": reachable, "validators": total, "heights": heights}

    def human() -> None:
        started = f" · started {', '.join(node.name for node in dead)}" if dead else ""
        session.output.line(f"healed{started} · {reachable}/{total} validators reached · height {max(heights)}")

    session.output.result("testnet.healed/1", data, human)


def _all_reached(nodes: Nodes) -> tuple[list[int], int, int]:
    """Wait until the first node reaches every validator, and blocks come again: (heights, reachable, total)."""
    from metanode.client import Client

    with Client(nodes[0].url) as client:
        first = client.node.status()
        status = status_when(
            client,
            lambda s: s.validators_reachable == s.validators_total and s.height > first.height,
        )
    heights = []
    for node in nodes:
        with Client(node.url) as client:
            heights.append(client.node.status().height)
    return heights, status.validators_reachable, status.validators_total
