"""`bpi node list`, `show`, `admit`, `cordon`, `uncordon`, `drain`, `remove`: the nodes of a cluster."""

from collections.abc import Sequence
from typing import Any

import click

from metanode.api.cluster import ClusterNodeView
from metanode.api.exits import ExitStatus
from metanode.cli.bpi.clusters import NONE, chosen_cluster, cluster_option, cores, every, memory, read_pair, shower
from metanode.cli.bpi.completing import accounts
from metanode.cli.bpi.reach import connect
from metanode.cli.bpi.sending import How, Sending, sending
from metanode.cli.bpi.showing import as_data, instant, short
from metanode.cli.commands import leaf
from metanode.cli.failure import CliRefusal, Failure
from metanode.cli.session import Session, pass_session
from metanode.client import Client, ClientError
from metanode.records.address import read_address
from metanode.records.cluster import Label
from metanode.records.cluster_calls import ClusterAdmit, ClusterMark
from metanode.records.demand import EFFECTS, Taint


@leaf(name="list")
@cluster_option
@click.option("--limit", type=click.IntRange(1, 10_000), default=1_024, show_default=True)
@pass_session
def list_(session: Session, cluster: str, limit: int) -> None:
    """List the nodes of a cluster: state, engines, what is free on them."""
    with connect(session) as client:
        name = chosen_cluster(client, cluster)
        items = list(every(lambda cursor, count: client.cluster.nodes(name, cursor, count), limit))
    rows = [
        (
            one.node,
            one.state,
            one.replicas,
            f"{cores(one.free_cpu_millicores)}/{cores(one.cpu_millicores)}",
            f"{memory(one.free_memory_kib)}/{memory(one.memory_kib)}",
            ",".join(one.engines) or "-",
            instant(one.heard_ms) if one.heard_ms else "never",
        )
        for one in items
    ]
    columns = ("node", "state", "replicas", "free cores", "free memory", "engines", "heard")
    session.output.result(
        "node.list/1",
        {"cluster": name, "items": [as_data(one) for one in items]},
        lambda: session.output.table(columns, rows, f"{name} has no nodes yet"),
    )


@leaf()
@click.argument("named", metavar="NODE")  # `node` is the option of all commands
@cluster_option
@pass_session
def show(session: Session, named: str, cluster: str) -> None:
    """Show a node of a cluster: identity, inventory, labels, taints, and what it is to run."""
    with connect(session) as client:
        view = client.cluster.node(chosen_cluster(client, cluster), named)
        who = shower(session, client)
    session.output.result("node/1", as_data(view), lambda: _human(session, view, who(view.account)))


def _human(session: Session, view: ClusterNodeView, account: str) -> None:
    line = session.output.line
    line(f"node      {view.node} of {view.cluster} · {view.state} · at height {view.height}")
    line(f"account   {account}")
    heard = instant(view.heard_ms) if view.heard_ms else "never"
    line(f"heard     {heard} · {view.reports} reports · {view.receipts} receipts")
    line(f"labels    {', '.join(f'{key}={value}' for key, value in view.labels.items()) or 'none'}")
    for taint in view.taints:
        line(f"taint     {taint['key']}={taint['value']}:{taint['effect']}")
    if not view.engines and not view.cpu_millicores:
        line("inventory none: it has not joined yet")
        return
    line(f"machine   {view.architecture} · Linux {view.kernel} · {', '.join(view.engines) or 'no engine'}")
    line(f"cores     {cores(view.free_cpu_millicores)} of {cores(view.cpu_millicores)} free")
    line(f"memory    {memory(view.free_memory_kib)} of {memory(view.memory_kib)} free")
    line(f"answers   people at {view.api or 'nowhere'} · nodes at {view.mesh or 'nowhere'}")
    if view.volumes:
        line(f"volumes   {', '.join(view.volumes)}")
    rows = [
        (
            f"{one.workload}.{one.index}.{one.attempt}",
            "run" if one.run else "stop",
            one.revision,
            cores(one.cpu_millicores),
            memory(one.memory_kib),
            short(one.spec),
        )
        for one in view.assignments
    ]
    columns = ("replica", "is to", "revision", "cores", "memory", "spec")
    session.output.table(columns, rows, "it is to run nothing")


def _labels(given: Sequence[str], before: dict[str, str]) -> tuple[Label, ...]:
    chosen = (
        before if not given else {} if tuple(given) == (NONE,) else dict(read_pair(one, "a label") for one in given)
    )
    return tuple(Label(key=key, value=value) for key, value in sorted(chosen.items()))


def _taint(text: str) -> Taint:
    pair, colon, effect = text.rpartition(":")
    if not colon or effect not in EFFECTS:
        raise click.BadParameter(f"{text!r}: a taint is written KEY=VALUE:EFFECT, EFFECT is {', '.join(EFFECTS)}")
    key, _, value = pair.partition("=")
    return Taint(key=key, value=value, effect=effect)


def _taints(given: Sequence[str], before: Sequence[dict[str, Any]]) -> tuple[Taint, ...]:
    kept = [Taint(key=one["key"], value=one["value"], effect=one["effect"]) for one in before]
    chosen = kept if not given else [] if tuple(given) == (NONE,) else [_taint(one) for one in given]
    return tuple(sorted(chosen, key=lambda one: f"{one.key} {one.value} {one.effect}"))


def _known(client: Client, cluster: str, node: str) -> ClusterNodeView | None:
    try:
        return client.cluster.node(cluster, node)
    except ClientError as error:
        if error.code != "api.not-found":
            raise
        return None


@leaf()
@click.argument("named", metavar="NODE")  # `node` is the option of all commands
@click.argument("owner", metavar="[ACCOUNT]", default="", shell_complete=accounts)
@click.option("--label", "labels", multiple=True, metavar="KEY=VALUE", help="Again for more; none for none.")
@click.option("--taint", "taints", multiple=True, metavar="KEY=VALUE:EFFECT", help="Again for more; none for none.")
@cluster_option
@sending
@pass_session
def admit(
    session: Session,
    named: str,
    owner: str,
    labels: tuple[str, ...],
    taints: tuple[str, ...],
    cluster: str,
    how: How,
) -> ExitStatus | None:
    """Let a node into a cluster, before or after it joined; again to change its labels and taints.

    ACCOUNT is whose node it is; where it is not named, the account that joined under this name. Lists that are not
    named stay as they are; one that is named is replaced as a whole.
    """
    desk = Sending(session, how)
    name = chosen_cluster(desk.client, cluster)
    known = _known(desk.client, name, named)
    if not owner and known is None:
        message = f"no node {named!r} has joined {name} yet, and nobody said whose it is"
        raise Failure(CliRefusal.UNKNOWN_ACCOUNT, ExitStatus.NOT_FOUND, message, fix=f"bpi node admit {named} ACCOUNT")
    account = desk.names.address(owner) if owner else read_address(known.account if known else "")
    call = ClusterAdmit(
        cluster=name,
        node=named,
        account=account,
        labels=_labels(labels, known.labels if known else {}),
        taints=_taints(taints, known.taints if known else ()),
    )
    return desk.send(call)


def _mark(session: Session, node: str, cluster: str, mark: str, how: How) -> ExitStatus | None:
    desk = Sending(session, how)
    return desk.send(ClusterMark(cluster=chosen_cluster(desk.client, cluster), node=node, mark=mark))


@leaf()
@click.argument("named", metavar="NODE")  # `node` is the option of all commands
@cluster_option
@sending
@pass_session
def cordon(session: Session, named: str, cluster: str, how: How) -> ExitStatus | None:
    """Let a node take nothing new; what runs there stays."""
    return _mark(session, named, cluster, "cordoned", how)


@leaf()
@click.argument("named", metavar="NODE")  # `node` is the option of all commands
@cluster_option
@sending
@pass_session
def uncordon(session: Session, named: str, cluster: str, how: How) -> ExitStatus | None:
    """Let a node take replicas again, after cordon or drain."""
    return _mark(session, named, cluster, "active", how)


@leaf()
@click.argument("named", metavar="NODE")  # `node` is the option of all commands
@cluster_option
@sending
@pass_session
def drain(session: Session, named: str, cluster: str, how: How) -> ExitStatus | None:
    """Move everything away from a node, by the update rule of each workload."""
    return _mark(session, named, cluster, "draining", how)


@leaf()
@click.argument("named", metavar="NODE")  # `node` is the option of all commands
@cluster_option
@sending
@pass_session
def remove(session: Session, named: str, cluster: str, how: How) -> ExitStatus | None:
    """Remove a node from a cluster at once; what ran there is lost and placed again elsewhere."""
    return _mark(session, named, cluster, "removed", how)
