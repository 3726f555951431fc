"""`bpi testnet partition|latency`: faults that nodes of a development chain pretend, without root."""

import click

from metanode.api.exits import ExitStatus
from metanode.cli.bpi.commands.testnet import development_network
from metanode.cli.bpi.completing import node_groups
from metanode.cli.bpi.completing import nodes as complete_nodes
from metanode.cli.commands import leaf
from metanode.cli.failure import CliRefusal, Failure
from metanode.cli.session import Session, pass_session
from metanode.client import Client


@leaf()
@click.argument("groups", nargs=-1, required=True, metavar="NODES...", shell_complete=node_groups)
@pass_session
def partition(session: Session, groups: tuple[str, ...]) -> None:
    """Cut the network into groups that do not hear each other, until bpi testnet heal.

    Each group is a list of nodes with commas between: validator-0,validator-1 validator-2,validator-3. Nodes that no
    group names are one group more.
    """
    network = development_network(session)
    sides = [[network.node(name).name for name in group.split(",") if name] for group in groups]
    named = [name for side in sides for name in side]
    if len(set(named)) != len(named):
        message = "a node is in two groups"
        raise Failure(CliRefusal.USAGE, ExitStatus.USAGE, message, fix="name each node once")
    rest = [node.name for node in network.nodes if node.name not in named]
    sides += [rest] if rest else []
    if len(sides) < 2:
        message = "one group is no partition"
        raise Failure(CliRefusal.USAGE, ExitStatus.USAGE, message, fix="name two groups, or leave some nodes out")
    everyone = [name for side in sides for name in side]
    quorum = 0
    for side in sides:
        for name in side:
            with Client(network.node(name).url) as client:
                client.node.set_fault("partition", tuple(other for other in everyone if other not in side))
                quorum = client.node.status().quorum
    alive = max(len(side) for side in sides) >= quorum
    data = {"groups": sides, "quorum": quorum, "quorum_possible": alive}

    def human() -> None:
        parts = " | ".join(", ".join(side) for side in sides)
        fate = "the larger group can go on" if alive else "no group can go on"
        session.output.line(f"partitioned {parts} · {quorum} of {len(everyone)} are needed: {fate}")

    session.output.result("testnet.partitioned/1", data, human)


@leaf()
@click.argument("milliseconds", type=click.IntRange(0, 60_000))
@click.argument("nodes", nargs=-1, metavar="[NODE...]", shell_complete=complete_nodes)
@pass_session
def latency(session: Session, milliseconds: int, nodes: tuple[str, ...]) -> None:
    """Let nodes, all of them or those named, send everything so much later; 0 mends it."""
    network = development_network(session)
    chosen = [network.node(name) for name in nodes] or list(network.nodes)
    for node in chosen:
        with Client(node.url) as client:
            if milliseconds:
                client.node.set_fault("latency", value_ms=milliseconds)
            else:
                client.node.clear_fault()
    data = {"nodes": [node.name for node in chosen], "latency_ms": milliseconds}
    words = f"{', '.join(node.name for node in chosen)}: {milliseconds} ms later"
    session.output.result("testnet.latency/1", data, lambda: session.output.line(words))
