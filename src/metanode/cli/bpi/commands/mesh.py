"""`bpi mesh …`: what can be called in a cluster."""

import click

from metanode.cli.bpi.clusters import chosen_cluster, cluster_option, every
from metanode.cli.bpi.reach import connect
from metanode.cli.bpi.showing import as_data
from metanode.cli.commands import leaf
from metanode.cli.session import Session, pass_session


@leaf()
@cluster_option
@click.option("--network", default="", metavar="NAME", help="Only what can be called in this network.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=1_024, show_default=True)
@pass_session
def services(session: Session, cluster: str, network: str, limit: int) -> None:
    """List the services of a cluster: their ports, networks, and the replicas that are ready to answer."""
    with connect(session) as client:
        name = chosen_cluster(client, cluster)
        items = list(every(lambda cursor, count: client.workload.services(name, network, cursor, count), limit))
    rows = [
        (
            one.workload,
            ", ".join(f"{port['name']} {port['container']}/{port['protocol']}" for port in one.ports),
            ", ".join(one.networks) or "-",
            len(one.endpoints),
            ", ".join(f"{end.index} on {end.node}" for end in one.endpoints) or "-",
        )
        for one in items
    ]
    columns = ("service", "ports", "networks", "ready", "replicas")
    session.output.result(
        "mesh.services/1",
        {"cluster": name, "items": [as_data(one) for one in items]},
        lambda: session.output.table(columns, rows, f"nothing in {name} has ports to be called at"),
    )
