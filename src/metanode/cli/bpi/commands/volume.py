"""`bpi volume`: data that outlives containers, on the nodes that hold it."""

from typing import Any

import click

from metanode.api.exits import ExitStatus
from metanode.cli.bpi.clusters import chosen_cluster, cluster_option
from metanode.cli.bpi.keys import Names
from metanode.cli.bpi.reach import connect
from metanode.cli.bpi.running import agents_of
from metanode.cli.bpi.showing import amount_of_space
from metanode.cli.bpi.trust import local_genesis
from metanode.cli.commands import leaf
from metanode.cli.failure import CliRefusal, Failure
from metanode.cli.session import Session, pass_session
from metanode.client import ClientError
from metanode.client.agent import AgentClient
from metanode.client.agent_keeping import remove_volume, volumes_of
from metanode.records.demand import check_name

account_option = click.option("--account", default="", metavar="NAME", help="Who asks; an operator of the cluster.")


def _agents(session: Session, named: str, account: str) -> dict[str, AgentClient]:
    """The agents of the cluster that are heard, by node. Raises `Failure`."""
    with connect(session) as client:
        cluster = chosen_cluster(client, named)
        key = Names(session, local_genesis(session), client).signer(account).key
        return {node: AgentClient(api, cluster, key) for node, api in agents_of(client, cluster).items()}


@leaf(name="list")
@cluster_option
@account_option
@pass_session
def list_(session: Session, cluster: str, account: str) -> None:
    """List the volumes of a cluster: on which node, how large, which containers have them.

    Nothing bounds what a volume takes but the disk of its node.
    """
    items: list[dict[str, Any]] = []
    silent = []
    for node, agent in sorted(_agents(session, cluster, account).items()):
        try:
            found = volumes_of(agent)
        except ClientError:
            silent.append(node)
            continue
        items += [
            {"volume": one.name, "node": node, "bytes": one.bytes, "files": one.files, "whole": one.whole,
             "users": list(one.users)}
            for one in found
        ]  # fmt: skip
    rows = [
        (
            one["volume"],
            one["node"],
            ("" if one["whole"] else "over ") + amount_of_space(one["bytes"]),
            one["files"],
            ", ".join(one["users"]) or "-",
        )
        for one in sorted(items, key=lambda one: (one["volume"], one["node"]))
    ]

    def human() -> None:
        session.output.table(("volume", "node", "size", "files", "containers"), rows, "no node has a volume")
        if silent:
            session.output.line(f"not asked, for they do not answer: {', '.join(silent)}")

    session.output.result("volume.list/1", {"items": items, "silent": silent}, human)


@leaf()
@click.argument("name")
@click.option("--on", "node", default="", metavar="NODE", help="The node that has it; the only one by default.")
@cluster_option
@account_option
@pass_session
def rm(session: Session, name: str, node: str, cluster: str, account: str) -> None:
    """Remove a volume with all its data from the node that has it; refused while a container has it."""
    check_name("volume", name)
    agents = _agents(session, cluster, account)
    if node and node not in agents:
        raise Failure(CliRefusal.UNKNOWN_NODE, ExitStatus.NOT_FOUND, f"no node {node} answers", fix="bpi node list")
    having = [node] if node else [one for one, agent in agents.items() if name in {v.name for v in volumes_of(agent)}]
    if len(having) != 1:
        said = f"{', '.join(having)} have a volume {name}" if having else f"no node that answers has a volume {name}"
        fix = "--on names one" if having else "bpi volume list"
        raise Failure(CliRefusal.NOTHING_THERE, ExitStatus.NOT_FOUND, said, fix=fix)
    remove_volume(agents[having[0]], name)
    said = f"REMOVED  {name} from {having[0]}"
    session.output.result("volume.rm/1", {"volume": name, "node": having[0]}, lambda: session.output.line(said))
