"""`bpi secret`: what containers must know and nobody else may."""

import sys
from pathlib import Path
from typing import Any

import click

from metanode.api.exits import ExitStatus
from metanode.cli.bpi.clusters import chosen_cluster, cluster_option
from metanode.cli.bpi.keys import Names
from metanode.cli.bpi.reach import connect
from metanode.cli.bpi.sealing import Sealer
from metanode.cli.bpi.secret_binding import read_secret
from metanode.cli.bpi.trust import trusted_genesis
from metanode.cli.commands import leaf
from metanode.cli.failure import CliRefusal, Failure
from metanode.cli.session import Session, pass_session
from metanode.client import ClientError
from metanode.client.agent_keeping import remove_secret
from metanode.primitives.refusal import Rejected
from metanode.records.demand import check_name
from metanode.records.secret import SECRET_BYTES_MAX, SecretRefusal

account_option = click.option("--account", default="", metavar="NAME", help="Who asks; an operator of the cluster.")
genesis_option = click.option("--genesis", default="", metavar="FILE", help="What the nodes' keys are proved by.")


def _sealer(session: Session, cluster: str, account: str, genesis: str) -> Sealer:
    """The cluster as its operator sees it. Raises `Failure`."""
    trusted = trusted_genesis(session, genesis)
    client = connect(session)
    signer = Names(session, trusted, client).signer(account)
    return Sealer(client, trusted, chosen_cluster(client, cluster), signer)


def _content(file: str) -> bytes:
    """The secret: of a file, else of standard input; on a terminal it is asked for, unseen. Raises `Failure`."""
    if file:
        return read_secret(Path(file))
    if sys.stdin.isatty():
        return str(click.prompt("Secret", hide_input=True, confirmation_prompt=True, err=True)).encode()
    data = sys.stdin.buffer.read(SECRET_BYTES_MAX + 1)
    if len(data) > SECRET_BYTES_MAX:
        raise Rejected(SecretRefusal.TOO_LARGE, f"more than {SECRET_BYTES_MAX} bytes on standard input")
    return data


@leaf(name="set")
@click.argument("name")
@click.option("--file", default="", metavar="FILE", help="What holds it; standard input else.")
@click.option("--to", "nodes", multiple=True, metavar="NODE", help="Only to this node; may be repeated.")
@cluster_option
@account_option
@genesis_option
@pass_session
def set_(
    session: Session, name: str, file: str, nodes: tuple[str, ...], cluster: str, account: str, genesis: str
) -> None:
    """Seal a secret to nodes of a cluster, by keys that are proved here; the bytes as they stand.

    It becomes a new version unless its content is the newest already. What runs keeps what it has until it is applied
    again.
    """
    check_name("secret", name)
    sealer = _sealer(session, cluster, account, genesis)
    unknown = sorted(set(nodes) - set(sealer.members))
    if unknown:
        raise Failure(CliRefusal.UNKNOWN_NODE, ExitStatus.NOT_FOUND, f"no node {unknown[0]} is in", fix="bpi node list")
    active = [node for node, member in sealer.members.items() if member.state == "active"]
    meant = sealer.put(name, _content(file), nodes or active)
    data = {"secret": name, "version": meant.version, "fresh": meant.fresh, "nodes": list(meant.nodes),
            "commitment": meant.commitment.hex()}  # fmt: skip
    word = "SEALED" if meant.fresh else "UNCHANGED"

    def human() -> None:
        styled = session.output.styled(word, "good")
        session.output.line(f"{styled}  {name} · version {meant.version} · to {', '.join(meant.nodes)}")

    session.output.result("secret.set/1", data, human)


@leaf(name="list")
@cluster_option
@account_option
@genesis_option
@pass_session
def list_(session: Session, cluster: str, account: str, genesis: str) -> None:
    """List the secrets that the agents of a cluster keep: versions, and which nodes have each."""
    sealer = _sealer(session, cluster, account, genesis)
    found: dict[tuple[str, int, str], list[str]] = {}
    for node, kept in sealer.kept.items():
        for one in kept:
            found.setdefault((one.secret, one.version, one.commitment), []).append(node)
    items: list[dict[str, Any]] = [
        {"secret": secret, "version": version, "commitment": commitment, "nodes": sorted(nodes)}
        for (secret, version, commitment), nodes in sorted(found.items())
    ]
    silent = sorted(set(sealer.members) - set(sealer.kept))
    rows = [(one["secret"], one["version"], one["commitment"][:16] + "…", ", ".join(one["nodes"])) for one in items]

    def human() -> None:
        session.output.table(("secret", "version", "commitment", "nodes"), rows, "no secret is kept here")
        if silent:
            session.output.line(f"not asked, for they do not answer: {', '.join(silent)}")

    session.output.result("secret.list/1", {"items": items, "silent": silent}, human)


@leaf()
@click.argument("name")
@click.option("--below", type=click.IntRange(0), default=0, metavar="VERSION", help="Only versions below this one.")
@cluster_option
@account_option
@genesis_option
@pass_session
def rm(session: Session, name: str, below: int, cluster: str, account: str, genesis: str) -> None:
    """Let every agent of a cluster forget a secret, or its older versions; what runs keeps what it has in memory."""
    check_name("secret", name)
    sealer = _sealer(session, cluster, account, genesis)
    removed, silent = 0, []
    for node in sealer.members:
        try:
            removed += remove_secret(sealer.agent(node), name, below)
        except ClientError:
            silent.append(node)
    if not removed and not silent:
        raise Failure(CliRefusal.NOTHING_THERE, ExitStatus.NOT_FOUND, f"no agent has {name}", fix="bpi secret list")
    if silent:
        message = f"{', '.join(silent)} did not answer and may have it still"
        fix = "repeat it when they are back"
        raise Failure(CliRefusal.NOT_READY, ExitStatus.RUNTIME, message, fix=fix, retryable=True)
    said = f"REMOVED  {name} · {removed} envelopes"
    session.output.result("secret.rm/1", {"secret": name, "removed": removed}, lambda: session.output.line(said))
