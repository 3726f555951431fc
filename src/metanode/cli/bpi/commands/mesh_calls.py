"""`bpi mesh routes`, `bpi mesh call`: what leads where, and a call through the mesh by whichever agent."""

from typing import Any

import click

from metanode.api.exits import ExitStatus
from metanode.cli.bpi.clusters import chosen_cluster, cluster_option
from metanode.cli.bpi.keys import Names
from metanode.cli.bpi.reach import connect
from metanode.cli.bpi.running import agents_of
from metanode.cli.bpi.trust import local_genesis
from metanode.cli.commands import leaf
from metanode.cli.failure import CliRefusal, Failure
from metanode.cli.session import Session, pass_session
from metanode.client import ClientError
from metanode.client.mesh import Given, MeshClient


def _agents(session: Session, named: str, account: str) -> tuple[str, dict[str, MeshClient]]:
    """The cluster, and its agents that are heard, by node. Raises `Failure`."""
    with connect(session) as client:
        cluster = chosen_cluster(client, named)
        key = Names(session, local_genesis(session), client).signer(account).key
        found = {node: MeshClient(api, cluster, key) for node, api in sorted(agents_of(client, cluster).items())}
    if not found:
        message = f"the cluster {cluster} has no node that answers"
        raise Failure(CliRefusal.NOT_READY, ExitStatus.RUNTIME, message, fix="bpi node list")
    return cluster, found


def _told(agents: dict[str, MeshClient], session: Session) -> list[dict[str, Any]]:
    """What those agents tell that answer."""
    told = []
    for node, agent in agents.items():
        try:
            told.append(agent.routes())
        except ClientError as error:
            session.output.note(f"{node} does not tell: {error.form.message}")
    return told


def _is_of(container: str, workload: str) -> bool:
    return not workload or container.split(".")[1] == workload


@leaf()
@click.argument("workload", default="")
@cluster_option
@click.option("--account", default="", metavar="ACCOUNT", help="Who asks: an operator of the cluster.")
@pass_session
def routes(session: Session, workload: str, cluster: str, account: str) -> None:
    """Show what each container may call, at which address, who would answer, and what was carried.

    With a workload, of its replicas alone. Refused calls are named with what would allow them.
    """
    name, agents = _agents(session, cluster, account)
    told = _told(agents, session)
    containers = [
        {**one, "node": each["node"], "routes": one["routes"]}
        for each in told
        for one in each["containers"]
        if _is_of(one["container"], workload)
    ]
    refusals = [
        {**one, "node": each["node"]} for each in told for one in each["refusals"] if _is_of(one["container"], workload)
    ]
    counters = [{**one, "from": each["node"]} for each in told for one in each["counters"]]
    data = {"cluster": name, "containers": containers, "counters": counters, "refusals": refusals}
    session.output.result("mesh.routes/1", data, lambda: _show(session, data))


def _show(session: Session, data: dict[str, Any]) -> None:
    rows = [
        (
            one["container"],
            one["node"],
            route["name"],
            f"{route['address']}:{','.join(map(str, route['ports']))}",
            route["balance"] or "outside",
            ", ".join(f"{each['index']} on {each['node']}" for each in route["replicas"]) or "-",
        )
        for one in data["containers"]
        for route in one["routes"]
    ]
    columns = ("container", "node", "calls", "at", "by", "ready replicas")
    session.output.table(columns, rows, "no container takes part in the mesh")
    counted = [
        (
            one["from"],
            one["service"],
            one["node"] or "-",
            *(one[what] for what in ("opened", "open", "refused", "sent", "received")),
        )
        for one in data["counters"]
    ]
    if counted:
        carried = ("from", "service", "on", "flows", "open", "refused", "bytes to it", "bytes from it")
        session.output.table(carried, counted, "")
    for one in data["refusals"]:
        said = f"refused  {one['container']} calls {one['target']} [{one['code']}, {one['rule']}]: {one['fix']}"
        session.output.line(said)


def _asked(service: str) -> tuple[str, int]:
    name, colon, port = service.partition(":")
    if colon and not (port.isdecimal() and 0 < int(port) < 65_536):
        raise click.BadParameter(f"{service!r}: SERVICE or SERVICE:PORT")
    return name, int(port or 0)


def _http(data: bytes) -> tuple[int, bytes]:
    """The status and the body of an answer, 0 where it is none of HTTP."""
    head, _, body = data.partition(b"\r\n\r\n")
    words = head.split(b"\r\n")[0].split(b" ")
    is_http = len(words) > 1 and words[0].startswith(b"HTTP/") and words[1].isdigit()
    return (int(words[1]), body) if is_http else (0, data)


@leaf()
@click.argument("service")
@click.argument("path", default="/")
@click.option("--from", "by", default="", metavar="NODE", help="Whose agent calls; the first that is heard.")
@click.option("--send", default=None, metavar="TEXT", help="Say this, and no more, instead of an HTTP request.")
@cluster_option
@click.option("--account", default="", metavar="ACCOUNT", help="Who calls: an operator of the cluster.")
@pass_session
def call(session: Session, service: str, path: str, by: str, send: str | None, cluster: str, account: str) -> None:
    """Call a service through the mesh, SERVICE or SERVICE:PORT: an HTTP GET of a path, and who answered it.

    The agent that is asked calls like a container of its node would; the node of the replica checks the signature of
    the operator again.
    """
    name, port = _asked(service)
    _, agents = _agents(session, cluster, account)
    chosen = by or next(iter(agents))
    if chosen not in agents:
        message = f"the agent of {chosen} is not heard"
        raise Failure(CliRefusal.NOT_READY, ExitStatus.RUNTIME, message, fix="bpi node list")
    request = f"GET {path} HTTP/1.1\r\nHost: {name}\r\nUser-Agent: bpi\r\nConnection: close\r\n\r\n"
    given = agents[chosen].call(name, port, (request if send is None else send).encode(), end=send is not None)
    status, body = _http(given.data) if send is None else (0, given.data)
    text = body.decode(errors="replace")
    data = _answer(given, chosen, status, text)
    session.output.note(
        f"{data['container']} on {given.node} answered {chosen} in {given.first_us / 1_000:.1f} ms"
        + (f" with status {status}" if status else "")
        + (", and was cut" if given.cut else "")
    )
    session.output.result("mesh.call/1", data, lambda: session.output.line(text.rstrip("\n")))


def _answer(given: Given, chosen: str, status: int, text: str) -> dict[str, Any]:
    return {
        "service": given.service,
        "port": given.port,
        "container": f"{given.service}.{given.index}",
        "attempt": given.attempt,
        "node": given.node,
        "from": chosen,
        "first_us": given.first_us,
        "cut": given.cut,
        "status": status,
        "body": text,
    }
